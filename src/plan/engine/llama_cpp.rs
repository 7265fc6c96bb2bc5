//! `llama-server` of llama.cpp (libllama 0.5.0: common/arg.cpp, common/hf-cache.cpp, .devops).

mod devices;
mod environment;
mod log;
mod memory;
mod pattern;
mod presets;
mod templates;
mod values;

use crate::plan::engine::arguments::{Arguments, Grammar, Numbers, Setting};
use crate::plan::engine::cache_variables::{CacheVariable, CacheVariables};
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::image::Image;
use crate::plan::engine::launch::{Lack, Launch};
use crate::plan::engine::profile::{Defaults, Profile, Start};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_dates::ReleaseDates;
use crate::plan::engine::release_table::ReleaseTable;
use crate::plan::engine::words::Word;
use crate::plan::engine::{
    Adapters, Beyond, CommandLine, ContextFlag, DocumentRules, Engine, Gguf, GivesOut, Http,
    ImageHealth, KnownVariables, Layout, Models, Named, Offline, Onnx, OwnCache, Part, Paths, Pins,
    Probe, Reference, Releases, Serves,
};
use crate::project::Service;
use crate::source_map::Spanned;

pub(super) static PROFILE: Profile = Profile {
    engine: Engine::LlamaCpp,
    name: "llama.cpp",
    id: "llama-cpp",
    command_line: CommandLine {
        model: "-m /models/NAME.gguf",
        without_model: Some(
            "llama-server would start without a model and still report that it is healthy",
        ),
        context: Some(ContextFlag { flag: "-c", beyond: Beyond::Capped, longest: None }),
        tensor_parallel: None,
        pins: Pins::Offline("--offline"),
        refuses_numbers: false,
        quantizations: None,
        variables: &["LLAMA_"],
        told_by_variables: true,
        known_variables: Some(VARIABLES),
    },
    models: Models {
        serves: Serves::Text,
        layout: Layout::GgufFile,
        gguf: Gguf::Any,
        onnx: Onnx::Never,
        pooling: None,
        adapters: Adapters::Never,
        adapter_rules: None,
        draft_rules: None,
        runs_code: false,
        documents: DocumentRules::NONE,
        fast_tokenizer_only: false,
        chat_needs_template: false,
        mistral_wants_both_since: None,
        load_formats: &[],
        own_cache: Some(OWN_CACHE),
        offline: Offline { reference: Reference::FirstLine, ..Offline::AS_LIBRARY },
    },
    releases: Releases {
        dates: Some(ReleaseDates::new(include_str!("llama_cpp/dates.txt"))),
        // They are counted in thousands since it reads GGUF.
        first_build: Some(1000),
        // ggml-org/llama.cpp#22165 of 20 April 2026 took them away; b11669 was seen without them.
        without_ollama: Some(9109),
        ..Releases::UNREAD
    },
    http: Http {
        port: 8080,
        host: "127.0.0.1",
        openai_roots: &["", "/v1"],
        lacks_ollama: false,
        image_health: ImageHealth::Asks(8080),
        // 00dd081: tools/server/server-http.cpp; b11669 was asked.
        paths: Paths {
            well: "/health",
            lacks: &["/healthz", "/readyz", "/livez"],
            keyed: None,
            changed_by: &["--path", "LLAMA_ARG_STATIC_PATH", "AIP_MODE"],
        },
        inner_port: None,
        probe: Probe::Health,
        lists_models: true,
        key_variable: Some("LLAMA_API_KEY"),
        serves_as,
        // Tried with build 11669; a server without a model, which starts one for each name, has no names.
        any_name: true,
    },
    log: log::MESSAGES,
    start: Start {
        images: &["ggml-org/llama.cpp", "ggerganov/llama.cpp"],
        marks: &["llama.cpp", "llamacpp", "llama-cpp", "llama-server"],
        defaults,
        scripts: &[],
        other_scripts: &[],
        environment: &[("LLAMA_ARG_HOST", "0.0.0.0")],
        working_dir: Some("/app"),
        program,
        takes: |_| false,
        lacks,
    },
    grammar: Some(&GRAMMAR),
    read,
};

const VARIABLES: KnownVariables = KnownVariables {
    table: ReleaseTable::new(include_str!("llama_cpp/variables.txt")),
    prefix: Some("LLAMA_ARG_"),
    plugins: &[],
    flags: &[],
    addresses: &[],
    strict: None,
};

/// Before `common/hf-cache.cpp` (March 2026) there was `fs_get_cache_directory` in
/// `common/common.cpp`.
const OWN_CACHE: OwnCache =
    OwnCache { until_build: 8600, variable: "LLAMA_CACHE", folder: "llama.cpp" };

/// common/hf-cache.cpp `get_cache_directory`: what is set to nothing is passed over, and nothing is
/// replaced inside a value.
pub(super) const CACHE: CacheVariables = CacheVariables {
    order: &[
        CacheVariable { name: "LLAMA_CACHE", below: "", expands: false },
        CacheVariable { name: "HF_HUB_CACHE", below: "", expands: false },
        CacheVariable { name: "HUGGINGFACE_HUB_CACHE", below: "", expands: false },
        CacheVariable { name: "HF_HOME", below: "hub", expands: false },
        CacheVariable { name: "XDG_CACHE_HOME", below: "huggingface/hub", expands: false },
    ],
    nothing_counts: false,
};

fn defaults(image: &Image) -> Defaults {
    let entrypoint: &[&str] = match image.tag().split('-').next() {
        Some("full") => &["/app/tools.sh"],
        Some("light") => &["/app/llama-cli"],
        Some(_) | None => &["/app/llama-server"],
    };
    Defaults { entrypoint, command: &[] }
}

fn program(words: &[Word]) -> Option<usize> {
    match words.first()?.program() {
        "llama-server" => Some(1),
        "tools.sh" => {
            let tool = words.get(1)?;
            (tool.is("--server") || tool.is("-s")).then_some(2)
        }
        _ => None,
    }
}

/// What the script of the `full` image runs beside the server (.devops/tools.sh, build 11669).
const TOOLS: [&str; 14] = [
    "--all-in-one",
    "--bench",
    "--convert",
    "--perplexity",
    "--quantize",
    "--run",
    "--run-legacy",
    "-a",
    "-b",
    "-c",
    "-l",
    "-p",
    "-q",
    "-r",
];

/// The script of the `full` image starts nothing without the name of a tool, and what the `light` image
/// runs does not listen.
fn lacks(service: &Service, words: &[Word]) -> Option<Lack> {
    let next = words.get(1).map_or("", |word| word.text.as_str());
    let is_meant_to_listen = || {
        let flags = ["--host", "--port"];
        !service.ports.is_empty() || words.iter().any(|word| flags.contains(&word.text.as_str()))
    };
    match words.first()?.program() {
        "tools.sh" if !TOOLS.contains(&next) => {
            let instead = usize::from(!next.is_empty() && !next.starts_with('-'));
            Some(Lack { at: 1, instead, words: &["--server"], fix: None })
        }
        "llama-cli" if is_meant_to_listen() => Some(Lack {
            at: 0,
            instead: 1,
            words: &["/app/llama-server"],
            fix: Some("take the image whose tag begins with `server` in place of `light`"),
        }),
        _ => None,
    }
}

/// Newer releases serve it as the path that they were given, older ones as its name.
fn serves_as(named: &Named) -> Vec<String> {
    let Named::Path(path) = named else { return Vec::new() };
    let name = path.as_path().file_name().map(|name| name.to_string_lossy().into_owned());
    [Some(path.to_string()), name].into_iter().flatten().collect()
}

/// common/arg.cpp of every build that changed a flag since that file is there, and build 11669.
static FLAGS: FlagTable = FlagTable::new(include_str!("llama_cpp/flags.txt"));

static GRAMMAR: Grammar = Grammar {
    table: Some(&FLAGS),
    flags: &[],
    foreign: &[
        ("--all-in-one", SCRIPT),
        ("--bench", SCRIPT),
        ("--convert", SCRIPT),
        ("--perplexity", SCRIPT),
        ("--run", SCRIPT),
        ("--server", SCRIPT),
    ],
    underscores: true,
    abbreviations: false,
    joined: false,
    dashed_values: true,
    numbers: Numbers::Beginning,
    any_text: &ANY_TEXT,
};

/// Whose the words of `.devops/tools.sh` are.
const SCRIPT: &str = "the script of its image `:full`";

/// Flags that build 11669 starts with whatever their value is; every other one refuses a flag in its
/// place: it is no number, no file and none of the words that it knows.
const ANY_TEXT: [&str; 29] = [
    "--alias",
    "--api-key",
    "--api-prefix",
    "--chat-template",
    "--control-vector",
    "--cors-headers",
    "--cors-methods",
    "--cors-origins",
    "--defrag-thold",
    "--dry-sequence-breaker",
    "--hf-file",
    "--hf-token",
    "--log-file",
    "--log-prompts-dir",
    "--lookup-cache-dynamic",
    "--lookup-cache-static",
    "--model-url",
    "--models-dir",
    "--models-preset",
    "--reasoning-budget-message",
    "--reasoning-effort",
    "--reverse-prompt",
    "--sampler-seq",
    "--samplers",
    "--ssl-cert-file",
    "--ssl-key-file",
    "--tags",
    "--tools-runtime",
    "--video-ffmpeg-dir",
];

/// Switches over which it prints something and ends, beside those that all programs have
/// (common/arg.cpp).
const PRINTS: [&str; 4] = ["--cache-list", "--completion-bash", "--license", "--list-devices"];

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let release = reading.release();
    let (words, apart) = values::joined_scales(&launch.arguments, release.as_deref());
    let mut arguments = Arguments::parse(&GRAMMAR, &words, release.as_deref());
    values::judge(&mut arguments, reading);
    reading.took(&mut arguments);
    reading.ends_by(&arguments, &PRINTS);
    reading.no_more(&arguments.positionals);
    environment::judge(reading);
    devices::judge(&arguments, reading, launch.image.as_ref());
    reading.invocation.spread.gpu = devices::gpu(&arguments, reading, launch.image.as_ref());
    if let Some(place) = apart {
        reading.complain(values::scale_apart(), &place);
    }
    let get = |reading: &Reading<'_>, flag: &str, variable: &str| {
        reading.setting(&arguments, &[flag], &[variable])
    };
    open_all(&arguments, reading);
    presets::file(&arguments, reading);
    templates::read(&arguments, reading);
    beside(&arguments, reading);
    reading.models_dir(get(reading, "--models-dir", "LLAMA_ARG_MODELS_DIR"));
    let alias = get(reading, "--alias", "LLAMA_ARG_ALIAS");
    if let Some(alias) = reading.text(alias) {
        let names = alias.value.split(',').map(str::trim).filter(|name| !name.is_empty());
        reading.invocation.served_names = names.map(str::to_owned).collect();
    }
    reading.port(values::number(get(reading, "--port", "LLAMA_ARG_PORT")));
    reading.invocation.host = reading.text(get(reading, "--host", "LLAMA_ARG_HOST"));
    let prefix = get(reading, "--api-prefix", "LLAMA_ARG_API_PREFIX");
    reading.invocation.api_prefix = reading.text(prefix);
    let context = values::number(get(reading, "--ctx-size", "LLAMA_ARG_CTX_SIZE"));
    let context = reading.number(context);
    // 0 is the length that the model was trained with.
    reading.invocation.context = context.filter(|context| context.value != 0);
    reading.invocation.cache_types = cache_types(&arguments, reading);
    reading.invocation.overrides = arguments.any(&["--override-kv"]);
    reading.invocation.override_keys = values::override_keys(&arguments);
    let offline = arguments.is_on("--offline") || reading.environment.is_on("LLAMA_ARG_OFFLINE");
    reading.invocation.offline = offline;
    reading.invocation.sizing = Some(memory::sizing(&arguments, reading, launch.image.as_ref()));
    reading.invocation.without_projector = without_projector(&arguments, reading);
    reading.invocation.embeds.pooling =
        reading.text(get(reading, "--pooling", "LLAMA_ARG_POOLING"));
    reading.invocation.gives_out = Some(gives_out(&arguments, reading));
    reading.hub_cache_by(None, &CACHE);
    // It stands before `HF_ENDPOINT` (common/common.cpp `common_get_model_endpoint`).
    reading.endpoint("MODEL_ENDPOINT");
}

/// The types of the cache, where attention is computed in one go, which asks for whole blocks of them.
fn cache_types(arguments: &Arguments, reading: &Reading<'_>) -> [Option<Spanned<String>>; 2] {
    let get = |flag: &str, variable: &str| reading.setting(arguments, &[flag], &[variable]);
    let flash = get("--flash-attn", "LLAMA_ARG_FLASH_ATTN");
    let is_off = |text: &str| {
        matches!(text.to_ascii_lowercase().as_str(), "0" | "off" | "false" | "disabled")
    };
    if flash.as_ref().and_then(Setting::text).is_some_and(is_off) {
        return [None, None];
    }
    let known = |setting: Setting| {
        let text = setting.text()?.to_owned();
        Some(Spanned::new(text, setting.word.place))
    };
    [
        get("--cache-type-k", "LLAMA_ARG_CACHE_TYPE_K").and_then(known),
        get("--cache-type-v", "LLAMA_ARG_CACHE_TYPE_V").and_then(known),
    ]
}

/// What the server gives out: `--reranking` makes it give out embeddings of another kind (common/arg.cpp).
/// A switch's variable turns it on whatever it says, but for a word that turns it off.
fn gives_out(arguments: &Arguments, reading: &Reading<'_>) -> GivesOut {
    let by_variable = |name: &str| {
        let word = reading.environment.get(name);
        word.is_some_and(|word| !["0", "off", "false", "disabled"].contains(&word.text.as_str()))
    };
    let is_on = |flag: &str, variable: &str| arguments.is_on(flag) || by_variable(variable);
    let gives_embeddings =
        is_on("--embedding", "LLAMA_ARG_EMBEDDINGS") || arguments.is_on("--embd-gemma-default");
    // Which of the two stands last is what counts of them.
    let is_ranking = is_on("--reranking", "LLAMA_ARG_RERANKING");
    let pooling = reading.invocation.embeds.pooling.as_ref().map(|told| told.value.as_str());
    match (gives_embeddings, pooling) {
        _ if is_ranking => GivesOut::Ranks,
        (true, Some("rank")) => GivesOut::Ranks,
        (true, _) => GivesOut::Embeddings,
        (false, _) => GivesOut::Text,
    }
}

/// Whether the projector of a repository is left where it is. The variables are those of older and
/// of current builds (common/arg.cpp).
fn without_projector(arguments: &Arguments, reading: &Reading<'_>) -> bool {
    let off = |word: &str| {
        matches!(word.to_ascii_lowercase().as_str(), "0" | "off" | "false" | "disabled")
    };
    match arguments.last_of(&["--mmproj-auto", "--no-mmproj"]) {
        Some(given) => given == "--no-mmproj",
        None => {
            let environment = &reading.environment;
            environment.get("LLAMA_ARG_MMPROJ_AUTO").is_some_and(|word| off(&word.text))
                || environment.get("LLAMA_ARG_NO_MMPROJ_AUTO").is_some()
                || environment.is_on("LLAMA_ARG_NO_MMPROJ")
        }
    }
}

/// Opens what a server opens that somebody else starts with `words`, and notes what it refuses.
pub(super) fn started(words: &[Word], reading: &mut Reading<'_>) {
    let mut arguments = Arguments::parse(&GRAMMAR, words, None);
    reading.took(&mut arguments);
    reading.no_more(&arguments.positionals);
    open_all(&arguments, reading);
    beside(&arguments, reading);
}

/// The model and what is loaded with it.
fn open_all(arguments: &Arguments, reading: &mut Reading<'_>) {
    let get = |reading: &Reading<'_>, flag: &str, variable: &str| {
        reading.setting(arguments, &[flag], &[variable])
    };
    model(arguments, reading);
    let mmproj = get(reading, "--mmproj", "LLAMA_ARG_MMPROJ");
    match (mmproj, get(reading, "--mmproj-url", "LLAMA_ARG_MMPROJ_URL")) {
        (Some(path), _) => reading.path(Part::Mmproj, Some(path)),
        (None, url) => open_url(Part::Mmproj, url, reading),
    }
    listed(Part::Lora, ["--lora", "--lora-scaled"], arguments, reading);
    let draft = ["LLAMA_ARG_SPEC_DRAFT_MODEL", "LLAMA_ARG_MODEL_DRAFT"];
    let draft = environment::read_by(&draft, reading);
    let draft = reading.setting(arguments, &["--model-draft"], &draft);
    let repository = ["LLAMA_ARG_SPEC_DRAFT_HF_REPO", "LLAMA_ARG_HFD_REPO"];
    let repository = environment::read_by(&repository, reading);
    let repository = reading.setting(arguments, &["--hf-repo-draft"], &repository);
    match repository {
        Some(repository) => hub(Part::Draft, Some(repository), None, reading),
        None => reading.path(Part::Draft, draft),
    }
}

/// The model: of the hub, of Docker's registry, of a URL, or a file; in the order in which the
/// server looks.
fn model(arguments: &Arguments, reading: &mut Reading<'_>) {
    let get = |reading: &Reading<'_>, flag: &str, variable: &str| {
        reading.setting(arguments, &[flag], &[variable])
    };
    let path = get(reading, "--model", "LLAMA_ARG_MODEL");
    let repository = get(reading, "--hf-repo", "LLAMA_ARG_HF_REPO");
    if repository.is_some() {
        // Without `--hf-file`, `--model` names the file inside the repository.
        let file = get(reading, "--hf-file", "LLAMA_ARG_HF_FILE").or(path);
        let file = reading.text(file).map(|file| file.value);
        hub(Part::Model, repository, file, reading);
        return;
    }
    let docker = get(reading, "--docker-repo", "LLAMA_ARG_DOCKER_REPO");
    let by = docker.as_ref().map(|setting| setting.by.clone()).unwrap_or_default();
    if let Some(name) = reading.text(docker) {
        let owner = if name.value.contains('/') { "" } else { "ai/" };
        let url = format!("docker://{owner}{}", name.value);
        reading.open(Part::Model, Named::Url(url), by, name.place);
    } else if path.is_some() {
        reading.path(Part::Model, path);
    } else if let url @ Some(_) = get(reading, "--model-url", "LLAMA_ARG_MODEL_URL") {
        open_url(Part::Model, url, reading);
    } else {
        presets::built_in(arguments, reading);
    }
}

/// Opens a file of the hub: `owner/name[:quantisation]`, or `file` inside it.
fn hub(part: Part, setting: Option<Setting>, file: Option<String>, reading: &mut Reading<'_>) {
    let by = setting.as_ref().map(|setting| setting.by.clone()).unwrap_or_default();
    let Some(text) = reading.text(setting) else { return };
    let Spanned { value, place } = reading.without_address(&by, text);
    let (id, quantisation) = match value.split_once(':') {
        Some((id, quantisation)) => (id.to_owned(), Some(quantisation.to_owned())),
        None => (value, None),
    };
    let file = file.or(quantisation).filter(|file| !file.is_empty());
    reading.open(part, Named::Repository { id, revision: None, file }, by, place);
}

/// What is read at the start and holds no model. Each of them stops the server when it is not there
/// (seen with build 11669), but for the control vectors, without which it goes on.
fn beside(arguments: &Arguments, reading: &mut Reading<'_>) {
    let texts = [
        ("--grammar-file", None),
        ("--json-schema-file", None),
        ("--api-key-file", Some("LLAMA_ARG_API_KEY_FILE")),
        ("--webui-config-file", Some("LLAMA_ARG_UI_CONFIG_FILE")),
        ("--ui-config-file", None),
        ("--mcp-servers-config", Some("LLAMA_ARG_MCP_SERVERS_CONFIG")),
    ];
    let folders = [
        ("--path", Some("LLAMA_ARG_STATIC_PATH")),
        ("--slot-save-path", Some("LLAMA_ARG_SLOT_SAVE_PATH")),
        ("--media-path", None),
    ];
    let of = |part: Part, list: &[(&'static str, Option<&'static str>)]| {
        list.iter().map(|(flag, variable)| (part, *flag, *variable)).collect::<Vec<_>>()
    };
    for (part, flag, variable) in
        of(Part::Text, &texts).into_iter().chain(of(Part::Folder, &folders))
    {
        let setting = reading.setting(arguments, &[flag], variable.as_slice());
        reading.path(part, setting);
    }
    // With one of the two alone the server speaks plain HTTP and opens neither.
    let key = reading.setting(arguments, &["--ssl-key-file"], &["LLAMA_ARG_SSL_KEY_FILE"]);
    let certificate =
        reading.setting(arguments, &["--ssl-cert-file"], &["LLAMA_ARG_SSL_CERT_FILE"]);
    if let (Some(key), Some(certificate)) = (key, certificate) {
        reading.path(Part::Text, Some(key));
        reading.path(Part::Text, Some(certificate));
    }
    listed(
        Part::ControlVector,
        ["--control-vector", "--control-vector-scaled"],
        arguments,
        reading,
    );
}

fn open_url(part: Part, setting: Option<Setting>, reading: &mut Reading<'_>) {
    let by = setting.as_ref().map(|setting| setting.by.clone()).unwrap_or_default();
    if let Some(url) = reading.text(setting) {
        reading.open(part, Named::Url(url.value), by, url.place);
    }
}

/// The file of `FILE:SCALE`.
fn scaled(text: &str) -> Option<&str> {
    let (file, scale) = text.rsplit_once(':')?;
    scale.parse::<f64>().is_ok().then_some(file)
}

/// Opens the files of a flag that takes a list, and of another that takes `FILE:SCALE`.
fn listed(
    part: Part,
    [plain, with_scale]: [&str; 2],
    arguments: &Arguments,
    reading: &mut Reading<'_>,
) {
    for flag in [plain, with_scale] {
        let given: Vec<(Word, String)> = arguments
            .all(flag)
            .filter_map(|given| Some((given.values.first()?.clone(), given.written.clone())))
            .collect();
        for (word, by) in given {
            for one in word.text.split(',') {
                let file = if flag == plain { one } else { scaled(one).unwrap_or(one) };
                let word = Word { text: file.to_owned(), ..word.clone() };
                reading.path(part, Some(Setting { word, by: by.clone() }));
            }
        }
    }
}
