//! One request over one connection.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

/// How long each step of a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 1 << 20;

/// What a server that speaks TLS says first: a record with its own greeting.
const HANDSHAKE: u8 = 22;

/// The document that is answered to a GET.
pub(crate) fn get(url: &str, key: Option<&str>) -> Result<Value, String> {
    ask("GET", url, key, "")
}

/// Has a model say something.
pub(crate) fn chat(url: &str, key: Option<&str>, model: &str) -> Result<(), String> {
    let message = json!({"role": "user", "content": "hello"});
    let body = json!({"model": model, "messages": [message], "max_tokens": 2, "stream": false});
    let answer = ask("POST", url, key, &body.to_string())?;
    let choices = answer["choices"].as_array();
    choices.filter(|choices| !choices.is_empty()).ok_or("no choices")?;
    Ok(())
}

fn ask(method: &str, url: &str, key: Option<&str>, body: &str) -> Result<Value, String> {
    eprintln!("{method} {url}");
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let mut stream = connect(&url)?;
    match url.scheme() {
        "http" => {}
        "https" => return speak_tls(&mut stream),
        other => return Err(format!("`{other}` is neither http nor https")),
    }
    let key = key.map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
    let head = format!(
        "{method} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{key}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        url.path(),
        url.host_str().unwrap_or_default(),
        body.len()
    );
    let text = |error: std::io::Error| error.to_string();
    stream.write_all((head + body).as_bytes()).map_err(text)?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).map_err(text)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer of HTTP")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        return Err(format!("{status}: {body}"));
    }
    serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))
}

fn connect(url: &Url) -> Result<TcpStream, String> {
    let host = url.host_str().ok_or("no host")?.trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or("no port")?;
    let addresses = (host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let mut failed = format!("{host}: no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                let patient = stream.set_read_timeout(Some(PATIENCE));
                return patient.map(|()| stream).map_err(|error| error.to_string());
            }
            Err(error) => failed = format!("{address}: {error}"),
        }
    }
    Err(failed)
}

/// As far as is needed to see whether the server speaks TLS.
fn speak_tls(stream: &mut TcpStream) -> Result<Value, String> {
    // A greeting of TLS 1.2 with one suite of ciphers and nothing more.
    let head = [HANDSHAKE, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    let greeting = [&head[..], &[0; 33], &[0, 2, 0xc0, 0x2f, 1, 0]].concat();
    stream.write_all(&greeting).map_err(|error| error.to_string())?;
    let mut first = [0];
    match stream.read_exact(&mut first) {
        Ok(()) if first[0] == HANDSHAKE => Err("it speaks TLS, and more is not known here".into()),
        Ok(()) => Err("the answer is no TLS".into()),
        Err(error) => Err(format!("no greeting: {error}")),
    }
}
