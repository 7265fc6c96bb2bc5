//! Compose texts in, one line per lane out.

use super::*;
use crate::options::{ProjectOptions, Selection};
use crate::plan::lanes::{Lane, ProblemKind, plan};
use crate::project::compose;
use crate::source_map::SourceMap;

/// What a lane opens in caches, where it comes from, where it answers.
fn shown(lane: &Lane, directory: &str) -> String {
    let mut words = vec![lane.name.clone()];
    words.extend(lane.skipped.iter().map(|why| format!("skipped: {why}")));
    for artifact in &lane.artifacts {
        let path = artifact.located.value.service_path.as_ref();
        words.push(path.map_or_else(|| "host path".to_owned(), ToString::to_string));
    }
    for cached in &lane.cached {
        let places = cached.places.iter().map(|place| {
            let path = place.service_path.as_ref().map(ToString::to_string);
            let path = path.unwrap_or_else(|| "host".to_owned());
            match &place.sight {
                Sight::Visible { path: local, .. } => format!("{path}={local}"),
                Sight::Written | Sight::Covered => format!("{path}=none"),
                Sight::NotMounted => format!("{path}=no"),
                Sight::Hidden(_) => format!("{path}=hidden"),
            }
        });
        let places = places.collect::<Vec<_>>().join(" ");
        words.push(format!("{:?} {} in [{places}]", cached.part, cached.named()));
    }
    words.extend(lane.source.as_ref().map(|source| format!("{} ({})", source.value, source.from)));
    words.extend(lane.url.as_ref().map(|url| url.value.clone()));
    words.extend(lane.problems.iter().map(|problem| {
        let ProblemKind::EngineOpensOther { declared, opened } = &problem.kind else {
            panic!("{problem:?}")
        };
        format!("{declared} is not {opened}")
    }));
    words.join(" | ").replace(directory, ".")
}

fn check_at(standpoint: &Standpoint, services: &str, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("name: p\nservices:\n{services}");
    fs_err::write(folder.path().join("compose.yaml"), &text).unwrap();
    let options = ProjectOptions {
        directory: Some(folder.path().to_path_buf()),
        files: vec![folder.path().join("compose.yaml")],
        working_directory: folder.path().to_path_buf(),
        ..ProjectOptions::default()
    };
    let mut sources = SourceMap::default();
    let project = compose::load(&options, &mut sources).unwrap();
    let plan = plan(&project, standpoint, &Selection::default(), &sources).unwrap();
    let directory = folder.path().display().to_string();
    let lanes: Vec<String> = plan.lanes.iter().map(|lane| shown(lane, &directory)).collect();
    assert_eq!(lanes, expected, "{text}");
}

fn check(service: &str, expected: &str) {
    check_at(&Standpoint::Host, &format!("  s: {service}\n"), &[expected]);
}

#[test]
fn a_repository_is_looked_for_in_the_cache_of_its_service() {
    check(
        "{image: 'vllm/vllm-openai:v0.12.0', command: Q/q --port 9, ports: ['81:9']}",
        "s | Model Q/q in [/root/.cache/huggingface/hub=no] | hf://Q/q (MODEL) | \
         http://127.0.0.1:81",
    );
    check(
        "{image: vllm/vllm-openai, command: --model Q/q --revision v1, volumes: ['./c:/root/.cache/huggingface']}",
        "s | Model Q/q@v1 in [/root/.cache/huggingface/hub=./c/hub] | hf://Q/q@v1 (--model)",
    );
    check(
        "{image: vllm/vllm-openai, command: Q/q, user: '1000'}",
        "s | Model Q/q in [] | hf://Q/q (MODEL)",
    );
    check(
        "{image: vllm/vllm-openai, command: Q/q, environment: {HF_HOME: /h}, volumes: [/h]}",
        "s | Model Q/q in [/h/hub=hidden] | hf://Q/q (MODEL)",
    );
    check(
        "{image: vllm/vllm-openai, command: Q/q --download-dir /d, volumes: ['./d:/d']}",
        "s | Model Q/q in [/d=./d] | Tokenizer Q/q in [/root/.cache/huggingface/hub=no] | \
         hf://Q/q (MODEL)",
    );
    check(
        "{image: 'ghcr.io/huggingface/text-embeddings-inference:1.8', command: --model-id B/b, volumes: ['./d:/data']}",
        "s | Model B/b in [/data=./d] | hf://B/b (--model-id)",
    );
    check(
        "{image: vllm/vllm-openai, command: gpt2}",
        "s | Model gpt2 in [/root/.cache/huggingface/hub=no]",
    );
}

#[test]
fn llama_cpp_has_had_two_caches() {
    let image = "image: 'ghcr.io/ggml-org/llama.cpp:server'";
    check(
        &format!("{{{image}, command: -hf o/r, volumes: ['./c:/root/.cache/llama.cpp']}}"),
        "s | Model o/r in [/root/.cache/huggingface/hub=no /root/.cache/llama.cpp=./c] | \
         hf://o/r (-hf)",
    );
    check(
        &format!("{{{image}, command: '-hf o/r:q8_0', environment: {{LLAMA_CACHE: /l}}}}"),
        "s | Model o/r:q8_0 in [/l=no] | hf://o/r (-hf)",
    );
    check(
        &format!("{{{image}, command: -hf o/r -hff a/f.gguf, environment: {{HF_HOME: /h}}}}"),
        "s | Model o/r:a/f.gguf in [/h/hub=no /root/.cache/llama.cpp=no] | hf://o/r/a/f.gguf (-hf)",
    );
}

#[test]
fn everything_that_is_named_as_a_repository_is_cached() {
    check(
        "{image: vllm/vllm-openai, command: /m --tokenizer t/t --lora-modules a=l/l -sc.model d/d, volumes: ['./m:/m', './c:/root/.cache/huggingface/hub']}",
        "s | /m | Tokenizer t/t in [/root/.cache/huggingface/hub=./c] | \
         Lora l/l in [/root/.cache/huggingface/hub=./c] | \
         Draft d/d in [/root/.cache/huggingface/hub=./c]",
    );
    check(
        "{image: michaelf34/infinity, command: v2 --model-id a/b --model-id c/d}",
        "s | Model a/b in [/app/.cache/huggingface/hub=no] | \
         Model c/d in [/app/.cache/huggingface/hub=no] | hf://a/b (--model-id)",
    );
}

#[test]
fn what_cannot_be_a_file_is_skipped_with_its_reason() {
    check(
        "{image: vllm/vllm-openai, command: 's3://b/m'}",
        "s | skipped: `s3://b/m` is loaded by the engine itself",
    );
    check(
        "{image: ollama/ollama, ports: ['11434:11434']}",
        "s | skipped: Ollama loads its models on request | http://127.0.0.1:11434",
    );
    check("{image: localai/localai}", "s | skipped: LocalAI loads its models on request");
    check("{image: 'ghcr.io/ggml-org/llama.cpp:server', command: --models-dir /m}", "s | /m");
    check(
        "{image: 'ghcr.io/ggml-org/llama.cpp:server', command: -dr gemma3}",
        "s | skipped: `docker://ai/gemma3` is loaded by the engine itself",
    );
}

#[test]
fn a_declared_path_that_the_engine_does_not_open_is_a_problem_unless_it_is_in_its_cache() {
    let service = |path: &str| {
        format!(
            "{{image: vllm/vllm-openai, command: Q/q, labels: {{preflight.lane: s, preflight.path: {path}}}}}"
        )
    };
    check(&service("/m"), "s | /m | hf://Q/q (MODEL) | /m is not Q/q");
    let inside = "/root/.cache/huggingface/hub/models--Q--q/snapshots/0";
    check(&service(inside), &format!("s | {inside} | hf://Q/q (MODEL)"));
}

#[test]
fn a_port_of_the_engine_is_a_url_of_whoever_asks() {
    let service = |ports: &str, more: &str| {
        format!(
            "{{image: 'ghcr.io/ggml-org/llama.cpp:server', command: -m /m.gguf {more}, \
             ports: [{ports}]}}"
        )
    };
    let lane = |url: &str| format!("s | /m.gguf | {url}");
    check(&service("'81:8080'", ""), &lane("http://127.0.0.1:81"));
    check(&service("'0.0.0.0:81:8080'", ""), &lane("http://127.0.0.1:81"));
    check(&service("'10.1.2.3:81:8080'", ""), &lane("http://10.1.2.3:81"));
    check(&service("'[::1]:81:8080'", ""), &lane("http://[::1]:81"));
    check(&service("'81:8080'", "--api-prefix /llm/"), &lane("http://127.0.0.1:81/llm"));
    check(&service("'81:82'", ""), "s | /m.gguf");
    check_at(
        &Standpoint::Container(Vec::new()),
        &format!("  s: {}\n", service("", "--port 9")),
        &["s | /m.gguf | http://s:9"],
    );
}

#[test]
fn the_embeddings_of_the_catalogue_are_in_any_cache_that_is_mounted() {
    let lanes = |standpoint: &Standpoint, services: &str| {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("services:\n{services}x-preflight: {{catalogue: cortex}}\n");
        fs_err::write(folder.path().join("compose.yaml"), text).unwrap();
        let options = ProjectOptions {
            directory: Some(folder.path().to_path_buf()),
            environment: [("HOME".to_owned(), "/home/me".to_owned())].into(),
            working_directory: folder.path().to_path_buf(),
            ..ProjectOptions::default()
        };
        let mut sources = SourceMap::default();
        let project = compose::load(&options, &mut sources).unwrap();
        let plan = plan(&project, standpoint, &Selection::default(), &sources).unwrap();
        let directory = folder.path().display().to_string();
        let lane = plan.lanes.iter().find(|lane| lane.name == "embeddings_minilm").unwrap();
        shown(lane, &directory)
    };
    let app = "  app: {image: app, environment: {HF_HOME: /hf}, volumes: ['./hf:/hf']}\n";
    let model = "Model sentence-transformers/all-MiniLM-L6-v2 in";
    let source = "hf://sentence-transformers/all-MiniLM-L6-v2 (catalogue)";
    assert_eq!(
        lanes(&Standpoint::Host, app),
        format!(
            "embeddings_minilm | {model} [/hf/hub=./hf/hub host=/home/me/.cache/huggingface/hub] \
             | {source}"
        )
    );
    assert_eq!(
        lanes(&Standpoint::Container(Vec::new()), app),
        format!("embeddings_minilm | skipped: no hub cache is mounted | {source}")
    );
}

#[test]
fn a_quantisation_chooses_its_file_as_llama_cpp_does() {
    let names = [
        "README.md",
        "imatrix.gguf",
        "m-Q8_0.gguf",
        "m-Q4_K_M.gguf",
        "m-q5_k_m-00001-of-00002.gguf",
        "m-q5_k_m-00002-of-00002.gguf",
        "mmproj-Q4_K_M.gguf",
        "BF16/m-BF16.gguf",
    ];
    let check = |wanted: Option<&str>, names: &[&str], expected: Option<&str>| {
        let choice = Choice::Quantisation(wanted.map(str::to_owned));
        assert_eq!(choice.pick(names), expected, "{wanted:?} of {names:?}");
    };
    check(None, &names, Some("m-Q4_K_M.gguf"));
    check(Some("q4_k_m"), &names, Some("m-Q4_K_M.gguf"));
    check(Some("Q5_K_M"), &names, Some("m-q5_k_m-00001-of-00002.gguf"));
    check(Some("bf16"), &names, Some("BF16/m-BF16.gguf"));
    check(Some("Q4"), &names, None);
    check(Some("Q6_K"), &names, None);
    check(None, &["m-Q8_0.gguf", "m-Q2_K.gguf"], Some("m-Q8_0.gguf"));
    check(None, &["m-Q2_K.gguf", "m-Q3_K.gguf"], Some("m-Q2_K.gguf"));
    check(None, &["mmproj-F16.gguf", "config.json"], None);
    check(Some("Q4_K_M"), &["m.Q4_K_M.gguf"], Some("m.Q4_K_M.gguf"));
    let file = Choice::File("a/f.gguf".to_owned());
    assert_eq!(file.pick(&["f.gguf", "a/f.gguf"]), Some("a/f.gguf"));
    assert_eq!(Choice::Folder.pick(&names), None);
}
