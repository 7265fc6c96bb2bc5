//! Behaviour, through the real binary; one module per behaviour that a user sees.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// The action for GitHub, and the files that GitHub and pre-commit read.
mod action;
/// What is said about the architecture is true.
mod architecture;
/// Stacks of Compose as Pods.
mod as_pods;
/// What is answered to bad input.
mod bad_input;
/// Models that something else of the stack brings before the engine opens them.
mod brought_before;
/// Where engines keep what they take from the hub, by their variables.
mod cache_variables;
/// Chat templates, read by preflight, by llama-server and by Jinja2.
mod chat_templates;
/// What the command line says about itself.
mod command_line;
/// Command lines of engines, as people write them.
mod command_lines;
/// Compose projects through the binary.
mod compose_cli;
/// What a loaded project knows about itself.
mod compose_config;
/// Projects as Docker Compose itself resolves them.
mod compose_oracle;
/// When a run has to end.
mod deadline;
mod declarations;
mod docker_ci;
mod docker_copied_files;
mod docker_corpus;
mod docker_cortex;
mod docker_covered;
mod docker_damage;
mod docker_elsewhere;
mod docker_exec;
mod docker_eyes;
mod docker_fetch;
mod docker_fetch_pairs;
mod docker_first_up;
mod docker_forms;
mod docker_fragments;
mod docker_gpu;
mod docker_image;
/// What an image says of itself, by hand.
mod docker_image_words;
mod docker_inspect;
mod docker_memory;
mod docker_mount_sources;
mod docker_mounts;
mod docker_placement;
mod docker_provider;
mod docker_proxy;
mod docker_rights;
mod docker_shipped;
mod docker_smoke;
/// Not a behaviour: what the modules `docker_*` share.
mod docker_stack;
mod docker_stop;
mod docker_token;
mod docker_up_matrix;
mod docker_up_parts;
mod docker_vllm;
mod docker_volumes;
mod docker_wirings;
/// The machine, as `doctor` tells it.
mod doctor_command;
/// Values in the documents of a model, judged by preflight and by two releases of transformers.
mod document_values;
/// Every command block and every help text in the documentation.
mod documentation;
/// Hubs and networks that never come to an end.
mod endless_hub;
/// What the Docker Engine's answers become, and what it is asked.
mod engine_api;
/// What engines beside vLLM and llama.cpp refuse, and what they take.
mod engine_grammars;
mod engine_images;
/// Variables that an engine does not read, judged by preflight and by the genuine ones.
mod engine_variables;
/// How every check is told.
mod every_check;
/// Stacks as people have them, as they stand and as they break on an ordinary day.
mod everyday;
mod exec;
/// What is fetched is what the hub has, or nothing is there.
mod faults;
mod fetch;
/// Which lanes and files `preflight fetch` chooses, and what it says before it does.
mod fetch_choice;
/// What `preflight fetch` brings, and what it leaves behind.
mod fetch_command;
/// Fetches that end in the middle, and what continues them.
mod fetch_killed;
/// Sources that are brought into each other's folders.
mod fetch_nested;
/// Sources of the hub that are brought without a project.
mod fetch_pairs;
mod fetch_phases;
/// What runs without a project write down.
mod fetch_records;
/// Every way in which a fetch can be refused.
mod fetch_refusals;
/// Fetches from a hub with a certificate of its own.
mod fetch_tls;
/// What moves to a newer commit.
mod fetch_update;
/// Stacks that are right and have not run yet.
mod first_start;
/// Lanes on the GPUs that they are given.
mod fit;
/// Whether texts fit into what an engine of embeddings computes at once.
mod fit_batches;
/// What `fit` tells, in every format.
mod fit_command;
/// What does not fit, before anything of it is downloaded.
mod fit_distant;
mod fit_memory;
/// Whether vLLM's cache holds a request, and whether its layers can be put on stages.
mod fit_vllm;
/// Random model files.
mod folder_and_cache;
mod fuzz;
/// Tiny models of many architectures, judged by preflight and by the genuine llama-server.
mod gguf_models;
/// GGUF files, judged by preflight and by the genuine llama-server.
mod gguf_oracle;
/// Services that are given a GPU, and those that want one.
mod gpu_use;
/// preflight and the genuine `hf` on the same folders.
mod hf_interop;
/// The hook for pre-commit.
mod hook;
/// Hubs that answer otherwise than the Hugging Face Hub.
mod hub_answers;
/// Repositories in the caches of engines.
mod hub_cache;
/// Caches whose engines may not ask the hub.
mod hub_cache_offline;
/// Caches of the hub, judged by preflight and opened by the genuine library.
mod hub_cache_oracle;
/// Which hub is asked with which token, by the environment.
mod hub_environment;
/// How a hub is reached.
mod hub_network;
/// Hubs that redirect.
mod hub_redirects;
/// Not a behaviour: the quickstart without its models, and a hub that has them.
mod hub_stack;
/// Compose files that are edited.
mod init_command;
/// What an init container says, and where.
mod init_role;
/// Judges that variables name.
mod judge;
/// Manifests of Kubernetes.
mod kubernetes;
/// Manifests in folders, of a cluster, with placeholders.
mod kubernetes_as_found;
/// What is shipped for Kubernetes.
mod kubernetes_files;
/// What KServe makes of its documents.
mod kubernetes_kserve;
/// What has to be a text in a manifest.
mod kubernetes_texts;
/// Calls of containers through the Services of their manifests.
mod kubernetes_wiring;
mod lanes_elsewhere;
/// Links that a user of the models folder puts where preflight writes.
mod links_swapped;
/// What LiteLLM gets of llama-server.
mod litellm;
/// What llama-server answers when it serves, said by preflight and by the genuine one.
mod llama_answers;
/// What llama-server opens beside a model, judged by preflight and by the genuine one.
mod llama_files;
/// The flags of llama-server, read by preflight and listed by the genuine one.
mod llama_flags;
/// What llama-server takes of memory, by preflight and by its own log.
mod llama_memory;
/// Random command lines of llama-server, judged by preflight and by the genuine one.
mod llama_random;
/// Weights in the format that the engine is told to load.
mod load_formats;
/// What is pinned, and what that means.
mod lock_command;
/// What is too much, in a control group that has no more.
mod memory;
/// What services mount of the host, and is not there.
mod mount_sources;
/// What follows from one cause is not told as several.
mod one_cause;
/// Every engine and every kind of thing that it can be given as its model.
mod opened_kinds;
/// What is released: the wheel, the Debian package, the archive.
mod packages;
/// The report as a page, in a genuine browser.
mod page;
/// Files that an engine uses together.
mod pairs_of_files;
/// Patterns for files, read by preflight and by the genuine library.
mod pattern_oracle;
/// Pods on real runtimes.
mod pods;
/// KServe's container in Pods on real runtimes.
mod pods_kserve;
/// Who may change what a finding weighs.
mod policy;
/// Preflight as a provider of Docker Compose.
mod provider;
/// What proxies are told, and whom they pass on to.
mod proxies;
/// The README's main job.
mod quickstart;
/// What Docker Compose refuses, and who is to blame.
mod recorded;
mod refused_as_compose_does;
/// One run, told to every program that reads reports.
mod reports;
/// Revisions whose names have slashes, and how sources are written.
mod revision_names;
/// Safetensors files and folders, judged by preflight and by the Python packages.
mod safetensors_oracle;
/// Not a behaviour: a scratch folder, and the binary run in it.
mod sandbox;
/// Who may read the models.
/// What is never said, and never shown as it is.
mod secrets_shown;
mod service_rights;
/// Several processes that bring the same file.
mod shared_folder;
/// Signals that come while a run waits.
mod signals;
/// Engines that run, through the eyes of their clients.
mod smoke_clients;
/// What is no file, in the place of every file that is read.
mod special_files;
/// Models on their own, without a project.
mod standalone_models;
/// Scripts and files that start engines.
mod start_scripts;
/// A Swarm of two nodes.
mod swarm;
/// What a person sees on a terminal.
mod terminal;
/// The project's own rules.
mod tidy;
mod token_and_endpoint;
/// Every byte proven once.
mod verify_deep;
/// Caches of random sizes, against vLLM's own arithmetic.
mod vllm_cache;
/// Random command lines of vLLM, against its own parser.
mod vllm_flags;
/// Caches of models some of whose layers keep a state, against vLLM's own arithmetic.
mod vllm_states;
/// What is not where its engine opens it, and is elsewhere.
mod where_it_is;
/// Not a behaviour: servers that answer what a test tells them to.
mod wire;
/// Who talks to whom.
mod wiring;
/// Where names and addresses lead.
mod wiring_addresses;
/// Whom programs are told to call by their configuration files.
mod wiring_files;
/// Health checks, and ports.
mod wiring_health;
/// Stacks that are right as they stand.
mod wiring_working;
