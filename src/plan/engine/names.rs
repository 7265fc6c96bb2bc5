//! What a name is by its form: a path, a repository of the hub, or a URL.

use std::path::Path;

use crate::file_name::weights::names_gguf;
use crate::path::{ServicePath, clean};
use crate::plan::engine::Named;
use crate::project::Service;
use crate::source::is_repository;

/// The absolute path that `text` means in `working_dir`; absent: it is relative, and the directory
/// is not known.
pub(super) fn absolute(text: &str, working_dir: Option<&ServicePath>) -> Option<ServicePath> {
    let path = Path::new(text);
    if text.starts_with('/') {
        return Some(ServicePath::new(clean(path)));
    }
    working_dir.map(|directory| ServicePath::new(clean(directory.join(path).as_path())))
}

/// What an engine makes of a name that may be a folder or a repository; absent: a relative path,
/// and the working directory is not known.
///
/// The engines ask the disk (`os.path.isdir`). Without one, a relative path that could be a
/// repository is one, unless a mount reaches it or it is known to be there.
pub(super) fn path_or_repository(
    text: &str,
    revision: Option<&str>,
    working_dir: Option<&ServicePath>,
    service: &Service,
) -> Option<Named> {
    if text.contains("://") {
        return Some(Named::Url(text.to_owned()));
    }
    let (id, file) = match text.split_once(':') {
        Some((id, file)) if !file.is_empty() && !file.contains(['/', ':']) => (id, Some(file)),
        _ => (text, None),
    };
    let path = absolute(text, working_dir);
    let is_there = path.as_ref().is_some_and(|path| {
        let mut mounts = service.mounts.iter();
        service.present.contains(path)
            || mounts.any(|it| path.below(&it.target).is_some() || it.target.below(path).is_some())
    });
    if !is_repository(id) || names_gguf(text) || is_there {
        return path.map(Named::Path);
    }
    Some(Named::Repository {
        id: id.to_owned(),
        revision: revision.map(str::to_owned),
        file: file.map(str::to_owned),
    })
}

/// The repository, `owner/name` with what is behind a `:`, whose page on a hub has this address; absent: it
/// is no address of the web, or that of a file in GGUF, which vLLM may well load.
pub(super) fn repository_at(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    if !matches!(scheme, "http" | "https") || names_gguf(address) {
        return None;
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.split('/').skip(1).filter(|part| !part.is_empty());
    let name = format!("{}/{}", parts.next()?, parts.next()?);
    is_repository(name.split(':').next().unwrap_or_default()).then_some(name)
}

/// The name under which vLLM and SGLang serve a model: the words that it was named with.
pub(super) fn as_named(named: &Named) -> Vec<String> {
    match named {
        Named::Path(path) => vec![path.to_string()],
        Named::Repository { id, .. } => vec![id.clone()],
        Named::Url(_) => Vec::new(),
    }
}

/// Whether a value that is either a path or a text is a path: it is one line, has no template
/// syntax in it, and looks like a file.
pub(super) fn is_path_like(text: &str) -> bool {
    let templated = text.contains(['\n', '{', '}']);
    let file = [".jinja", ".jinja2", ".j2", ".json", ".txt", ".tmpl"];
    !templated && (text.contains('/') || file.iter().any(|end| text.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{Mount, MountSource};
    use crate::source_map::{Place, Spanned};

    fn check(text: &str, expected: Option<&str>) {
        let mount = Mount {
            source: MountSource::Anonymous,
            target: ServicePath::new("/work/local"),
            read_only: true,
            place: Place::nowhere(),
        };
        let directory = ServicePath::new("/work");
        let service = Service {
            mounts: vec![mount],
            present: vec![ServicePath::new("/work/here/model")],
            ..Service::named(Spanned::nowhere("engine".to_owned()))
        };
        let named = path_or_repository(text, None, Some(&directory), &service);
        let shown = named.map(|named| match &named {
            Named::Path(path) => format!("path {path}"),
            Named::Repository { .. } => format!("repository {named}"),
            Named::Url(url) => format!("url {url}"),
        });
        assert_eq!(shown.as_deref(), expected, "{text}");
    }

    #[test]
    fn the_address_of_a_repository_has_its_name_in_it() {
        for (address, expected) in [
            ("https://hub.example/acme/tiny", Some("acme/tiny")),
            ("https://hub.example/acme/tiny/tree/main", Some("acme/tiny")),
            ("http://hub.example:8080/acme/tiny/?library=x", Some("acme/tiny")),
            ("https://hub.example/acme/tiny-GGUF:Q4_K_M", Some("acme/tiny-GGUF:Q4_K_M")),
            ("https://hub.example/acme", None),
            ("https://hub.example/acme/tiny/resolve/main/tiny.gguf", None),
            ("s3://bucket/acme/tiny", None),
            ("acme/tiny", None),
        ] {
            assert_eq!(repository_at(address).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn a_name_is_judged_by_its_form_and_by_the_mounts() {
        check("/models/x", Some("path /models/x"));
        check("/models//x/../y/", Some("path /models/y"));
        check("./x", Some("path /work/x"));
        check("../x", Some("path /x"));
        check("a/b/c", Some("path /work/a/b/c"));
        check("Qwen/Qwen2.5-7B", Some("repository Qwen/Qwen2.5-7B"));
        check("gpt2", Some("repository gpt2"));
        check("unsloth/Q-GGUF:Q4_K_M", Some("repository unsloth/Q-GGUF:Q4_K_M"));
        check("local/model", Some("path /work/local/model"));
        check("local", Some("path /work/local"));
        check("here/model", Some("path /work/here/model"));
        check("here/other", Some("repository here/other"));
        check("owner/model.gguf", Some("path /work/owner/model.gguf"));
        check("s3://bucket/x", Some("url s3://bucket/x"));
        check("-x/y", Some("path /work/-x/y"));
        check("a--b/c", Some("path /work/a--b/c"));
        check("models/x/", Some("path /work/models/x"));
    }

    #[test]
    fn a_relative_path_needs_a_directory() {
        let service = Service::named(Spanned::nowhere("engine".to_owned()));
        assert_eq!(path_or_repository("./x", None, None, &service), None);
        assert_eq!(absolute("/x", None), Some(ServicePath::new("/x")));
    }

    #[test]
    fn a_template_is_a_path_or_the_text_itself() {
        for (text, path) in [
            ("/t/chat.jinja", true),
            ("chat.jinja", true),
            ("examples/x", true),
            ("{{ messages }}", false),
            ("{% for m in x %}/{% endfor %}", false),
            ("chatml", false),
        ] {
            assert_eq!(is_path_like(text), path, "{text}");
        }
    }
}
