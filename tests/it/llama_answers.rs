//! What llama-server answers when it serves, as preflight says it before: preflight and the genuine one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::gguf_oracle::document::{Document, string};
use crate::gguf_oracle::server;
use crate::sandbox::{Sandbox, repository};

/// A server that listens, for as long as the test runs.
pub(crate) struct Running {
    child: Child,
    address: String,
    // What it says goes somewhere until it ends.
    _said: BufReader<ChildStderr>,
}

impl Running {
    /// Starts it with the arguments.
    ///
    /// # Errors
    /// What it said, when it ended before it listened.
    pub(crate) fn start(server: &str, arguments: &[&str]) -> Result<Self, String> {
        let mut child = Command::new(server)
            .args(["--host", "127.0.0.1", "--port", "0", "-c", "256", "-np", "1", "--no-warmup"])
            .args(arguments)
            .env("GGML_NO_BACKTRACE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        while said.read_line(&mut text).unwrap() > 0 {
            let last = text.lines().last().unwrap_or_default();
            if let Some((_, address)) = last.split_once("listening on http://") {
                let address = address.trim().to_owned();
                return Ok(Self { child, address, _said: said });
            }
        }
        child.wait().unwrap();
        Err(text)
    }

    /// Where it listens, as `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The status of the answer to a request with that body, and the answer.
    pub(crate) fn answer(&self, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        let type_of = "Content-Type: application/json\r\n";
        write!(stream, "{head}{type_of}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("{path}: {answer:?}")), answer)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn tiny() -> Document {
    let file = repository().join("examples/quickstart/models/gguf/tiny-Q4_K_M.gguf");
    Document::parse(&fs_err::read(file).unwrap())
}

/// What preflight says of a server with that model and these words, each with its id.
fn said(sandbox: &Sandbox, words: &str) -> Vec<String> {
    let compose = format!(
        "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server-b11669\n    \
         volumes: ['.:/models:ro']\n    command: -m /models/m.gguf -c 256 {words}\n"
    );
    fs_err::write(sandbox.path().join("compose.yaml"), compose).unwrap();
    let run = sandbox.run(&["verify"]);
    let heads = run.stdout.lines().filter(|line| line.contains("]: "));
    heads.map(str::to_owned).collect()
}

/// A path and what is sent to it.
type Request = (&'static str, &'static str);

const EMBED: Request = ("/v1/embeddings", r#"{"input":"a"}"#);
const RANK: Request = ("/v1/rerank", r#"{"query":"a","documents":["b"]}"#);

#[test]
fn what_a_model_is_for_is_given_out_where_nothing_is_said() {
    let cases: [(Option<u32>, &str, Request, u16); 13] = [
        (Some(1), "", EMBED, 501),
        (Some(1), "--pooling mean", EMBED, 501),
        (Some(1), "--embeddings", EMBED, 200),
        (Some(1), "--embeddings --pooling none", EMBED, 400),
        (Some(0), "--embeddings", EMBED, 400),
        (None, "--embeddings", EMBED, 400),
        (None, "--embeddings --pooling cls", EMBED, 200),
        (None, "--reranking", RANK, 200),
        (Some(4), "", RANK, 501),
        (Some(4), "--embeddings", RANK, 501),
        (Some(4), "--embeddings --pooling rank", RANK, 200),
        (Some(4), "--rerank", RANK, 200),
        (Some(3), "--embedding --pooling last", EMBED, 200),
    ];
    let server = server();
    for (pooling, words, (path, body), status) in cases {
        let mut document = tiny();
        if let Some(pooling) = pooling {
            document.add_key("llama.pooling_type", 4, &pooling.to_le_bytes());
        }
        let sandbox = Sandbox::new().file("m.gguf", document.bytes());
        let said = said(&sandbox, words);
        let warned = format!("`{path}` will answer {status}");
        let is_so = match said.as_slice() {
            [] => status == 200,
            [one] => one.starts_with("warning[endpoint-not-served]") && one.contains(&warned),
            _ => false,
        };
        assert!(is_so, "{pooling:?} {words}: {status}\n{said:?}");
        let Some(server) = &server else { continue };
        let model = sandbox.path().join("m.gguf");
        let arguments = ["-m", model.to_str().unwrap()].into_iter();
        let arguments: Vec<&str> = arguments.chain(words.split_whitespace()).collect();
        let running = Running::start(server, &arguments).unwrap();
        let (answered, answer) = running.answer(path, body);
        assert_eq!(answered, status, "{pooling:?} {words}\n{answer}");
    }
}

#[test]
fn an_encoder_is_known_by_its_architecture() {
    for (architecture, is_encoder) in
        [("bert", true), ("nomic-bert-moe", true), ("gemma-embedding", true), ("qwen3", false)]
    {
        let mut document = tiny();
        document.key("general.architecture").value =
            [&8_u32.to_le_bytes()[..], &string(architecture)].concat();
        let sandbox = Sandbox::new().file("m.gguf", document.bytes());
        let said = said(&sandbox, "");
        let is_told = said.iter().any(|one| one.contains("is a model for embeddings"));
        assert_eq!(is_told, is_encoder, "{architecture}\n{said:?}");
    }
}
