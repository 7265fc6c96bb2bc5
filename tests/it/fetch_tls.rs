//! A hub whose certificate only `SSL_CERT_FILE` vouches for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fake_hub::FakeHub;

use crate::sandbox::{Sandbox, repository};

const MODEL: &str = "examples/quickstart/models/gguf/tiny-Q4_K_M.gguf";
const FILE: &str = "tiny-Q4_K_M.gguf";

/// Two servers with TLS in front of two without; gone when dropped.
struct Terminator {
    child: Child,
    ports: [u16; 2],
}

impl Terminator {
    /// Absent where there is no python3.
    fn start(folder: &Path) -> Option<Self> {
        let script = repository().join("tests/it/fetch_tls/terminate.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(folder.join("leaf.pem")).arg(folder.join("leaf.key"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut line).unwrap();
        let mut ports = line.split_whitespace().map(|port| port.parse().unwrap());
        let ports = [ports.next().unwrap(), ports.next().unwrap()];
        Some(Self { child, ports })
    }

    fn lead_to(&mut self, hub: &FakeHub) {
        let port = |url: String| url.rsplit(':').next().unwrap().to_owned();
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{} {}", port(hub.url()), port(hub.cdn_url())).unwrap();
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// An authority and a certificate for `localhost` from it; false where there is no openssl.
fn make_certificates(folder: &Path) -> bool {
    let make = |name: &str, more: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        command.args(["-nodes", "-days", "2", "-subj", "/CN=localhost"]);
        command.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]);
        command.args(more).current_dir(folder);
        command.output().is_ok_and(|output| output.status.success())
    };
    let extensions = [
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    let signed: Vec<_> =
        ["-CA", "ca.pem", "-CAkey", "ca.key"].into_iter().chain(extensions).collect();
    make("ca", &[]) && make("leaf", &signed)
}

#[test]
fn a_certificate_is_believed_only_if_the_user_says_so() {
    let folder = tempfile::tempdir().unwrap();
    if !make_certificates(folder.path()) {
        return skipped("there is no openssl 3");
    }
    let Some(mut terminator) = Terminator::start(folder.path()) else {
        return skipped("there is no python3");
    };
    let [hub_port, cdn_port] = terminator.ports;
    let endpoint = format!("https://localhost:{hub_port}");
    let model = fs_err::read(repository().join(MODEL)).unwrap();
    let hub = FakeHub::builder()
        .file("acme/reader", FILE, model.clone())
        .public_url(&endpoint)
        .cdn_url(&format!("https://localhost:{cdn_port}"))
        .start()
        .unwrap();
    terminator.lead_to(&hub);
    let compose = "services:
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/tiny-Q4_K_M.gguf
    volumes: [./weights:/models]
    labels: {preflight.source: hf://acme/reader/tiny-Q4_K_M.gguf}
";
    let sandbox = Sandbox::new()
        .file("compose.yaml", compose)
        .file("weights/.keep", "")
        .variable("PREFLIGHT_TIMEOUT", "60s")
        .variable("HF_ENDPOINT", endpoint);
    let run = sandbox.run(&["fetch"]);
    assert_eq!(run.code, Some(13), "{}{}", run.stdout, run.stderr);
    assert!(hub.requests().is_empty());

    let authority = folder.path().join("ca.pem").display().to_string();
    let sandbox = sandbox.variable("SSL_CERT_FILE", authority);
    let run = sandbox.run(&["fetch"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(fs_err::read(sandbox.path().join("weights").join(FILE)).unwrap() == model);
}

/// Says what was not tested; where everything has to be, that is a failure.
#[expect(clippy::print_stderr, reason = "who reads the log of the tests has to see it")]
pub(crate) fn skipped(why: &str) {
    let required = std::env::var_os("PREFLIGHT_TEST_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!required, "not tested: {why}");
    eprintln!("skipped: {why}");
}
