//! Image references: which engine a name stands for, and which release.

use std::time::SystemTime;

use indexmap::IndexMap;

use crate::plan::engine::Engine;
use crate::plan::engine::profile::Profile;
use crate::project::Service;

/// An image reference, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// Registry and repository, in lower case, without tag and digest.
    repository: String,
    /// The tag; absent: `latest`, or a digest alone.
    tag: Option<String>,
    /// The release that its own labels or variables name.
    labelled: Option<String>,
    /// A time that it is no younger than.
    made: Option<SystemTime>,
}

/// The label that says of which release an image is, by the tag that it was made for, and the one that
/// says of which project (llama.cpp 1cad66d .devops/cpu.Dockerfile; vLLM 0.27.1 and 0.33.0
/// docker/Dockerfile). An image inherits both from the one that it is made from.
const VERSION_LABEL: &str = "org.opencontainers.image.version";
const SOURCE_LABEL: &str = "org.opencontainers.image.source";

/// How sure an image's name makes it that it holds an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// The project's own image, from whichever registry: its defaults are known.
    Official,
    /// An image that nobody publishes, as far as its name says: that of the project's own, but for a
    /// slip of the hand.
    Misspelt(Misspelt),
    /// An image that is called after the engine: its entrypoint is not known.
    Named,
}

/// The image that a name is nearly that of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misspelt {
    /// Without registry and tag.
    pub(super) meant: &'static str,
    /// Whether the owner is right, so that it can be nobody else's image.
    pub(super) is_certain: bool,
}

/// How long a name is in which two letters can be wrong.
const LONG_NAME: usize = 12;

/// Parts of a name that say that the image only talks to the engine it is named after, brings files for
/// it, or takes its words and answers as it would, without a model.
const COMPANIONS: [&str; 24] = [
    "bench",
    "benchmark",
    "client",
    "controller",
    "dashboard",
    "downloader",
    "emulator",
    "exporter",
    "fake",
    "frontend",
    "gateway",
    "loadtest",
    "metrics",
    "mock",
    "mocker",
    "operator",
    "proxy",
    "python",
    "router",
    "sim",
    "simulator",
    "tokenizer",
    "ui",
    "webui",
];

/// What else people have in the name of an image that holds an engine and nothing beside it.
const PLAIN: [&str; 78] = [
    "alpine",
    "amd",
    "api",
    "arc",
    "attn",
    "awq",
    "backend",
    "base",
    "blackwell",
    "container",
    "cuda",
    "custom",
    "debian",
    "decode",
    "deepseek",
    "dev",
    "embed",
    "embedding",
    "engine",
    "env",
    "flash",
    "fork",
    "fp8",
    "full",
    "gemma",
    "gguf",
    "gptq",
    "gpu",
    "image",
    "inference",
    "ipex",
    "jetson",
    "latest",
    "light",
    "llama",
    "llm",
    "llms",
    "lmcache",
    "local",
    "main",
    "mistral",
    "mixtral",
    "model",
    "models",
    "multinode",
    "my",
    "nightly",
    "node",
    "official",
    "openai",
    "openvino",
    "own",
    "patched",
    "phi",
    "prefill",
    "prod",
    "production",
    "qwen",
    "ray",
    "release",
    "repo",
    "rerank",
    "runtime",
    "serve",
    "server",
    "service",
    "serving",
    "spark",
    "stable",
    "stage",
    "staging",
    "sycl",
    "test",
    "ubi",
    "ubuntu",
    "vl",
    "vulkan",
    "worker",
];

/// What the names of images for other devices have in them.
const OTHER_DEVICES: [&str; 14] = [
    "arm64", "ascend", "cann", "cpu", "gaudi", "hpu", "intel", "neuron", "npu", "rocm", "tpu",
    "vulkan", "xeon", "xpu",
];

/// Who publishes the projects' own images anew, for other systems or with models in them.
const REBUILDERS: [&str; 2] = ["infiniflow", "openeuler"];

impl Image {
    /// Takes `reference` apart; anything is taken for a reference.
    pub(super) fn parse(reference: &str) -> Self {
        let named = reference.split('@').next().unwrap_or("");
        let last = named.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match named.get(last..).and_then(|name| name.rfind(':')) {
            Some(colon) => (named.get(..last + colon), named.get(last + colon + 1..)),
            None => (Some(named), None),
        };
        Self {
            repository: repository.unwrap_or("").to_ascii_lowercase(),
            tag: tag.filter(|tag| !tag.is_empty()).map(str::to_owned),
            labelled: None,
            made: None,
        }
    }

    /// The same, of the release that the image says itself.
    pub(super) fn told(mut self, service: &Service) -> Self {
        self.made = service.image_made;
        let profile = self.profile().map(|(profile, _)| profile);
        let variable = profile.and_then(|profile| profile.releases.tag_variable);
        let said = variable.and_then(|name| service.environment.get(name)?.value.as_deref());
        self.labelled(&service.image_labels).or_by_variable(said)
    }

    /// The same, of the release of the tag `said` where its labels name none; `local/...` is none.
    fn or_by_variable(mut self, said: Option<&str>) -> Self {
        let is_own = |tag: &Self| tag.profile().is_some_and(|(_, trust)| trust == Trust::Official);
        let tag = said.map(Self::parse).filter(is_own);
        self.labelled = self.labelled.or_else(|| tag.and_then(|tag| tag.version()));
        self
    }

    /// The newest release that was read which it can be, of an image of the project whose release is not
    /// known; absent: it may be any.
    pub(super) fn newest_possible(&self) -> Option<&'static str> {
        let made = self.made.filter(|_| self.version().is_none())?;
        let (profile, trust) = self.profile()?;
        let dates = profile.releases.dates.filter(|_| trust == Trust::Official)?;
        dates.newest_before(made)
    }

    /// The same, of the release that its labels name where they are those of its engine's project: the
    /// version of Ubuntu is none.
    fn labelled(mut self, labels: &IndexMap<String, String>) -> Self {
        let engine_of = |image: &Self| image.profile().map(|(profile, _)| profile.engine);
        let source = labels.get(SOURCE_LABEL).map(|source| source.trim_end_matches(".git"));
        let source = source.map(Self::parse).as_ref().and_then(engine_of);
        if source.is_some() && source == engine_of(&self) {
            let version = labels.get(VERSION_LABEL).map(|version| version.rsplit(':').next());
            self.labelled = version.flatten().and_then(release_in);
        }
        self
    }

    /// Whether the release is known by a label or a variable of its own.
    pub(super) fn is_labelled(&self) -> bool {
        self.labelled.is_some()
    }

    /// The engine that the name stands for.
    pub(super) fn profile(&self) -> Option<(&'static Profile, Trust)> {
        let profiles = || Engine::ALL.map(Engine::profile).into_iter();
        let is_own = |profile: &&Profile| profile.start.images.iter().any(|name| self.is(name));
        if let Some(profile) = profiles().find(is_own) {
            return Some((profile, Trust::Official));
        }
        let nearly = |profile: &'static Profile| {
            let mut images = profile.start.images.iter();
            images.find_map(|name| Some((profile, Trust::Misspelt(self.is_nearly(name)?))))
        };
        if let Some(misspelt) = profiles().find_map(nearly) {
            return Some(misspelt);
        }
        let name = self.repository.rsplit('/').next().unwrap_or("");
        let parts: Vec<&str> = name.split(['-', '_', '.']).collect();
        if parts.iter().any(|part| COMPANIONS.contains(part)) {
            return None;
        }
        let marked = |mark: &&str| contains(&parts, mark);
        let profile = profiles().find(|profile| profile.start.marks.iter().any(marked))?;
        Some((profile, Trust::Named))
    }

    /// Whether the name says nothing but that it holds the engine of `profile`: its other parts are those
    /// of the project's own images, devices, releases and sizes of models.
    pub(super) fn is_plainly(&self, profile: &Profile) -> bool {
        let names = profile.start.images.iter().chain(profile.start.marks);
        self.has_only(names.copied())
    }

    /// Whether the parts of the name are those of `names`, or say nothing of another program.
    pub(super) fn has_only<'n>(&self, names: impl Iterator<Item = &'n str>) -> bool {
        let own: Vec<&str> = names.flat_map(|name| name.split(['/', '-', '_', '.'])).collect();
        let has_number = |part: &str| part.bytes().any(|byte| byte.is_ascii_digit());
        let owner = self.repository.rsplit_once('/').map_or("", |(owner, _)| owner);
        let is_owners = |part: &str| owner.split(['/', '-', '_', '.']).any(|it| it == part);
        let is_known = |part: &str| {
            own.contains(&part)
                || is_owners(part)
                || PLAIN.contains(&part)
                || OTHER_DEVICES.contains(&part)
        };
        self.name().split(['-', '_', '.']).all(|part| has_number(part) || is_known(part))
    }

    /// Whether this is the repository `name` of any registry or mirror.
    fn is(&self, name: &str) -> bool {
        self.repository
            .strip_suffix(name)
            .is_some_and(|before| before.is_empty() || before.ends_with('/'))
    }

    /// Whether the repository is called `name`: its path ends so, or has it as a part where that ends in
    /// `/`, or its last name contains it and nothing of a companion.
    pub(super) fn is_called(&self, name: &str) -> bool {
        if name.ends_with('/') {
            return self.repository.contains(&format!("/{name}"))
                || self.repository.starts_with(name);
        }
        if name.contains('/') {
            return self.is(name);
        }
        let last = self.repository.rsplit('/').next().unwrap_or("");
        let parts: Vec<&str> = last.split(['-', '_', '.']).collect();
        let is_part_of_it = |part: &&&str| name.split(['-', '_', '.']).any(|own| own == **part);
        let mut others = parts.iter().filter(|part| !is_part_of_it(part));
        contains(&parts, name) && !others.any(|part| COMPANIONS.contains(part))
    }

    /// Whether this is the repository `meant`, `owner/name`, but for a letter in one of the two, in a long
    /// name two.
    fn is_nearly(&self, meant: &'static str) -> Option<Misspelt> {
        let mut parts = self.repository.rsplit('/');
        let (name, owner) = (parts.next()?, parts.next()?);
        let (own_owner, own_name) = meant.split_once('/')?;
        let off = |written: &str, meant: &str| strsim::damerau_levenshtein(written, meant);
        let most = if own_name.len() < LONG_NAME { 1 } else { 2 };
        let is_certain = owner == own_owner && off(name, own_name) <= most;
        let is_likely = name == own_name && off(owner, own_owner) <= 1;
        (is_certain || is_likely).then_some(Misspelt { meant, is_certain })
    }

    /// Whether it is an image of the project that somebody has built anew, so that it sets the same
    /// variables.
    pub(super) fn is_rebuilt(&self) -> bool {
        self.repository.rsplit('/').nth(1).is_some_and(|owner| REBUILDERS.contains(&owner))
    }

    /// What it is called, without registry, owner and tag.
    pub(super) fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or("")
    }

    /// The tag, or nothing.
    pub(super) fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or("")
    }

    /// Whether it holds what one writes clients with, not the server: NVIDIA's `-sdk`.
    pub(super) fn is_sdk(&self) -> bool {
        self.tag().split(['-', '_']).any(|part| part == "sdk")
    }

    /// Whether the repository's path has `part` in it.
    pub(super) fn mentions(&self, part: &str) -> bool {
        self.repository.contains(part) || self.tag().contains(part)
    }

    /// Whether nothing in the name says that it is for other devices than those of NVIDIA.
    pub(super) fn is_for_nvidia(&self) -> bool {
        !OTHER_DEVICES.iter().any(|device| self.mentions(device))
    }

    /// The release that its labels name, else its tag: the first part of it that is a dotted version,
    /// without a leading `v`, or a build number (`b4719`).
    pub(super) fn version(&self) -> Option<String> {
        self.labelled.clone().or_else(|| release_in(self.tag()))
    }

    /// Major and minor number of [`Image::version`].
    pub(super) fn release(&self) -> Option<(u32, u32)> {
        let version = self.version()?;
        let mut numbers = version.split('.');
        let major = numbers.next()?.parse().ok()?;
        Some((major, numbers.next()?.parse().ok()?))
    }
}

fn release_in(tag: &str) -> Option<String> {
    tag.split(['-', '_']).find_map(release)
}

fn release(part: &str) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if part.strip_prefix('b').is_some_and(digits) {
        return Some(part.to_owned());
    }
    let version = part.strip_prefix('v').unwrap_or(part);
    let mut numbers = version.split('.');
    let dotted = numbers.next().is_some_and(digits) && numbers.next().is_some_and(digits);
    dotted.then(|| version.to_owned())
}

/// Whether the parts of `mark` stand side by side in `parts`.
fn contains(parts: &[&str], mark: &str) -> bool {
    let wanted: Vec<&str> = mark.split(['-', '_', '.']).collect();
    parts.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reference: &str, expected: Option<(Engine, Trust)>, version: Option<&str>) {
        let image = Image::parse(reference);
        let found = image.profile().map(|(profile, trust)| (profile.engine, trust));
        assert_eq!(found, expected, "{reference}");
        assert_eq!(image.version().as_deref(), version, "{reference}");
    }

    #[test]
    fn an_official_image_is_recognised_in_any_registry() {
        let official = |engine| Some((engine, Trust::Official));
        check("vllm/vllm-openai:v0.10.2", official(Engine::Vllm), Some("0.10.2"));
        check("docker.io/vllm/vllm-openai", official(Engine::Vllm), None);
        check("localhost:5000/mirror/vllm/vllm-openai:latest", official(Engine::Vllm), None);
        check("vllm/vllm-openai@sha256:00ff", official(Engine::Vllm), None);
        check("vllm/vllm-openai:v0.12.0-cu129@sha256:00", official(Engine::Vllm), Some("0.12.0"));
        check("ghcr.io/ggml-org/llama.cpp:server", official(Engine::LlamaCpp), None);
        let build = "ghcr.io/ggml-org/llama.cpp:server-cuda-b4719";
        check(build, official(Engine::LlamaCpp), Some("b4719"));
        check("ghcr.io/ggerganov/llama.cpp:full", official(Engine::LlamaCpp), None);
        let tei = "ghcr.io/huggingface/text-embeddings-inference:89-1.8";
        check(tei, official(Engine::Tei), Some("1.8"));
        let tgi = "ghcr.io/huggingface/text-generation-inference:3.3.4-rocm";
        check(tgi, official(Engine::Tgi), Some("3.3.4"));
        check("lmsysorg/sglang:v0.5.3.post1-cu124", official(Engine::Sglang), Some("0.5.3.post1"));
        check("ollama/ollama:0.9.2", official(Engine::Ollama), Some("0.9.2"));
        check("localai/localai:latest-aio-cpu", official(Engine::LocalAi), None);
        check("michaelf34/infinity:0.0.77", official(Engine::Infinity), Some("0.0.77"));
        check("openmmlab/lmdeploy:v0.9.2-cu12", official(Engine::Lmdeploy), Some("0.9.2"));
        let python = "ghcr.io/abetlen/llama-cpp-python:v0.3.16";
        check(python, official(Engine::LlamaCppPython), Some("0.3.16"));
    }

    #[test]
    fn a_name_with_a_slip_of_the_hand_is_that_of_the_image_that_is_meant() {
        let misspelt = |engine, meant, is_certain| {
            Some((engine, Trust::Misspelt(Misspelt { meant, is_certain })))
        };
        let vllm = "vllm/vllm-openai";
        check("vllm/vlm-openai:v0.12.0", misspelt(Engine::Vllm, vllm, true), Some("0.12.0"));
        check("vllm/vllm-opneai", misspelt(Engine::Vllm, vllm, true), None);
        check("vlm/vllm-openai", misspelt(Engine::Vllm, vllm, false), None);
        let llama = "ggml-org/llama.cpp";
        check("ghcr.io/ggml-org/lama.cpp:server", misspelt(Engine::LlamaCpp, llama, true), None);
        check("ghcr.io/ggml-org/llama-cpp:server", misspelt(Engine::LlamaCpp, llama, true), None);
        let tei = "huggingface/text-embeddings-inference";
        let written = "ghcr.io/huggingface/text-embedding-inference:1.8";
        check(written, misspelt(Engine::Tei, tei, true), Some("1.8"));
        check("ghcr.io/ggml-org/whisper.cpp", None, None);
        check("vllm/vllm-tpu", Some((Engine::Vllm, Trust::Named)), None);
        check("lama.cpp", None, None);
    }

    #[test]
    fn a_rolling_tag_is_of_the_release_that_the_labels_of_its_project_name() {
        let version = |reference: &str, source: &str, version: &str| {
            let labels = [(SOURCE_LABEL, source), (VERSION_LABEL, version)];
            let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            Image::parse(reference).labelled(&labels).version()
        };
        let (vllm, own) = ("vllm/vllm-openai:latest", "https://github.com/vllm-project/vllm");
        let labelled = version(vllm, own, "vllm/vllm-openai:v0.33.0-cu130");
        assert_eq!(labelled.as_deref(), Some("0.33.0"));
        assert_eq!(version(vllm, own, "local/vllm-openai:dev"), None);
        assert_eq!(version(vllm, "https://github.com/acme/base", "22.04"), None);
        let llama = "ghcr.io/ggml-org/llama.cpp:server";
        let source = "https://github.com/ggml-org/llama.cpp.git";
        assert_eq!(version(llama, source, "b7001").as_deref(), Some("b7001"));
        assert_eq!(version(llama, own, "v0.33.0"), None);
        let labels = [(VERSION_LABEL.to_owned(), "22.04".to_owned())].into();
        assert_eq!(Image::parse(vllm).labelled(&labels).version(), None);
    }

    #[test]
    fn a_variable_of_the_image_says_what_its_labels_do_not() {
        let version = |said: &str| {
            Image::parse("vllm/vllm-openai:latest").or_by_variable(Some(said)).version()
        };
        assert_eq!(version("vllm/vllm-openai:v0.33.0-cu130").as_deref(), Some("0.33.0"));
        assert_eq!(version("local/vllm-openai:v0.33.0"), None);
        let labelled = Image { labelled: Some("0.32.0".to_owned()), ..Image::parse("x") };
        let labelled = labelled.or_by_variable(Some("vllm/vllm-openai:v0.33.0"));
        assert_eq!(labelled.version().as_deref(), Some("0.32.0"));
    }

    #[test]
    fn a_name_may_say_more_than_that_there_is_an_engine_in_it() {
        let is_plain = |reference: &str| {
            let image = Image::parse(reference);
            image.profile().is_some_and(|(profile, _)| image.is_plainly(profile))
        };
        for reference in [
            "registry.corp/team/vllm:0.9",
            "my-vllm-openai",
            "rhaiis/vllm-cuda-rhel9",
            "acme/vllm-gemma4",
            "acme/llama-cpp-rocm",
            "public.ecr.aws/x/vllm-cpu-release-repo",
            "acme/vllm-prefill",
            "acme/acme-vllm-prod",
            "acme/vllm-qwen-awq",
        ] {
            assert!(is_plain(reference), "{reference}");
        }
        for reference in [
            "quay.io/rh-aiservices-bu/gradio-rag-milvus-vllm-openai",
            "acme/nginx-vllm",
            "acme/chatbot-vllm",
            "acme/dify-vllm-plugin",
            "acme/vllm-lora-syncer",
            "opea/llm-tgi",
        ] {
            assert!(!is_plain(reference), "{reference}");
        }
    }

    #[test]
    fn an_own_image_is_recognised_by_its_name() {
        let named = |engine| Some((engine, Trust::Named));
        check("acme/my-vllm:7", named(Engine::Vllm), None);
        check("registry.acme.io/ai/vllm", named(Engine::Vllm), None);
        check("acme/llama.cpp-rocm:server", named(Engine::LlamaCpp), None);
        check("acme/llama-server", named(Engine::LlamaCpp), None);
        check("acme/local-ai", named(Engine::LocalAi), None);
        check("acme/infinity_emb", named(Engine::Infinity), None);
        check("infiniflow/infinity:nightly", None, None);
        check("nginx:1.27", None, Some("1.27"));
        check("acme/notvllmatall", None, None);
        check("ghcr.io/open-webui/open-webui:ollama", None, None);
        check("acme/vllm-exporter", None, None);
        check("acme/vllm-simulator", None, None);
        check("acme/dynamo-mocker-vllm", None, None);
        check("acme/llama-cpp-python", None, None);
        check("", None, None);
    }
}
