//! `vllm serve FOLDER`, or `python3 -m vllm.entrypoints.openai.api_server --model FOLDER` where it is
//! called so: opens what vLLM opens in the folder of a model, and then answers its requests until
//! SIGTERM or SIGINT. It computes nothing: every prompt is completed by the same words. Of a model that
//! is named as a repository it asks the hub (`HF_ENDPOINT`) for the configuration, and opens nothing.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The longest body that is read, in bytes.
const LONGEST_BODY: usize = 1 << 16;

/// The words of `vllm serve` that matter here.
struct Command {
    model: String,
    /// The first name is the one that answers carry.
    names: Vec<String>,
    port: u16,
}

fn main() -> ExitCode {
    match run(std::env::args()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: impl Iterator<Item = String>) -> Result<(), String> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| error.to_string())?;
    let command = Command::read(words)?;
    match repository(&command.model) {
        Some(name) => ask_hub(name)?,
        None => open_model(Path::new(&command.model))?,
    }
    let listener =
        TcpListener::bind(("0.0.0.0", command.port)).map_err(|error| error.to_string())?;
    println!("Application startup complete.");
    // It ends with the process, which ends with the signal.
    std::thread::spawn(move || serve(&listener, &command));
    signals.forever().next();
    Ok(())
}

impl Command {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let program = words.next().unwrap_or_default();
        let beginning: &[&str] = match Path::new(&program).file_name().and_then(OsStr::to_str) {
            Some("python" | "python3") => &["-m", "vllm.entrypoints.openai.api_server"],
            _ => &["serve"],
        };
        if !beginning.iter().all(|word| words.next().as_deref() == Some(word)) {
            return Err("usage: vllm serve FOLDER [--served-model-name NAME] [--port PORT]".into());
        }
        let (mut model, mut names, mut port) = (None, Vec::new(), 8000);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
            match word.as_str() {
                "--model" => model = Some(value()?),
                "--served-model-name" => names.push(value()?),
                "--port" => port = value()?.parse().map_err(|_| "the port is no number")?,
                "--host"
                | "--max-model-len"
                | "--gpu-memory-utilization"
                | "--quantization"
                | "--kv-cache-dtype" => drop(value()?),
                "--enforce-eager" => {}
                flag if flag.starts_with('-') => {
                    return Err(format!("vllm: error: unrecognized arguments: {flag}"));
                }
                _ => model = Some(word),
            }
        }
        let model = model.ok_or("no model is named")?;
        if names.is_empty() {
            names.push(model.clone());
        }
        Ok(Self { model, names, port })
    }
}

/// The model as `owner/name`; absent: it is a folder.
fn repository(model: &str) -> Option<&str> {
    let is_name = !model.starts_with('/') && model.matches('/').count() == 1;
    (is_name && !Path::new(model).exists()).then_some(model)
}

/// Fails where the hub has no such repository.
fn ask_hub(name: &str) -> Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "it has no other way to be told, as the genuine one"
    )]
    let endpoint = std::env::var("HF_ENDPOINT").map_err(|error| error.to_string())?;
    let host = endpoint.strip_prefix("http://").ok_or("the hub is asked without TLS alone")?;
    let mut stream = TcpStream::connect(host).map_err(|error| error.to_string())?;
    let path = format!("/{name}/resolve/main/config.json");
    let request = format!("HEAD {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).map_err(|error| error.to_string())?;
    let code = status.split(' ').nth(1).unwrap_or_default();
    if code.starts_with(['2', '3']) {
        println!("downloading {name}");
        return Ok(());
    }
    Err(format!("{name} is not a local folder and is not a valid model identifier: {status}"))
}

/// Reads the configuration, the index and the length of every shard's header.
fn open_model(folder: &Path) -> Result<(), String> {
    json_file(&folder.join("config.json"))?;
    let index = json_file(&folder.join("model.safetensors.index.json"))?;
    let shards = index["weight_map"].as_object().ok_or("the index has no map of weights")?;
    let shards: BTreeSet<&str> = shards.values().filter_map(Value::as_str).collect();
    for shard in shards {
        let mut file = fs_err::File::open(folder.join(shard)).map_err(|error| error.to_string())?;
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|error| error.to_string())?;
        let size = file.metadata().map_err(|error| error.to_string())?.len();
        if u64::from_le_bytes(length) > size {
            return Err("safetensors_rust.SafetensorError: Error while deserializing header: \
                        MetadataIncompleteBuffer"
                .into());
        }
    }
    Ok(())
}

fn json_file(path: &Path) -> Result<Value, String> {
    let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn serve(listener: &TcpListener, command: &Command) {
    // A client that goes away is of no interest to the others.
    for stream in listener.incoming().flatten() {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let _ = answer(stream, command);
    }
}

/// Answers the one request of a connection.
fn answer(mut stream: TcpStream, command: &Command) -> std::io::Result<()> {
    let mut reader = BufReader::new((&stream).take(2 * LONGEST_BODY as u64));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? <= 2 {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0).min(LONGEST_BODY);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request: String = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let (status, body) = respond(&request, &body, &command.names);
    println!("{request} {status}");
    let size = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\
         connection: close\r\n\r\n{body}"
    )
}

/// Status and body.
fn respond(request: &str, body: &[u8], names: &[String]) -> (&'static str, String) {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let model = asked["model"].as_str().or(names.first().map(String::as_str)).unwrap_or_default();
    match request {
        "GET /health" => ("200 OK", String::new()),
        "GET /v1/models" => {
            let models: Vec<Value> =
                names.iter().map(|name| json!({"id": name, "object": "model"})).collect();
            ("200 OK", json!({"object": "list", "data": models}).to_string())
        }
        "POST /v1/completions" if names.iter().any(|name| name == model) => {
            let text = json!({"index": 0, "text": " there was a lane"});
            ("200 OK", json!({"model": model, "choices": [text]}).to_string())
        }
        "POST /v1/completions" => {
            let message = format!("The model `{model}` does not exist.");
            let error = json!({"message": message, "type": "NotFoundError", "code": 404});
            ("404 Not Found", json!({ "error": error }).to_string())
        }
        _ => ("404 Not Found", json!({"detail": "Not Found"}).to_string()),
    }
}
