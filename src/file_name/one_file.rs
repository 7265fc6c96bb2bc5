//! Whether a path is that of a file, not of a folder, told by its last name.

use std::path::Path;

/// Extensions of scripts, templates, configuration, texts, certificates, units and weights: they say how
/// the content of one file is read. Those that folders have as well (`.d`, `.app`, `.git`, `.db`,
/// `.cache`) are not among them, nor what another process makes when it runs (`.sock`, `.log`,
/// `.pid`), nor numbers (`Qwen2.5`).
const EXTENSIONS: [&str; 43] = [
    "bash",
    "bat",
    "cer",
    "cfg",
    "cnf",
    "conf",
    "crt",
    "csv",
    "fish",
    "gbnf",
    "ggml",
    "gguf",
    "htm",
    "html",
    "ini",
    "j2",
    "jinja",
    "jinja2",
    "json",
    "jsonl",
    "key",
    "lua",
    "mjs",
    "onnx",
    "pem",
    "pl",
    "properties",
    "ps1",
    "pt",
    "pth",
    "py",
    "rb",
    "safetensors",
    "sh",
    "sql",
    "tmpl",
    "toml",
    "txt",
    "xml",
    "yaml",
    "yml",
    "zip",
    "zsh",
];

/// Names of files that have no extension.
const NAMES: [&str; 7] =
    [".env", "Caddyfile", "Containerfile", "Dockerfile", "Makefile", "Modelfile", "Procfile"];

/// Whether nothing but a file is called so: `models.sh`, `Caddyfile`, `.env.prod`; not `conf.d`.
pub(crate) fn is_named_as_file(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_known =
        |known: &str| extension.is_some_and(|extension| extension.eq_ignore_ascii_case(known));
    NAMES.contains(&name) || name.starts_with(".env.") || EXTENSIONS.into_iter().any(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_from_a_folder_by_its_name() {
        for name in ["/check/models.sh", "a.GGUF", "Caddyfile", ".env", ".env.prod", "x.tar.yml"] {
            assert!(is_named_as_file(Path::new(name)), "{name}");
        }
        let folders =
            ["conf.d", "/models", "Qwen2.5", "x.git", ".cache", "data.db", "/", ".sh", "sh"];
        for name in folders {
            assert!(!is_named_as_file(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn every_name_and_extension_is_listed_once_and_in_order() {
        assert!(EXTENSIONS.is_sorted_by(|one, other| one < other));
        assert!(NAMES.is_sorted_by(|one, other| one < other));
    }
}
