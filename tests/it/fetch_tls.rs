//! A hub whose certificate only `SSL_CERT_FILE` vouches for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fake_hub::FakeHub;

use crate::hf_interop;
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
    fn start(folder: &Path, name: &str) -> Option<Self> {
        let script = repository().join("tests/it/fetch_tls/terminate.py");
        let mut command = Command::new("python3");
        command.arg(script);
        command.args(["pem", "key"].map(|kind| folder.join(format!("{name}.{kind}"))));
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

/// An authority with a certificate for `localhost` from it, and certificates that vouch for themselves:
/// one for `localhost`, one of another key, one for another name, one that is over. False where there
/// is no openssl.
fn make_certificates(folder: &Path) -> bool {
    let make = |name: &str, host: &str, more: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        command.args(["-nodes", "-subj", &format!("/CN={name}")]);
        command.args(["-addext", &format!("subjectAltName=DNS:{host}")]);
        command.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")]);
        command.args(more).current_dir(folder);
        command.output().is_ok_and(|output| output.status.success())
    };
    let leaf = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=CA:FALSE"];
    make("ca", "authority", &[])
        && make("leaf", "localhost", &leaf)
        && make("own", "localhost", &[])
        && make("other-key", "localhost", &[])
        && make("other-name", "elsewhere", &[])
        && make("over", "localhost", &[])
        && is_over(folder, "over")
}

/// Signs the certificate `name` anew, with an end that lies in the past.
fn is_over(folder: &Path, name: &str) -> bool {
    let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
    let mut command = Command::new("openssl");
    command.args(["x509", "-in", &certificate, "-out", &certificate, "-signkey", &key]);
    let output = command.args(["-days", "-1"]).current_dir(folder).output();
    output.is_ok_and(|output| output.status.success())
}

/// A hub with one model, behind TLS with the certificate `name`.
struct Encrypted {
    hub: FakeHub,
    endpoint: String,
    _terminator: Terminator,
}

impl Encrypted {
    /// Absent where there is no python3.
    fn start(folder: &Path, name: &str) -> Option<Self> {
        let mut terminator = Terminator::start(folder, name)?;
        let [hub_port, cdn_port] = terminator.ports;
        let endpoint = format!("https://localhost:{hub_port}");
        let hub = FakeHub::builder()
            .file("acme/reader", FILE, fs_err::read(repository().join(MODEL)).unwrap())
            .public_url(&endpoint)
            .cdn_url(&format!("https://localhost:{cdn_port}"))
            .start()
            .unwrap();
        terminator.lead_to(&hub);
        Some(Self { hub, endpoint, _terminator: terminator })
    }

    /// A lane with that model as its source; `file` is what `SSL_CERT_FILE` is set to.
    fn stack(&self, file: Option<&Path>) -> Sandbox {
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
            .variable("HF_ENDPOINT", &self.endpoint);
        match file {
            Some(file) => sandbox.variable("SSL_CERT_FILE", file.display().to_string()),
            None => sandbox,
        }
    }

    /// Whether the genuine `hf` speaks with the hub, asked through its own session, which unlike the
    /// program does not try again; absent where there is none.
    fn is_believed_by_hf(&self, file: Option<&Path>) -> Option<bool> {
        let python = Path::new(&hf_interop::hf()?).with_file_name("python");
        let ask = "import sys; from huggingface_hub.utils import get_session as session\n\
                   try: session().get(sys.argv[1])\n\
                   except Exception as error: sys.exit(f'refused: {error}')";
        let mut command = Command::new(python);
        command.args(["-c", ask, &format!("{}/api/models/acme/reader", self.endpoint)]).env_clear();
        let output = command.envs(file.map(|file| ("SSL_CERT_FILE", file))).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() || said.starts_with("refused: "), "{said}");
        Some(output.status.success())
    }
}

#[test]
fn a_certificate_is_believed_only_if_the_user_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if !make_certificates(folder) {
        return skipped("there is no openssl 3");
    }
    let unknown = "set `SSL_CERT_FILE` to a file with the certificate of the authority";
    let invalid = "that the clock is right here, or have the certificate made anew";
    for (name, file, words) in [
        ("leaf", "", unknown),
        ("leaf", "ca.pem", ""),
        ("leaf", "own.pem", unknown),
        ("leaf", "gone.pem", "`SSL_CERT_FILE` names"),
        ("leaf", "leaf.key", "it has no certificate (PEM)"),
        ("own", "", unknown),
        ("own", "own.pem", ""),
        ("own", "other-key.pem", unknown),
        ("other-name", "other-name.pem", invalid),
        ("over", "over.pem", invalid),
    ] {
        let Some(encrypted) = Encrypted::start(folder, name) else {
            return skipped("there is no python3");
        };
        let file = (!file.is_empty()).then(|| folder.join(file));
        judge(&encrypted, file.as_deref(), words);
    }
}

/// Fetches; without `words` it has to go well, else they are said. The genuine `hf` agrees.
fn judge(encrypted: &Encrypted, file: Option<&Path>, words: &str) {
    let before = encrypted.hub.requests().len();
    let sandbox = encrypted.stack(file);
    let run = sandbox.run(&["fetch"]);
    let said = format!("{file:?}: {}{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(if words.is_empty() { 0 } else { 13 }), "{said}");
    if !words.is_empty() {
        assert!(said.contains("error[hub-unreachable]") && said.contains(words), "{said}");
        assert_eq!(encrypted.hub.requests().len(), before);
    } else {
        let brought = fs_err::read(sandbox.path().join("weights").join(FILE)).unwrap();
        assert!(brought == fs_err::read(repository().join(MODEL)).unwrap());
    }
    if let Some(believed) = encrypted.is_believed_by_hf(file) {
        assert_eq!(believed, words.is_empty(), "{said}");
    }
}

/// A hub behind a certificate of its own authority; absent: what makes one is not there, which is said.
fn behind_own_certificate(folder: &Path) -> Option<Encrypted> {
    if !make_certificates(folder) {
        skipped("there is no openssl 3");
        return None;
    }
    let encrypted = Encrypted::start(folder, "leaf");
    if encrypted.is_none() {
        skipped("there is no python3");
    }
    encrypted
}

#[test]
fn certificates_that_kserve_mounts_are_believed_beside_those_of_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(encrypted) = behind_own_certificate(folder) else { return };
    fs_err::copy(folder.join("ca.pem"), folder.join("cabundle.crt")).unwrap();
    let (mount, bundle) = (folder.display().to_string(), folder.join("ca.pem"));
    let mounted = ("CA_BUNDLE_VOLUME_MOUNT_POINT", mount.as_str());
    for (variables, code) in [
        (&[][..], 13),
        (&[("REQUESTS_CA_BUNDLE", bundle.to_str().unwrap())], 0),
        (&[mounted], 13),
        (&[mounted, ("CA_BUNDLE_CONFIGMAP_NAME", "bundle")], 0),
        (&[("CA_BUNDLE_CONFIGMAP_NAME", "bundle")], 13),
    ] {
        let sandbox = encrypted.stack(None);
        let set = |sandbox: Sandbox, (name, value): &(&str, &str)| sandbox.variable(name, *value);
        let run = variables.iter().fold(sandbox, set).run(&["fetch", "hf://acme/reader", "m"]);
        assert_eq!(run.code, Some(code), "{variables:?}: {}{}", run.stdout, run.stderr);
    }
}

/// An init container, with its variables as Compose gives them to it.
const INIT: &str = "services:
  preflight:
    image: preflight:local
    environment: [HF_TOKEN, HF_ENDPOINT, HTTPS_PROXY, 'SSL_CERT_FILE=${SSL_CERT_FILE:+/run/own.pem}']
    volumes: [./weights:[DIR]/weights]
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/tiny-Q4_K_M.gguf
    volumes: [./weights:/models]
    labels: {preflight.source: hf://acme/reader/tiny-Q4_K_M.gguf}
x-preflight: {create_root: true}
";

#[test]
fn a_token_does_not_pass_a_proxy_whose_certificates_the_project_names_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(encrypted) = behind_own_certificate(folder) else { return };
    let proxy = "HTTPS_PROXY=http://127.0.0.1:9\n";
    let certificates = "SSL_CERT_FILE=./own.pem\n";
    for (dotenv, is_sent) in [
        (format!("{proxy}{certificates}"), false),
        (format!("{proxy}{certificates}HF_TOKEN=hf_planted\n"), true),
        (proxy.to_owned(), true),
        (certificates.to_owned(), true),
    ] {
        let sandbox = encrypted.stack(Some(&folder.join("ca.pem")));
        let here = sandbox.path().display().to_string();
        let sandbox = sandbox
            .file("compose.yaml", INIT.replace("[DIR]", &here))
            .file(".env", &dotenv)
            .variable("PREFLIGHT_ROLE", "init")
            .variable("PREFLIGHT_PROJECT_DIRECTORY", here)
            .variable("HF_TOKEN", "hf_planted")
            .variable("HTTPS_PROXY", "http://127.0.0.1:9")
            .variable("NO_PROXY", "localhost");
        let before = encrypted.hub.requests().len();
        let run = sandbox.run(&["fetch"]);
        let requests = encrypted.hub.requests().split_off(before);
        let with = requests.iter().filter(|request| request.authorization.is_some()).count();
        let said = format!("{dotenv}: {}{}", run.stdout, run.stderr);
        assert!(!requests.is_empty(), "{said}");
        assert_eq!(with > 0, is_sent, "{said}");
        assert_eq!(said.contains("warning[token-withheld]"), !is_sent, "{said}");
    }
}

#[test]
fn a_variable_for_certificates_that_is_set_to_nothing_is_as_if_it_were_not_set() {
    let hub = crate::hub_stack::hub(&[]);
    let sandbox = crate::hub_stack::stack(&hub).variable("SSL_CERT_FILE", "");
    crate::hub_stack::check(&sandbox.run(&["fetch"]), 0, &["ready: 2 of 2 lanes"]);
}

/// Says what was not tested; where everything has to be, that is a failure.
#[expect(clippy::print_stderr, reason = "who reads the log of the tests has to see it")]
pub(crate) fn skipped(why: &str) {
    let required = std::env::var_os("PREFLIGHT_TEST_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!required, "not tested: {why}");
    eprintln!("skipped: {why}");
}
