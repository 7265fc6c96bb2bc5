//! Lanes that are served outside the project: on the host, by the genuine llama-server.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::gguf_oracle::server;
use crate::sandbox::Sandbox;

/// Clients alone: who serves stands in the URLs.
const CLIENTS: &str = r#"
services:
  backend:
    image: acme/backend:1
    volumes: ["./models:/models:ro"]
    environment:
      ARGOS_LANE_READER_URL: http://host.docker.internal:${PORT}/v1
      ARGOS_LANE_READER_MODEL: tiny
      ARGOS_LANE_READER_MODEL_PATH: /models/gguf/tiny-Q4_K_M.gguf
      ARGOS_LANE_CODER_URL: http://localhost:${PORT}/v1
      ARGOS_LANE_CODER_MODEL: tiny
"#;

/// llama-server with the quickstart's model, until it is dropped.
struct Host {
    child: Child,
    port: String,
}

impl Host {
    fn start(server: &str, sandbox: &Sandbox) -> Self {
        let words = ["-m", "models/gguf/tiny-Q4_K_M.gguf", "-c", "256", "--alias", "tiny"];
        let mut child = Command::new(server)
            .args(words)
            .args(["--host", "127.0.0.1", "--port", "0"])
            .current_dir(sandbox.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = lines.map_while(Result::ok).find(|line| line.contains("listening on"));
        let listening = listening.expect("llama-server listens");
        let port = listening.rsplit(':').next().unwrap_or_default().trim().to_owned();
        Self { child, port }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn sandbox() -> Sandbox {
    Sandbox::quickstart().file("compose.yaml", CLIENTS)
}

/// The rows of the lanes, blanks squeezed.
fn rows(stdout: &str) -> Vec<String> {
    let rows = stdout.lines().skip_while(|line| !line.starts_with("LANE")).skip(1);
    let rows = rows.take_while(|line| !line.is_empty());
    rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_lane_that_a_url_places_on_the_host_is_planned_and_its_files_are_judged_there() {
    let sandbox = sandbox().variable("PORT", "8080");
    insta::assert_snapshot!(sandbox.run(&["plan"]).stdout, @r"
    reader: compose.yaml:7:30
      model         in service /models/gguf/tiny-Q4_K_M.gguf                <- ARGOS_LANE_READER_MODEL_PATH, compose.yaml:9:37
                    on host    [DIR]/models/gguf/tiny-Q4_K_M.gguf
                    seen at    [DIR]/models/gguf/tiny-Q4_K_M.gguf
      outside       served outside this project, at http://host.docker.internal:8080/v1
      url           http://host.docker.internal:8080/v1                     <- ARGOS_LANE_READER_URL, compose.yaml:7:30
      serves as     tiny                                                    <- ARGOS_LANE_READER_MODEL, compose.yaml:8:32

    coder: compose.yaml:10:29
      skipped       served outside this project, at http://localhost:8080/v1
      url           http://localhost:8080/v1                                <- ARGOS_LANE_CODER_URL, compose.yaml:10:29
      serves as     tiny                                                    <- ARGOS_LANE_CODER_MODEL, compose.yaml:11:31

    connections
      backend       http://host.docker.internal:8080/v1 -> the host         <- ARGOS_LANE_READER_URL, compose.yaml:7:30
      backend       http://localhost:8080/v1 -> its own container           <- ARGOS_LANE_CODER_URL, compose.yaml:10:29
    ");
    let run = sandbox.run(&[]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert_eq!(
        rows(&run.stdout),
        [
            "reader - - llama, Q4_K_M, context 2048 793.2 KiB ready",
            "coder - - - - skipped: served outside this pro...",
        ]
    );
    fs_err::remove_file(sandbox.path().join("models/gguf/tiny-Q4_K_M.gguf")).unwrap();
    assert_eq!(sandbox.run(&[]).code, Some(10));
}

#[test]
fn smoke_asks_what_runs_on_the_host() {
    let Some(server) = server() else { return };
    let folder = sandbox();
    let host = Host::start(&server, &folder);
    let sandbox = sandbox().variable("PORT", host.port.as_str());
    let run = sandbox.run(&["smoke"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("2 of 2 lanes"), "{}", run.stderr);
    drop(host);
    let run = sandbox.run(&["smoke"]);
    assert_eq!(run.code, Some(31), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("endpoint-unreachable"), "{}", run.stdout);
}
