//! Programs that serve models and whose command lines are not read: what is known of them.

use crate::path::ServicePath;
use crate::plan::engine::image::Image;
use crate::plan::engine::{Earlier, Engine, earlier};
use crate::project::{Service, Stage};

/// One program a line; the file itself says how a line is read.
const TABLE: &str = include_str!("lookalikes.txt");

/// Programs in the images of NVIDIA NIM that serve nothing (its documentation, utilities of NIM for LLMs).
const OF_NIM: [&str; 3] = ["create-model-store", "download-to-cache", "list-model-profiles"];

/// A program of which nothing but this is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lookalike {
    name: &'static str,
    images: &'static str,
    programs: &'static str,
    cache: Option<&'static str>,
    key: Option<&'static str>,
}

/// Why a service is not judged that looks like one that serves models, with what is known of it;
/// absent: it does not look like one.
#[must_use]
pub fn lookalike(service: &Service) -> Option<String> {
    let image = service.image.as_ref().map(|image| image.value.as_str());
    let image = service.base.as_deref().or(image).map(Image::parse);
    let program = service.words().next().and_then(|word| word.value.rsplit('/').next());
    let modules = modules(service);
    let is_meant = |known: &Lookalike| {
        let is_program = |it: &&str| listed(known.programs).any(|program| program == *it);
        if modules.iter().any(|module| is_program(&module.as_str())) {
            return true;
        }
        let is_image = |image: &Image| listed(known.images).any(|name| image.is_called(name));
        program.as_ref().is_some_and(is_program) || image.as_ref().is_some_and(is_image)
    };
    let serves = |known: &Lookalike| image.as_ref().is_none_or(|it| known.serves(it, service));
    Some(table().find(is_meant).filter(serves)?.told(service))
}

/// The modules that Python runs, in the words or in a script of theirs.
fn modules(service: &Service) -> Vec<String> {
    let words = service.words().flat_map(|word| word.value.split_whitespace());
    let words: Vec<&str> = words.collect();
    let named = words.windows(3).filter_map(|window| match window {
        [python, "-m", module] => {
            let program = python.rsplit('/').next().unwrap_or("");
            program.starts_with("python").then(|| (*module).to_owned())
        }
        _ => None,
    });
    named.collect()
}

/// Whether the image of a service, or the one that its own is made from, is called `name`: the end of a
/// repository's path (`owner/name`), a part of it (`owner/`), or what its last part contains.
#[must_use]
pub fn is_called(service: &Service, name: &str) -> bool {
    let image = service.image.as_ref().map(|image| image.value.as_str());
    let image = service.base.as_deref().or(image).map(Image::parse);
    image.is_some_and(|image| image.is_called(name))
}

fn table() -> impl Iterator<Item = Lookalike> {
    TABLE.lines().filter_map(line)
}

fn line(line: &'static str) -> Option<Lookalike> {
    let mut columns = line.split('|').map(str::trim);
    let name = columns.next().filter(|name| !name.starts_with('#') && !name.is_empty())?;
    let known = |column: &'static str| Some(column).filter(|column| *column != "-");
    Some(Lookalike {
        name,
        images: columns.next()?,
        programs: columns.next()?,
        cache: known(columns.next()?),
        key: known(columns.next()?),
    })
}

fn listed(column: &'static str) -> impl Iterator<Item = &'static str> {
    column.split(',').map(str::trim).filter(|item| *item != "-")
}

impl Lookalike {
    /// Whether it serves, where the name of `image` says that it is in there: not if other parts of the
    /// name, or the words of `service`, say that it does something else.
    fn serves(&self, image: &Image, service: &Service) -> bool {
        let ran = earlier::all_programs(service);
        let is_run = |program: &str| ran.iter().any(|it| it.program == program);
        let called = listed(self.images).find(|name| image.is_called(name));
        let Some(called) = called.filter(|_| !listed(self.programs).any(is_run)) else {
            return true;
        };
        let engines = || Engine::ALL.iter().flat_map(|engine| engine.profile().start.marks);
        let is_alone = || image.has_only(engines().copied().chain([called]));
        let is_init = service.pod.as_ref().is_some_and(|pod| pod.stage == Stage::Init);
        (called.contains('/') || service.has_device || is_alone())
            && !(is_init || image.is_sdk())
            && !runs_another(service, &ran)
    }

    fn told(&self, service: &Service) -> String {
        let mut told = format!("{} is not read", self.name);
        if let Some(cache) = self.cache {
            let (variable, default) = match cache.split_once('=') {
                Some((variable, folder)) => (service.variable(variable), folder),
                None => (None, cache),
            };
            let folder = ServicePath::new(variable.unwrap_or(default));
            let reached = service.mounts.iter().any(|mount| folder.below(&mount.target).is_some());
            let mounted = if reached { "which is mounted" } else { "which no mount reaches" };
            told.push_str(&format!("; it keeps its models in `{folder}`, {mounted}"));
        }
        if let Some(key) = self.key {
            let is_set = service.variable(key).is_some_and(|value| !value.is_empty());
            let set = if is_set { "set" } else { "not set in its environment" };
            told.push_str(&format!("; the key that it downloads with, `{key}`, is {set}"));
        }
        told
    }
}

/// Whether the words of `service` run something, and that serves nothing.
fn runs_another(service: &Service, ran: &[Earlier]) -> bool {
    let first = service.words().next().map(|word| word.value.as_str());
    let is_other = |ran: &Earlier| OF_NIM.contains(&ran.program.as_str()) || ran.serves_nothing();
    let is_program = first.is_some_and(|first| !first.starts_with('-'));
    is_program && !ran.is_empty() && ran.iter().all(is_other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{Mount, MountSource};
    use crate::source_map::{Place, Spanned};

    fn service(image: &str, command: &str) -> Service {
        let words = command.split_whitespace().map(|word| Spanned::nowhere(word.to_owned()));
        let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
        service.image = Some(Spanned::nowhere(image.to_owned())).filter(|_| !image.is_empty());
        service.command = Some(words.collect::<Vec<_>>()).filter(|words| !words.is_empty());
        service
    }

    fn check(image: &str, command: &str, name: Option<&str>) {
        let told = lookalike(&service(image, command));
        let told = told.as_deref().and_then(|told| told.split_once(" is not read"));
        assert_eq!(told.map(|(name, _)| name), name, "{image} {command}");
    }

    #[test]
    fn every_line_has_all_of_its_columns() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.clone().count(), table().count());
        lines.for_each(|line| assert_eq!(line.matches('|').count(), 4, "{line}"));
    }

    #[test]
    fn a_service_is_known_by_its_image_or_by_its_program() {
        check("nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8", "", Some("NVIDIA NIM"));
        check("mirror.acme.io/nvcr.io/nim/nvidia/x", "", Some("NVIDIA NIM"));
        check("openvino/model_server:2025.1-gpu", "--port 9", Some("OpenVINO Model Server"));
        check("xprobe/xinference:v1.9", "xinference-local -H 0.0.0.0", Some("Xinference"));
        check("acme/base", "/opt/bin/trtllm-serve /m", Some("TensorRT-LLM"));
        check("nvcr.io/nvidia/tensorrt-llm/release:1.0", "", Some("TensorRT-LLM"));
        check(
            "nvcr.io/nvidia/tritonserver:25.01-py3",
            "tritonserver",
            Some("Triton Inference Server"),
        );
        check("quay.io/ramalama/cuda", "llama-x", Some("RamaLama"));
        check("acme/mineru-vllm", "", Some("MinerU"));
        check(
            "kserve/huggingfaceserver:v0.15.0-gpu",
            "--model_id=a/b",
            Some("KServe's Hugging Face server"),
        );
        check("acme/x", "python3 -m dynamo.vllm --model a/b", Some("Dynamo"));
        check("acme/x", "sh -c /bin/python3 -m dynamo.sglang", Some("Dynamo"));
        check("acme/x", "python3 -m dynamo.frontend", None);
        check(
            "acme/x",
            "python3 -m vllm.entrypoints.grpc_server --model a/b",
            Some("vLLM's gRPC server"),
        );
        check("acme/koboldcpp-exporter", "", None);
        check("acme/tabbycat", "", None);
        check("postgres:17", "postgres", None);
        check("", "", None);
    }

    #[test]
    fn what_runs_something_else_in_such_an_image_serves_nothing() {
        const NIM: &str = "nvcr.io/nim/meta/llama3-8b-instruct:1.0";
        const TRITON: &str = "nvcr.io/nvidia/tritonserver:24.04-py3";
        check(NIM, "download-to-cache --profile x", None);
        check(NIM, "/opt/nim/start-server.sh", Some("NVIDIA NIM"));
        check("nvcr.io/nvidia/tritonserver:24.04-py3-sdk", "sleep infinity", None);
        check(TRITON, "sleep infinity", None);
        check(TRITON, "/scripts/fetch_model.sh", None);
        check(TRITON, "/scripts/start.sh", Some("Triton Inference Server"));
        let script = |text: &str| {
            let mut triton = service(TRITON, "");
            let words = ["bash", "-c", text].map(|word| Spanned::nowhere(word.to_owned()));
            triton.command = Some(words.into());
            lookalike(&triton).is_some()
        };
        assert!(script("mkdir -p /m && tritonserver --model-repository /m"));
        assert!(script("mkdir -p /m && python3 serve.py"));
        assert!(script("cat >/x <<E\na: b\nE\ntritonserver --model-repository /m"));
        assert!(script("cat /x; bash <<E\ntritonserver\nE"));
        assert!(!script("mkdir -p /m && aws s3 sync s3://b /m; sleep infinity"));
    }

    #[test]
    fn a_name_that_says_more_is_believed_where_a_device_is_given() {
        check("acme/tabby-terminal", "", None);
        check("acme/my-ray-model-server", "", None);
        check(
            "acme/kserve-tritonserver",
            "tritonserver --model-store=/m",
            Some("Triton Inference Server"),
        );
        check("acme/tabby-rocm:1", "", Some("Tabby"));
        let mut tabby = service("acme/tabby-terminal", "");
        tabby.has_device = true;
        assert!(lookalike(&tabby).is_some());
    }

    #[test]
    fn what_is_known_is_compared_with_what_the_service_has() {
        let mut nim = service("nvcr.io/nim/meta/llama:1", "");
        assert_eq!(
            lookalike(&nim).unwrap(),
            "NVIDIA NIM is not read; it keeps its models in `/opt/nim/.cache`, which no mount reaches; \
             the key that it downloads with, `NGC_API_KEY`, is not set in its environment"
        );
        let target = ServicePath::new("/opt/nim");
        let (source, place) = (MountSource::Tmpfs, Place::nowhere());
        nim.mounts = vec![Mount { source, target, read_only: false, place }];
        let key = Spanned::nowhere(Some("planted-secret".to_owned()));
        nim.environment.insert("NGC_API_KEY".to_owned(), key);
        assert_eq!(
            lookalike(&nim).unwrap(),
            "NVIDIA NIM is not read; it keeps its models in `/opt/nim/.cache`, which is mounted; the \
             key that it downloads with, `NGC_API_KEY`, is set"
        );
        let elsewhere = Spanned::nowhere(Some("/cache".to_owned()));
        nim.environment.insert("NIM_CACHE_PATH".to_owned(), elsewhere);
        assert!(lookalike(&nim).unwrap().contains("`/cache`, which no mount reaches"));
    }
}
