//! Where Docker is: `DOCKER_HOST`, else a context, in the order of the Docker CLI.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::DockerError;
use crate::limits::LONGEST_DOCKER_CONFIGURATION;
use crate::options::DockerOptions;
use crate::regular_file;

/// Where Docker listens if nothing else is said.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// The context that stands for `DOCKER_HOST` and its certificates.
const DEFAULT: &str = "default";

/// An address, and how it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// As configured: `unix:///var/run/docker.sock`, `tcp://box:2376`.
    pub(super) host: String,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`, if it is asked with TLS.
    pub(super) certificates: Option<PathBuf>,
}

/// What is read of `config.json`.
#[derive(Debug, Default, Deserialize)]
struct Configuration {
    #[serde(default, rename = "currentContext")]
    current: String,
}

/// What is read of a context's `meta.json`.
#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default, rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Debug, Default, Deserialize)]
struct Endpoints {
    docker: Option<Docker>,
}

#[derive(Debug, Deserialize)]
struct Docker {
    #[serde(default, rename = "Host")]
    host: String,
    #[serde(default, rename = "SkipTLSVerify")]
    trusts_anybody: bool,
}

/// `DOCKER_HOST`, else what the context says that `DOCKER_CONTEXT` names, else the one that
/// `docker context use` has chosen, else the default socket (docker/cli 28 cli/command/cli.go,
/// `resolveContextName`). What is empty says nothing. Blocking, briefly.
///
/// # Errors
/// When the context is not there, or says nothing that can be used.
pub(super) fn endpoint(options: &DockerOptions) -> Result<Endpoint, DockerError> {
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let default = |host: Option<String>| Endpoint {
        host: host.unwrap_or_else(|| DEFAULT_HOST.to_owned()),
        certificates: options.certificates.clone(),
    };
    if let Some(host) = said(&options.host) {
        return Ok(default(Some(host)));
    }
    let Some(folder) = &options.configuration else { return Ok(default(None)) };
    match said(&options.context).or_else(|| current(folder)).filter(|name| name != DEFAULT) {
        Some(name) => of_context(folder, &name),
        None => Ok(default(None)),
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    regular_file::text(path, LONGEST_DOCKER_CONFIGURATION)
}

/// The context in use. As the CLI does, a file that cannot be read says nothing.
fn current(folder: &Path) -> Option<String> {
    let text = read(&folder.join("config.json")).ok()?;
    let configuration: Configuration = serde_json::from_str(&text).ok()?;
    Some(configuration.current).filter(|name| !name.is_empty())
}

fn of_context(folder: &Path, name: &str) -> Result<Endpoint, DockerError> {
    let refuse = |reason: String| DockerError::Context { name: name.to_owned(), reason };
    let id: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
    let contexts = folder.join("contexts");
    let path = contexts.join("meta").join(&id).join("meta.json");
    let text = read(&path).map_err(|error| refuse(error.to_string()))?;
    let metadata: Metadata =
        serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
    let docker = metadata
        .endpoints
        .docker
        .ok_or_else(|| refuse("it has no endpoint for Docker".to_owned()))?;
    let certificates = contexts.join("tls").join(&id).join("docker");
    let certificates = certificates.is_dir().then_some(certificates);
    if docker.trusts_anybody && certificates.is_none() {
        return Err(refuse("it trusts whoever answers (`skip-tls-verify`)".to_owned()));
    }
    let host = Some(docker.host).filter(|host| !host.is_empty());
    Ok(Endpoint { host: host.unwrap_or_else(|| DEFAULT_HOST.to_owned()), certificates })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `docker context create remote --docker host=tcp://box:2375` (Docker CLI 28.2) writes it;
    /// the folder is `printf remote | sha256sum`.
    const REMOTE: &str = "b71199ebd070b36beab7317920c2c2f1d777df8d05e5527d8458fda57cb17a7a";
    const META: &str = r#"{"Name":"remote","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://box:2375","SkipTLSVerify":false}}}"#;

    /// A folder of the CLI in which `remote` is in use.
    fn configuration() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let meta = folder.path().join("contexts/meta").join(REMOTE);
        fs_err::create_dir_all(&meta).unwrap();
        fs_err::write(meta.join("meta.json"), META).unwrap();
        let used = r#"{"auths": {}, "currentContext": "remote"}"#;
        fs_err::write(folder.path().join("config.json"), used).unwrap();
        folder
    }

    fn told(folder: &Path, host: Option<&str>, context: Option<&str>) -> String {
        let options = DockerOptions {
            host: host.map(str::to_owned),
            context: context.map(str::to_owned),
            configuration: Some(folder.to_path_buf()),
            ..DockerOptions::default_socket()
        };
        endpoint(&options).map_or_else(|error| error.to_string(), |endpoint| endpoint.host)
    }

    #[test]
    fn the_host_is_stronger_than_a_context_and_that_than_the_one_in_use() {
        let folder = configuration();
        let told = |host, context| told(folder.path(), host, context);
        assert_eq!(told(Some("tcp://a:1"), Some("remote")), "tcp://a:1");
        assert_eq!(told(None, Some("default")), DEFAULT_HOST);
        assert_eq!(told(Some(""), Some("")), "tcp://box:2375");
        assert_eq!(told(None, None), "tcp://box:2375");
        fs_err::write(folder.path().join("config.json"), "{").unwrap();
        assert_eq!(told(None, None), DEFAULT_HOST);
        assert_eq!(told(None, Some("remote")), "tcp://box:2375");
    }

    #[test]
    fn a_context_that_is_not_there_is_not_the_default_one() {
        let folder = configuration();
        let error = told(folder.path(), None, Some("gone"));
        assert!(error.starts_with("the Docker context `gone` cannot be used: "), "{error}");
    }

    #[test]
    fn a_context_has_certificates_of_its_own_and_does_not_take_those_of_the_environment() {
        let folder = configuration();
        let options = DockerOptions {
            certificates: Some(PathBuf::from("/elsewhere")),
            configuration: Some(folder.path().to_path_buf()),
            ..DockerOptions::default_socket()
        };
        assert_eq!(endpoint(&options).unwrap().certificates, None);
        let own = folder.path().join("contexts/tls").join(REMOTE).join("docker");
        fs_err::create_dir_all(&own).unwrap();
        assert_eq!(endpoint(&options).unwrap().certificates, Some(own.clone()));
        let meta = folder.path().join("contexts/meta").join(REMOTE).join("meta.json");
        fs_err::write(&meta, META.replace("false", "true")).unwrap();
        assert_eq!(endpoint(&options).unwrap().certificates, Some(own.clone()));
        fs_err::remove_dir(&own).unwrap();
        assert!(endpoint(&options).unwrap_err().to_string().contains("skip-tls-verify"));
    }
}
