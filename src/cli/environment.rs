//! The environment of this process, read once.

#![expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Value;

use crate::limits::LONGEST_TOKEN_FILE;
use crate::options::{Base, DEFAULT_ENDPOINT, NetworkOptions, OptionsError, Start, Token};
use crate::path::expansion::{Known, expanded};
use crate::project::unquoted;
use crate::regular_file;

/// Where Docker puts the secret that the shipped fragments declare.
const SECRET: &str = "/run/secrets/hf_token";

/// Where KServe mounts certificates (kserve 0.20 pkg/constants/constants.go).
const MOUNTED: &str = "/etc/ssl/custom-certs";

/// What names a proxy, in either case (reqwest 0.12 src/proxy.rs).
const PROXIES: [&str; 3] = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"];

/// What this process was started with.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    /// Every variable that is valid Unicode.
    pub variables: IndexMap<String, String>,
    /// Absolute.
    pub working_directory: PathBuf,
}

/// The filter of the log, if `PREFLIGHT_LOG` names one.
pub(super) fn log_filter() -> Option<String> {
    value("PREFLIGHT_LOG")
}

/// The value of a variable of this process, if it is set and not empty.
pub(super) fn value(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a variable is set to nothing.
pub(super) fn is_empty(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| value.is_empty())
}

impl Environment {
    pub(super) fn of_this_process() -> Result<Self, OptionsError> {
        let unicode = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let mut variables: Vec<_> = std::env::vars_os().filter_map(unicode).collect();
        variables.sort();
        Ok(Self {
            variables: variables.into_iter().collect(),
            working_directory: std::env::current_dir().map_err(OptionsError::WorkingDirectory)?,
        })
    }

    /// How what these words name is started in the place of this process.
    pub(super) fn start(&self, words: Vec<OsString>) -> Start {
        let environment = self.variables.clone();
        Start { words, environment, working_directory: self.working_directory.clone() }
    }

    /// The value of a variable, if it is set and not empty.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The truth values of the Hub's own clients: `1`, `ON`, `YES`, `TRUE`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        let value = self.value(name).unwrap_or_default().to_ascii_uppercase();
        matches!(value.as_str(), "1" | "ON" | "YES" | "TRUE")
    }

    /// Patterns as KServe writes them: a list of JSON, or texts between commas (kserve 0.20
    /// kserve_storage.py, `_parse_patterns_from_env`).
    pub(super) fn patterns(&self, name: &str) -> Vec<String> {
        let value = self.value(name).unwrap_or_default();
        let texts: Vec<String> = match serde_json::from_str(&value) {
            Ok(Value::Array(items)) => items.iter().map(written).collect(),
            Ok(other) => vec![written(&other)],
            Err(_no_json) => value.split(',').map(str::to_owned).collect(),
        };
        let texts = texts.iter().map(|text| text.trim().to_owned());
        texts.filter(|text| !text.is_empty()).collect()
    }

    /// What the process's own environment says about lanes and models.
    pub(super) fn about_lanes(&self) -> IndexMap<String, String> {
        let wanted = |name: &str| {
            name.starts_with("ARGOS_") || name.starts_with("CORTEX_LANE_") || name == "MODELS_PATH"
        };
        self.variables
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Where relative names start, for programs that read a report. GitHub reads them from the root
    /// of the checkout, wherever a step works in it.
    pub(super) fn base(&self) -> Base {
        let here = self.working_directory.clone();
        let root = self.value("GITHUB_WORKSPACE").map(PathBuf::from);
        Base { root: root.filter(|root| here.starts_with(root)).unwrap_or(here.clone()), here }
    }

    /// What an init container knows of the environment that Compose was called with.
    pub(super) fn of_the_project_alone(&self) -> IndexMap<String, String> {
        let known = ["COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"];
        known.into_iter().filter_map(|name| Some((name.to_owned(), self.value(name)?))).collect()
    }

    /// The folder of the Docker CLI.
    pub(super) fn docker_configuration(&self) -> Option<PathBuf> {
        let own = || self.value("HOME").map(|home| Path::new(&home).join(".docker"));
        self.value("DOCKER_CONFIG").map(PathBuf::from).or_else(own)
    }

    /// Where the certificates for the Docker Engine are, if it is asked with TLS: the variables of
    /// the Docker CLI. TLS that trusts anybody (`DOCKER_TLS` alone) is not done; it is verified.
    pub(super) fn docker_certificates(&self) -> Option<PathBuf> {
        if !self.is_set("DOCKER_TLS_VERIFY") && !self.is_set("DOCKER_TLS") {
            return None;
        }
        let folder = self.value("DOCKER_CERT_PATH").or_else(|| self.value("DOCKER_CONFIG"));
        let home = || Path::new(&self.value("HOME").unwrap_or_default()).join(".docker");
        Some(folder.map_or_else(home, PathBuf::from))
    }

    /// `HF_ENDPOINT`, without a trailing slash.
    pub(super) fn endpoint(&self) -> Result<String, OptionsError> {
        let endpoint = self.value("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        let lower = endpoint.to_ascii_lowercase();
        if lower.starts_with("https://") || lower.starts_with("http://") {
            return Ok(endpoint);
        }
        let value =
            endpoint.rsplit_once('@').map_or(endpoint.as_str(), |(_, host)| host).to_owned();
        Err(OptionsError::Endpoint { value })
    }

    /// How this machine reaches others. As in Python, the lower case of `no_proxy` comes first.
    pub(super) fn network(&self) -> NetworkOptions {
        NetworkOptions {
            certificates: self.value("SSL_CERT_FILE").map(PathBuf::from),
            more_certificates: None,
            no_proxy: self.value("no_proxy").or_else(|| self.value("NO_PROXY")),
            proxies: PROXIES
                .into_iter()
                .flat_map(|name| [name.to_owned(), name.to_ascii_lowercase()])
                .filter_map(|name| self.value(&name).map(|value| (name, value)))
                .collect(),
        }
    }

    /// The same in the place of KServe's storage initializer, which has two variables more for certificates
    /// (kserve 0.20 kserve_storage.py, `_configure_global_ca_bundle`).
    pub(super) fn network_of_kserve(&self) -> NetworkOptions {
        let network = self.network();
        let named =
            network.certificates.or_else(|| self.value("REQUESTS_CA_BUNDLE").map(Into::into));
        let folder =
            self.value("CA_BUNDLE_VOLUME_MOUNT_POINT").unwrap_or_else(|| MOUNTED.to_owned());
        let bundle = Path::new(&folder).join("cabundle.crt");
        let is_mounted = self.is_set("CA_BUNDLE_CONFIGMAP_NAME") && bundle.is_file();
        NetworkOptions {
            more_certificates: (is_mounted && named.is_none()).then_some(bundle),
            certificates: named,
            ..network
        }
    }

    /// The token and where it comes from: the first place that has one: `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the file
    /// `HF_TOKEN_PATH`, the Docker secret, the file that `hf auth login` writes. A blank one is none, as
    /// to the hub's own library (huggingface_hub 2.4.0 utils/_auth.py), which as well asks for the
    /// second variable only where the first has no text at all, and sends no token at all where
    /// `HF_HUB_DISABLE_IMPLICIT_TOKEN` says so.
    pub(super) fn token(&self) -> Result<Option<(Token, String)>, OptionsError> {
        if self.is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return Ok(None);
        }
        let variable =
            ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].into_iter().find(|it| self.is_set(it));
        if let Some(name) = variable
            && let Some(token) = valid(&self.value(name).unwrap_or_default(), name)?
        {
            return Ok(Some((token, format!("`{name}`"))));
        }
        let named = self.value("HF_TOKEN_PATH").map(|path| self.expanded(&path).unwrap_or(path));
        if let Some(path) = &named
            && let Some(token) = named_token(path)?
        {
            return Ok(Some((token, format!("`{path}`"))));
        }
        let login = if named.is_none() { self.login() } else { None };
        for path in [Some(PathBuf::from(SECRET)), login].into_iter().flatten() {
            if let Ok(text) = regular_file::text(&path, LONGEST_TOKEN_FILE)
                && let Some(token) = valid(&text, &path.display().to_string())?
            {
                return Ok(Some((token, format!("`{}`", path.display()))));
            }
        }
        Ok(None)
    }

    /// The file that `hf auth login` writes: `token` in `HF_HOME`, else below `XDG_CACHE_HOME`, else
    /// below the home (constants.py). Absent as well where such a variable is set to nothing: a file of
    /// that name in the working directory is not the user's.
    fn login(&self) -> Option<PathBuf> {
        let candidates = [
            ("HF_HOME", "token"),
            ("XDG_CACHE_HOME", "huggingface/token"),
            ("HOME", ".cache/huggingface/token"),
        ];
        let is_set = |(name, _): &&(&str, &str)| self.variables.contains_key(*name);
        let (name, below) = candidates.iter().find(is_set)?;
        let folder = self.expanded(&self.value(name)?).filter(|folder| !folder.is_empty())?;
        Some(Path::new(&folder).join(below))
    }

    /// A path with `~` and variables replaced; absent where that cannot be told.
    fn expanded(&self, path: &str) -> Option<String> {
        let value = |name: &str| {
            let value = self.variables.get(name);
            value.map_or(Known::Unset, |value| Known::Value(value.clone()))
        };
        expanded(path, value).ok()
    }
}

fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The token in the file that `HF_TOKEN_PATH` names, if that is there and not blank.
fn named_token(path: &str) -> Result<Option<Token>, OptionsError> {
    match regular_file::text(Path::new(path), LONGEST_TOKEN_FILE) {
        Ok(text) => valid(&text, path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(OptionsError::Token { origin: format!("`{path}`"), reason: error.to_string() })
        }
    }
}

fn valid(text: &str, origin: &str) -> Result<Option<Token>, OptionsError> {
    let token = text.trim();
    // No token has quotes; those of a list in a Compose file are taken for a part of it.
    let token = unquoted(token).unwrap_or(token);
    if token.is_empty() {
        return Ok(None);
    }
    if token.chars().any(|character| !character.is_ascii_graphic()) {
        return Err(OptionsError::Token {
            origin: format!("`{origin}`"),
            reason: "it has spaces, line breaks or characters that no token has".to_owned(),
        });
    }
    Ok(Some(Token::new(token.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment {
            variables: variables.iter().map(owned).collect(),
            working_directory: PathBuf::from("/"),
        }
    }

    #[test]
    fn a_token_with_a_line_break_inside_is_refused_without_showing_it() {
        let error = environment(&[("HF_TOKEN", "hf_a\nb")]).token().unwrap_err();
        assert!(!error.to_string().contains("hf_a"), "{error}");
    }

    #[test]
    fn quotes_around_a_token_do_no_harm() {
        let token = environment(&[("HF_TOKEN", "\"hf_abc\"")]).token().unwrap();
        assert_eq!(token.map(|(token, _)| token), Some(Token::new("hf_abc".to_owned())));
    }

    #[test]
    fn white_space_around_a_token_does_no_harm() {
        let token = environment(&[("HF_TOKEN", "hf_abc\n")]).token();
        let expected = (Token::new("hf_abc".to_owned()), "`HF_TOKEN`".to_owned());
        assert_eq!(token.unwrap(), Some(expected));
    }

    #[test]
    fn the_token_is_in_the_first_place_that_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let below = |path: &str| folder.path().join(path).display().to_string();
        for (path, text) in [
            (".cache/huggingface/token", "hf_home"),
            ("h/token", "hf_h"),
            ("x/huggingface/token", "hf_x"),
            ("named", "hf_named\n"),
            ("blank", " \n"),
        ] {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let (h, x, gone) = (below("h"), below("x"), below("gone"));
        for (variables, expected) in [
            (&[][..], Some("hf_home")),
            (&[("HF_TOKEN", "hf_a"), ("HUGGING_FACE_HUB_TOKEN", "hf_b")], Some("hf_a")),
            (&[("HUGGING_FACE_HUB_TOKEN", "hf_b")], Some("hf_b")),
            (&[("HF_TOKEN", ""), ("HUGGING_FACE_HUB_TOKEN", "hf_b")], Some("hf_b")),
            (&[("HF_TOKEN", " \n")], Some("hf_home")),
            (&[("HF_TOKEN", " "), ("HUGGING_FACE_HUB_TOKEN", "hf_b")], Some("hf_home")),
            (&[("HF_TOKEN", "hf_a"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], None),
            (&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "true")], None),
            (&[("HF_TOKEN_PATH", "~/named")], Some("hf_named")),
            (&[("HF_TOKEN_PATH", "$HOME/named")], Some("hf_named")),
            (&[("HF_TOKEN_PATH", gone.as_str())], None),
            (&[("HF_TOKEN_PATH", "~/blank")], None),
            (&[("HF_HOME", h.as_str())], Some("hf_h")),
            (&[("HF_HOME", "~/h"), ("XDG_CACHE_HOME", x.as_str())], Some("hf_h")),
            (&[("HF_HOME", "$HOME/h")], Some("hf_h")),
            (&[("XDG_CACHE_HOME", x.as_str())], Some("hf_x")),
            (&[("XDG_CACHE_HOME", "~/x")], Some("hf_x")),
            (&[("XDG_CACHE_HOME", gone.as_str())], None),
            (&[("HF_HOME", "")], None),
            (&[("XDG_CACHE_HOME", "")], None),
        ] {
            let all = [&[("HOME", home)], variables].concat();
            let token = environment(&all).token().unwrap();
            let token = token.map(|(token, _)| token);
            assert_eq!(token, expected.map(|it| Token::new(it.to_owned())), "{variables:?}");
        }
    }

    #[test]
    fn patterns_are_a_list_of_json_or_stand_between_commas() {
        for (text, expected) in [
            (r#"["*.safetensors", " *.json ", ""]"#, &["*.safetensors", "*.json"][..]),
            ("*.safetensors, *.json,,", &["*.safetensors", "*.json"]),
            (r#""*.json""#, &["*.json"]),
            ("*.json", &["*.json"]),
            ("[!a]*", &["[!a]*"]),
            ("[]", &[]),
            ("  ", &[]),
            ("7", &["7"]),
        ] {
            assert_eq!(environment(&[("P", text)]).patterns("P"), expected, "{text}");
        }
        assert!(environment(&[]).patterns("P").is_empty());
    }

    #[test]
    fn an_endpoint_loses_its_trailing_slash() {
        let endpoint = |text| environment(&[("HF_ENDPOINT", text)]).endpoint().unwrap();
        assert_eq!(environment(&[]).endpoint().unwrap(), DEFAULT_ENDPOINT);
        assert_eq!(endpoint("http://h:1/x/"), "http://h:1/x");
        assert_eq!(endpoint("HTTPS://h"), "HTTPS://h");
    }

    #[test]
    fn an_endpoint_without_a_scheme_is_refused_with_what_is_probably_meant() {
        for (value, meant) in [
            ("hf-mirror.example", "`HF_ENDPOINT=https://hf-mirror.example`"),
            ("localhost:8080/hub/", "`HF_ENDPOINT=https://localhost:8080/hub`"),
            ("//hf-mirror.example", "`HF_ENDPOINT=https://hf-mirror.example`"),
            ("ftp://hf-mirror.example", "`HF_ENDPOINT=https://hf-mirror.example`"),
        ] {
            let error = environment(&[("HF_ENDPOINT", value)]).endpoint().unwrap_err();
            let hint = error.hint().unwrap();
            assert!(hint.contains(meant), "{value}: {hint}");
        }
    }
}
