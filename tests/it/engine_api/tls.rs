//! An engine that only lets in who shows a certificate.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use preflight::options::DockerOptions;
use preflight::project::docker::{DockerError, Observation, observe};

use super::demo;
use crate::fetch_tls::skipped;
use crate::sandbox::repository;

/// Speaks TLS for a server that does not; gone when dropped.
struct Terminator {
    child: Child,
    port: String,
}

impl Terminator {
    /// Absent where there is no python3.
    fn start(folder: &Path) -> Option<Self> {
        let mut command = Command::new("python3");
        command.arg(repository().join("tests/it/fetch_tls/terminate.py"));
        command.args(["server.pem", "server.key", "ca.pem"].map(|name| folder.join(name)));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut line).unwrap();
        let port = line.split_whitespace().next().unwrap().to_owned();
        Some(Self { child, port })
    }

    fn lead_to(&mut self, port: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{port} {port}").unwrap();
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// An authority (`ca`), and certificates from it for `localhost` (`server`) and a client (`cert`,
/// `key.pem`); false where there is no openssl.
fn make_certificates(folder: &Path) -> bool {
    let make = |name: &str, key: &str, more: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        command.args(["-nodes", "-days", "2", "-subj", "/CN=localhost"]);
        command.args(["-keyout", key, "-out", &format!("{name}.pem")]);
        command.args(more).current_dir(folder);
        command.output().is_ok_and(|output| output.status.success())
    };
    let name = "subjectAltName=DNS:localhost";
    let leaf = "basicConstraints=critical,CA:FALSE";
    let signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", name, "-addext", leaf];
    make("ca", "ca.key", &[])
        && make("server", "server.key", &signed)
        && make("cert", "key.pem", &signed)
}

/// What is seen with the files of `from` that are named.
async fn look(port: &str, from: &Path, names: &[&str]) -> Result<Observation, DockerError> {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs_err::copy(from.join(name), folder.path().join(name)).unwrap();
    }
    let options = DockerOptions {
        host: Some(format!("tcp://localhost:{port}")),
        certificates: Some(folder.path().to_path_buf()),
        container: Some("0000".to_owned()),
        ..DockerOptions::default_socket()
    };
    observe(&options, Some("demo")).await
}

#[tokio::test]
async fn an_engine_behind_tls_is_asked_with_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let stranger = tempfile::tempdir().unwrap();
    if !make_certificates(folder.path()) || !make_certificates(stranger.path()) {
        return skipped("there is no openssl 3");
    }
    let Some(mut terminator) = Terminator::start(folder.path()) else {
        return skipped("there is no python3");
    };
    let running = demo().listen_on_port();
    terminator.lead_to(running.host().rsplit(':').next().unwrap());
    let all = ["ca.pem", "cert.pem", "key.pem"];

    let observation = look(&terminator.port, folder.path(), &all).await.unwrap();
    assert_eq!(observation.siblings.len(), 5);

    let without = look(&terminator.port, folder.path(), &["ca.pem"]).await.unwrap_err();
    assert!(matches!(without, DockerError::Unreachable { .. }), "{without}");

    let other = look(&terminator.port, stranger.path(), &all).await.unwrap_err();
    assert!(matches!(other, DockerError::Unreachable { .. }), "{other}");
    assert!(other.to_string().contains("certificate"), "{other}");
    running.stop();
}
