//! The way to Docker: where it is, and a client that goes there.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::{API_DEFAULT_VERSION, Docker};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::DockerError;
use super::context::{self, Endpoint};
use super::question::Allowance;
use super::transport::{self, Way};
use crate::limits::{DOCKER_FILES_TIME, DOCKER_TIME, LONGEST_CERTIFICATES, LONGEST_OF_KERNEL};
use crate::options::DockerOptions;
use crate::regular_file;

/// Docker's port without TLS, and the one with.
const DEFAULT_PORTS: [u16; 2] = [2375, 2376];

/// Whom a file belongs to whose owner the user namespace does not have.
const NOBODY: u32 = 65534;

/// Somewhere to send questions to. Nothing is sent before the first one.
#[derive(Debug)]
pub(super) struct Connection {
    /// The client; send through [`Connection::ask`] alone.
    pub(super) docker: Docker,
    /// As configured.
    pub(super) host: String,
    pub(super) socket: Option<PathBuf>,
    pub(super) allowance: Arc<Allowance>,
}

/// What `DOCKER_HOST` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// The path of a socket.
    Socket(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl Connection {
    /// Works out where Docker is. Blocking, briefly.
    pub(super) fn open(options: &DockerOptions) -> Result<Self, DockerError> {
        Self::open_for(options, Allowance::of(DOCKER_TIME))
    }

    /// The same, for questions that may take so much altogether.
    pub(super) fn open_for(
        options: &DockerOptions,
        allowance: Allowance,
    ) -> Result<Self, DockerError> {
        let allowance = Arc::new(allowance.until(options.deadline));
        let Endpoint { host, certificates } = context::endpoint(options)?;
        let (way, base, socket) = match address(&host, certificates.is_some())? {
            Address::Socket(path) => {
                look_at_socket(&host, &path)?;
                (Way::Socket(path.clone()), "http://localhost".to_owned(), Some(path))
            }
            Address::Tcp(address) => match &certificates {
                Some(folder) => (
                    Way::Encrypted(Arc::new(encrypted(&host, folder)?)),
                    format!("https://{address}"),
                    None,
                ),
                None => (Way::Plain, format!("http://{address}"), None),
            },
        };
        let counted = Arc::clone(&allowance);
        let send = move |request| transport::send(way.clone(), Arc::clone(&counted), request);
        let docker = Docker::connect_with_custom_transport(
            send,
            Some(base),
            DOCKER_FILES_TIME.as_secs(),
            API_DEFAULT_VERSION,
        );
        let docker = docker.map_err(|error| DockerError::HostNotSupported {
            host: host.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self { docker, host, socket, allowance })
    }
}

/// How TLS is spoken with Docker: the authority in `folder` is trusted, and those of the system, and the
/// certificate in `folder` is shown where there is one: Docker need not ask for it.
fn encrypted(host: &str, folder: &Path) -> Result<ClientConfig, DockerError> {
    let refuse = |reason: String| DockerError::Certificates { host: host.to_owned(), reason };
    let [authority, certificate, key] =
        ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.join(name));
    let read = |path: &Path| match regular_file::bytes(path, LONGEST_CERTIFICATES) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refuse(error.to_string())),
    };
    let missing = |path: &Path| refuse(format!("there is no `{}`", path.display()));
    let wrong = |path: &Path, error: String| refuse(format!("`{}`: {error}", path.display()));
    let certificates = |path: &Path, text: &[u8]| {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
        all.map_err(|error| wrong(path, error.to_string()))
    };
    let trusted = read(&authority)?.ok_or_else(|| missing(&authority))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(certificates(&authority, &trusted)?);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has what the versions of TLS need that rustls speaks")
        .with_root_certificates(roots);
    match (read(&certificate)?, read(&key)?) {
        (Some(_), None) => Err(missing(&key)),
        (None, Some(_)) => Err(missing(&certificate)),
        (None, None) => Ok(config.with_no_client_auth()),
        (Some(shown), Some(secret)) => {
            let shown = certificates(&certificate, &shown)?;
            let secret = PrivateKeyDer::from_pem_slice(&secret)
                .map_err(|error| wrong(&key, error.to_string()))?;
            let config = config.with_client_auth_cert(shown, secret);
            config.map_err(|error| wrong(&certificate, error.to_string()))
        }
    }
}

/// Reads `DOCKER_HOST` as the Docker CLI does: `unix://PATH`, `tcp://HOST[:PORT]`, `http://`.
pub(super) fn address(host: &str, encrypted: bool) -> Result<Address, DockerError> {
    let refuse = |reason: &str| {
        Err(DockerError::HostNotSupported { host: host.to_owned(), reason: reason.to_owned() })
    };
    match host.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(Address::Socket(PathBuf::from(path))),
        Some(("unix", _)) => refuse("the path of the socket is not absolute"),
        Some(("http", _)) if encrypted => refuse("`DOCKER_TLS_VERIFY` is set: write `tcp://`"),
        Some(("tcp" | "http", address)) => {
            let address = address.strip_suffix('/').unwrap_or(address);
            if address.is_empty() || address.contains(['/', '@', '?', '#']) {
                return refuse("expected `tcp://HOST:PORT` and nothing else");
            }
            let has_port = address.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
            Ok(Address::Tcp(if has_port {
                address.to_owned()
            } else {
                format!("{address}:{}", DEFAULT_PORTS[usize::from(encrypted)])
            }))
        }
        Some(("https", _)) => refuse("TLS is asked for with `DOCKER_TLS_VERIFY=1` and `tcp://`"),
        Some(("ssh", _)) => refuse("SSH is not supported yet"),
        Some(("npipe", _)) => refuse("named pipes are not supported yet"),
        Some(_) => refuse("the scheme is not known"),
        None => refuse("there is no scheme"),
    }
}

/// Tells a socket that is not there from one that the Docker of the outer world never made: a bind
/// mount of a missing socket makes a folder of its name.
fn look_at_socket(host: &str, path: &Path) -> Result<(), DockerError> {
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => Ok(()),
        Ok(metadata) => Err(DockerError::Unreachable {
            host: host.to_owned(),
            reason: if metadata.is_dir() {
                "it is a folder, not a socket: the socket was not there when it was mounted"
            } else {
                "it is not a socket"
            }
            .to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(denied(host, path)),
        Err(_) => Err(DockerError::NoSocket { host: host.to_owned() }),
    }
}

/// Says whom the socket lets in; looking at it needs no access to it.
pub(super) fn denied(host: &str, socket: &Path) -> DockerError {
    let metadata = fs_err::metadata(socket).ok();
    let mapped = is_mapped() && metadata.as_ref().is_some_and(|it| it.uid() == NOBODY);
    let group = metadata
        .filter(|metadata| !mapped && metadata.mode() & 0o060 == 0o060)
        .map(|metadata| metadata.gid());
    let reason = match group {
        Some(group) => format!("permission denied, it lets in group {group}"),
        None => "permission denied".to_owned(),
    };
    DockerError::Denied { host: host.to_owned(), reason, group, mapped }
}

/// Whether the users of this process are others outside (user_namespaces(7)).
fn is_mapped() -> bool {
    regular_file::text(Path::new("/proc/self/uid_map"), LONGEST_OF_KERNEL)
        .is_ok_and(|map| !is_identity(&map))
}

/// Whether a map of users leaves every one as it is: the one line of the first namespace.
fn is_identity(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_is_read_as_the_docker_cli_does() {
        for (host, expected) in [
            ("unix:///run/user/1000/docker.sock", Some("/run/user/1000/docker.sock")),
            ("tcp://proxy:2375", Some("proxy:2375")),
            ("tcp://proxy", Some("proxy:2375")),
            ("http://127.0.0.1:1234/", Some("127.0.0.1:1234")),
            ("tcp://[::1]:99", Some("[::1]:99")),
            ("tcp://[::1]", Some("[::1]:2375")),
            ("tcp://proxy:2375/prefix", None),
            ("tcp://", None),
            ("unix://docker.sock", None),
            ("https://proxy:2376", None),
            ("ssh://user@box", None),
            ("npipe:////./pipe/docker_engine", None),
            ("/var/run/docker.sock", None),
        ] {
            let told = match address(host, false) {
                Ok(Address::Socket(path)) => Some(path.display().to_string()),
                Ok(Address::Tcp(address)) => Some(address),
                Err(DockerError::HostNotSupported { .. }) => None,
                Err(other) => panic!("{host}: {other}"),
            };
            assert_eq!(told.as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn with_certificates_the_port_is_another_and_plain_http_is_refused() {
        let tcp = |address: &str| Ok(Address::Tcp(address.to_owned()));
        let told = |host| address(host, true).map_err(|error| error.to_string());
        assert_eq!(told("tcp://engine"), tcp("engine:2376"));
        assert_eq!(told("tcp://engine:1"), tcp("engine:1"));
        assert!(told("http://engine").unwrap_err().contains("write `tcp://`"));
    }

    #[test]
    fn certificates_are_looked_for_before_anything_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let options = DockerOptions {
            host: Some("tcp://127.0.0.1:1".to_owned()),
            certificates: Some(folder.path().to_path_buf()),
            ..DockerOptions::default_socket()
        };
        let told = || Connection::open(&options).unwrap_err().to_string();
        assert!(told().contains("there is no `") && told().contains("ca.pem"), "{}", told());
        fs_err::write(folder.path().join("ca.pem"), "").unwrap();
        assert!(Connection::open(&options).is_ok());
        fs_err::write(folder.path().join("cert.pem"), "").unwrap();
        assert!(told().contains("key.pem"), "{}", told());
    }

    #[test]
    fn a_folder_in_the_place_of_the_socket_is_told_apart_from_no_socket() {
        let folder = tempfile::tempdir().unwrap();
        let host = format!("unix://{}", folder.path().display());
        let open = |host: &str| {
            let host = Some(host.to_owned());
            Connection::open(&DockerOptions { host, ..DockerOptions::default_socket() })
        };
        let error = open(&host).unwrap_err();
        assert!(error.to_string().contains("it is a folder, not a socket"), "{error}");
        let error = open(&format!("{host}/none.sock")).unwrap_err();
        assert!(matches!(error, DockerError::NoSocket { .. }), "{error}");
    }

    #[test]
    fn the_first_user_namespace_maps_nobody() {
        assert!(is_identity("         0          0 4294967295\n"));
        assert!(!is_identity("         0     165536      65536\n"));
        assert!(!is_identity("0 1000 1\n1 100000 65536\n"));
    }

    #[test]
    fn a_denied_socket_tells_its_group_only_if_the_group_may_use_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let gid = fs_err::metadata(&path).unwrap().gid();
        for (mode, expected) in [(0o660, Some(gid)), (0o600, None)] {
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let DockerError::Denied { group, .. } = denied("unix:///x", &path) else { panic!() };
            assert_eq!(group, expected);
        }
        drop(listener);
    }
}
