//! `llama-server` of llama.cpp (libllama 0.5.0: common/arg.cpp, common/hf-cache.cpp, .devops).

mod flags;
mod presets;

use crate::engine::arguments::{Arguments, Grammar, Setting};
use crate::engine::image::Image;
use crate::engine::launch::Launch;
use crate::engine::reading::Reading;
use crate::engine::words::Word;
use crate::engine::{Defaults, Engine, HubCache, Kind, Named, Part};
use crate::source_map::Spanned;

pub(super) static KIND: Kind = Kind {
    engine: Engine::LlamaCpp,
    images: &["ggml-org/llama.cpp", "ggerganov/llama.cpp"],
    marks: &["llama.cpp", "llamacpp", "llama-cpp", "llama-server"],
    defaults,
    scripts: &[],
    environment: &[("LLAMA_ARG_HOST", "0.0.0.0")],
    working_dir: Some("/app"),
    start,
    takes: |_| false,
    read,
};

fn defaults(image: &Image) -> Defaults {
    let entrypoint: &[&str] = match image.tag().split('-').next() {
        Some("full") => &["/app/tools.sh"],
        Some("light") => &["/app/llama-cli"],
        Some(_) | None => &["/app/llama-server"],
    };
    Defaults { entrypoint, command: &[] }
}

fn start(words: &[Word]) -> Option<usize> {
    match words.first()?.program() {
        "llama-server" => Some(1),
        "tools.sh" => {
            let tool = words.get(1)?;
            (tool.is("--server") || tool.is("-s")).then_some(2)
        }
        _ => None,
    }
}

static GRAMMAR: Grammar = Grammar {
    flags: flags::FLAGS,
    underscores: true,
    abbreviations: false,
    joined: false,
    dashed_values: true,
};

fn read(launch: &Launch<'_>, reading: &mut Reading<'_>) {
    let mut arguments = Arguments::parse(&GRAMMAR, &lora_scales(&launch.arguments));
    reading.took(&mut arguments);
    let get = |reading: &Reading<'_>, flag: &str, variable: &str| {
        reading.setting(&arguments, &[flag], &[variable])
    };
    open_all(&arguments, reading);
    presets::file(&arguments, reading);
    reading.path(
        Part::ChatTemplate,
        get(reading, "--chat-template-file", "LLAMA_ARG_CHAT_TEMPLATE_FILE"),
    );
    let models_dir = get(reading, "--models-dir", "LLAMA_ARG_MODELS_DIR");
    reading.invocation.models_dir = reading.folder(models_dir);
    let alias = get(reading, "--alias", "LLAMA_ARG_ALIAS");
    if let Some(alias) = reading.text(alias) {
        let names = alias.value.split(',').map(str::trim).filter(|name| !name.is_empty());
        reading.invocation.served_names = names.map(str::to_owned).collect();
    }
    reading.port(get(reading, "--port", "LLAMA_ARG_PORT"));
    reading.invocation.host = reading.text(get(reading, "--host", "LLAMA_ARG_HOST"));
    let prefix = get(reading, "--api-prefix", "LLAMA_ARG_API_PREFIX");
    reading.invocation.api_prefix = reading.text(prefix);
    let context = reading.number(get(reading, "--ctx-size", "LLAMA_ARG_CTX_SIZE"));
    // 0 is the length that the model was trained with.
    reading.invocation.context = context.filter(|context| context.value != 0);
    reading.invocation.overrides = arguments.any(&["--override-kv"]);
    let offline = arguments.is_on("--offline") || reading.environment.is_on("LLAMA_ARG_OFFLINE");
    reading.invocation.offline = offline;
    cache(reading);
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
    lora(arguments, reading);
    let draft = ["LLAMA_ARG_SPEC_DRAFT_MODEL", "LLAMA_ARG_MODEL_DRAFT"];
    let draft = reading.setting(arguments, &["--model-draft"], &draft);
    let repository = ["LLAMA_ARG_SPEC_DRAFT_HF_REPO", "LLAMA_ARG_HFD_REPO"];
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
    let Some(Spanned { value, place }) = reading.text(setting) else { return };
    let (id, quantisation) = match value.split_once(':') {
        Some((id, quantisation)) => (id.to_owned(), Some(quantisation.to_owned())),
        None => (value, None),
    };
    let file = file.or(quantisation).filter(|file| !file.is_empty());
    reading.open(part, Named::Repository { id, revision: None, file }, by, place);
}

fn open_url(part: Part, setting: Option<Setting>, reading: &mut Reading<'_>) {
    let by = setting.as_ref().map(|setting| setting.by.clone()).unwrap_or_default();
    if let Some(url) = reading.text(setting) {
        reading.open(part, Named::Url(url.value), by, url.place);
    }
}

/// Joins `--lora-scaled FILE SCALE`, which older builds read as two values, to `FILE:SCALE`.
fn lora_scales(words: &[Word]) -> Vec<Word> {
    let mut joined: Vec<Word> = Vec::with_capacity(words.len());
    let mut file_next = false;
    let mut scale_next = false;
    for word in words {
        let is_number = word.text.parse::<f64>().is_ok();
        match joined.last_mut() {
            Some(file) if scale_next && is_number && word.unknown.is_none() => {
                file.text = format!("{}:{}", file.text, word.text);
                scale_next = false;
                continue;
            }
            Some(_) | None => {}
        }
        scale_next = file_next && scaled(&word.text).is_none();
        file_next = matches!(word.text.as_str(), "--lora-scaled" | "--lora_scaled");
        joined.push(word.clone());
    }
    joined
}

/// The file of `FILE:SCALE`.
fn scaled(text: &str) -> Option<&str> {
    let (file, scale) = text.rsplit_once(':')?;
    scale.parse::<f64>().is_ok().then_some(file)
}

fn lora(arguments: &Arguments, reading: &mut Reading<'_>) {
    for flag in ["--lora", "--lora-scaled"] {
        let given: Vec<(Word, String)> = arguments
            .all(flag)
            .filter_map(|given| Some((given.values.first()?.clone(), given.written.clone())))
            .collect();
        for (word, by) in given {
            for part in word.text.split(',') {
                let file = if flag == "--lora" { part } else { scaled(part).unwrap_or(part) };
                let word = Word { text: file.to_owned(), ..word.clone() };
                reading.path(Part::Lora, Some(Setting { word, by: by.clone() }));
            }
        }
    }
}

/// `LLAMA_CACHE` stands before the variables of the hub's own client.
fn cache(reading: &mut Reading<'_>) {
    match reading.variable("LLAMA_CACHE") {
        Some(setting) => {
            let by = Some(setting.by.clone());
            let folder = reading.folder(Some(setting));
            reading.invocation.hub_cache =
                folder.map(|folder| HubCache { path: folder.value, by, place: folder.place });
        }
        None => reading.hub_cache(None),
    }
}
