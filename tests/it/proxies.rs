//! Whom nginx and Caddy pass requests on to, and what preflight reads in their configurations.
//!
//! `PREFLIGHT_TEST_NGINX` and `PREFLIGHT_TEST_CADDY` name the genuine ones; without them nothing is asked,
//! unless all tests are required.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::judge::named;
use crate::sandbox::{Sandbox, repository};

/// The engines that are passed on to, with an address of this machine at which nobody listens.
const ENGINES: [(&str, &str); 3] =
    [("alpha", "127.0.0.71"), ("beta", "127.0.0.72"), ("gamma", "127.0.0.73")];

/// The variables of the service of Caddy.
const VARIABLES: [(&str, &str); 2] = [("LLM", "alpha:8000"), ("PORT", "8000")];

/// What is asked of a proxy, and what comes of it.
struct Row {
    path: String,
    /// `HOST:PORT`, as it is written.
    address: String,
    /// What is asked for there; absent: nobody listens.
    passed_on: Option<String>,
    is_read: bool,
}

fn rows(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let (_, row) = line.split_once("# GET ")?;
        let row = row.trim_end_matches("\": \"\",");
        let (path, to) = row.split_once(" -> ").expect(line);
        let (to, is_read) = match to.strip_suffix(" unread") {
            Some(to) => (to, false),
            None => (to, true),
        };
        let (address, passed_on) = match to.strip_suffix(" refused") {
            Some(address) => (address, None),
            None => {
                to.split_once('/').map(|(host, path)| (host, Some(format!("/{path}")))).unwrap()
            }
        };
        let (path, address) = (path.to_owned(), address.to_owned());
        Some(Row { path, address, passed_on, is_read })
    };
    text.lines().map_while(row_or_head(row)).flatten().collect()
}

/// The rows stand before everything else, behind a bracket at most.
fn row_or_head(row: impl Fn(&str) -> Option<Row>) -> impl FnMut(&str) -> Option<Option<Row>> {
    move |line| match row(line) {
        Some(row) => Some(Some(row)),
        None => (line == "{").then_some(None),
    }
}

/// Answers every request with who it is, and what it was asked for.
struct Engine {
    address: String,
    _thread: JoinHandle<()>,
}

impl Engine {
    fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serve = move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let Some(Ok(first)) = lines.next() else { continue };
                lines.by_ref().map_while(Result::ok).find(String::is_empty);
                let path = first.split(' ').nth(1).unwrap_or_default();
                let said = format!("{name}:8000{path}");
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
                let _gone = write!(stream, "{head} {}\r\n\r\n{said}", said.len());
            }
        };
        Self { address, _thread: std::thread::spawn(serve) }
    }
}

/// The text with addresses of this machine.
fn moved(text: &str, engines: &[Engine]) -> String {
    let mut text = text.to_owned();
    for ((name, nobody), engine) in ENGINES.iter().zip(engines) {
        text = text.replace(&format!("{name}:8000"), &engine.address);
        let port = engine.address.rsplit(':').next().unwrap();
        text = text.replace(&format!("{name}:{{$PORT}}"), &format!("127.0.0.1:{port}"));
        text = text.replace(name, nobody);
    }
    text
}

/// A proxy that runs.
enum Proxy {
    Nginx { program: String, folder: tempfile::TempDir },
    Caddy { child: Child, log: Option<JoinHandle<String>>, folder: tempfile::TempDir },
}

impl Proxy {
    fn nginx(program: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().display().to_string();
        let text = text.replace("listen 80;", &format!("listen unix:{own}/socket;"));
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {own}/{name};\n"))
            .concat();
        let main = format!(
            "worker_processes 1;\npid {own}/pid;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{text}}}\n"
        );
        fs_err::write(folder.path().join("nginx.conf"), main).unwrap();
        let proxy = Self::Nginx { program: program.to_owned(), folder };
        // It goes on in the background when it listens.
        let status = proxy.command().stderr(Stdio::inherit()).status().unwrap();
        assert!(status.success(), "{text}");
        proxy
    }

    fn caddy(program: &str, text: &str, is_own_form: bool, engines: &[Engine]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = format!("unix/{}/socket", folder.path().display());
        let text = if is_own_form {
            let lines = text.lines().filter(|line| !line.contains("# GET "));
            let text: String = lines.map(|line| format!("{line}\n")).collect();
            let on =
                format!("\"automatic_https\": {{\"disable\": true}}, \"listen\": [\"{socket}\"]");
            text.replacen('{', "{\"admin\": {\"disabled\": true},", 1)
                .replace("\"listen\": [\":80\"]", &on)
        } else {
            let options = "{\n\tadmin off\n\tauto_https off\n}\n";
            let site = text.replace(":80 {\n", &format!("http:// {{\n\tbind {socket}\n"));
            let site = site.replace(":80\n", &format!("http://\nbind {socket}\n"));
            format!("{options}{site}")
        };
        let file = folder.path().join("caddy");
        fs_err::write(&file, &text).unwrap();
        let mut command = Command::new(program);
        command.args(["run", "--config", file.to_str().unwrap()]);
        if !is_own_form {
            command.args(["--adapter", "caddyfile"]);
        }
        let variables = VARIABLES.map(|(name, value)| (name, moved(value, engines)));
        let mut child = command
            .env_clear()
            .env("HOME", folder.path())
            .envs(variables)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said: Vec<String> = lines
            .by_ref()
            .map_while(Result::ok)
            .take_while(|line| !line.contains("serving initial configuration"))
            .collect();
        assert!(child.try_wait().unwrap().is_none(), "{text}\n{said:?}");
        let rest = move || lines.map_while(Result::ok).collect::<Vec<String>>().join("\n");
        Self::Caddy { child, log: Some(std::thread::spawn(rest)), folder }
    }

    /// nginx, with its folder.
    fn command(&self) -> Command {
        let Self::Nginx { program, folder } = self else { panic!("it is no nginx") };
        let own = folder.path();
        let mut command = Command::new(program);
        command.arg("-p").arg(own).arg("-e").arg(own.join("log"));
        command.arg("-c").arg(own.join("nginx.conf"));
        command
    }

    fn folder(&self) -> &Path {
        let (Self::Nginx { folder, .. } | Self::Caddy { folder, .. }) = self;
        folder.path()
    }

    /// The status and the body of an answer.
    fn get(&self, path: &str) -> (String, String) {
        let mut stream = UnixStream::connect(self.folder().join("socket")).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
    }

    /// Ends it, and what it has said of what went wrong.
    fn end(mut self) -> String {
        match &mut self {
            Self::Nginx { folder, .. } => {
                fs_err::read_to_string(folder.path().join("log")).unwrap()
            }
            Self::Caddy { child, log, .. } => {
                child.kill().unwrap();
                log.take().unwrap().join().unwrap()
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Self::Caddy { child, .. } = self {
            let _ended = child.kill();
            child.wait().unwrap();
        } else {
            let _ended = self.command().args(["-s", "stop"]).status();
        }
    }
}

/// The addresses that preflight reads in a file, where it is mounted.
fn read(image: &str, target: &str, text: &str) -> BTreeSet<String> {
    let engine = |(name, _): &(&str, &str)| {
        format!(
            "  {name}:\n    image: ghcr.io/ggml-org/llama.cpp:server\n    \
             command: -m /models/gguf/tiny-Q4_K_M.gguf -c 512 --port 8000\n    \
             volumes: [\"./models:/models:ro\"]\n"
        )
    };
    let variables = VARIABLES.map(|(name, value)| format!("{name}: \"{value}\"")).join(", ");
    let proxy = format!(
        "  proxy:\n    image: {image}\n    volumes: [\"./file:{target}:ro\"]\n    \
         environment: {{{variables}}}\n    command: --config {target}\n"
    );
    let proxy = proxy.replace("    command: --config /etc/nginx/conf.d/default.conf\n", "");
    let engines: String = ENGINES.iter().map(engine).collect();
    let compose = format!("services:\n{engines}{proxy}");
    let run = Sandbox::quickstart()
        .file("compose.yaml", compose)
        .file("file", text)
        .run(&["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let connections = plan["connections"].as_array().unwrap().iter();
    let of_file =
        connections.filter(|it| it["service"] == "proxy" && it["place"]["file"] == "file");
    let address = |it: &Value| {
        let url = it["url"].as_str().unwrap();
        let (_, rest) = url.split_once("://").unwrap_or(("", url));
        let host = rest.split('/').next().unwrap();
        if host.contains(':') { host.to_owned() } else { format!("{host}:80") }
    };
    of_file.map(address).collect()
}

/// What is wrong with a file: what the proxy did otherwise than its rows say, and what was read otherwise.
fn wrong(
    name: &str,
    text: &str,
    read: &BTreeSet<String>,
    proxy: Proxy,
    engines: &[Engine],
) -> Vec<String> {
    let rows = rows(text);
    assert!(!rows.is_empty(), "{name}");
    let mut wrong = Vec::new();
    let mut refused = Vec::new();
    for row in &rows {
        let (status, body) = proxy.get(&row.path);
        match &row.passed_on {
            Some(path) if body == format!("{}{path}", row.address) => {}
            None if status == "502" => refused.push(moved(&row.address, engines)),
            Some(_) | None => wrong.push(format!("{name}: {} came to {status} {body}", row.path)),
        }
    }
    let log = proxy.end();
    for address in refused.iter().filter(|address| !log.contains(*address)) {
        wrong.push(format!("{name}: {address} was not asked: {log}"));
    }
    let asked: BTreeSet<String> =
        rows.iter().filter(|row| row.is_read).map(|row| row.address.clone()).collect();
    if !asked.is_subset(read) {
        wrong.push(format!("{name}: read were {read:?}, and asked {asked:?}"));
    }
    // What else is read is passed on to as well: another server of the same group.
    let unknown: Vec<&String> =
        read.iter().filter(|it| !asked.contains(*it) && !text.contains(*it)).collect();
    assert!(unknown.is_empty(), "{name}: {unknown:?}");
    wrong
}

/// The files of `tests/data/proxies` whose names end so.
fn files(ends: &[&str]) -> Vec<(String, String)> {
    let folder = fs_err::read_dir(repository().join("tests/data/proxies")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| ends.iter().any(|end| name.ends_with(end))).collect();
    names.sort_unstable();
    let text = |name: String| {
        let path = repository().join("tests/data/proxies").join(&name);
        let text = fs_err::read_to_string(path).unwrap();
        (name, text)
    };
    names.into_iter().map(text).collect()
}

fn engines() -> Vec<Engine> {
    ENGINES.iter().map(|(name, _)| Engine::start(name)).collect()
}

#[test]
fn nginx_passes_on_to_whom_preflight_reads_in_its_configuration() {
    let Some(program) = named("PREFLIGHT_TEST_NGINX") else { return };
    let engines = engines();
    let judge = |(name, text): (String, String)| {
        let proxy = Proxy::nginx(&program, &moved(&text, &engines));
        let read = read("nginx:1.29", "/etc/nginx/conf.d/default.conf", &text);
        wrong(&name, &text, &read, proxy, &engines)
    };
    let files = files(&[".conf"]);
    assert_eq!(files.len(), 6);
    let wrong: Vec<String> = files.into_iter().flat_map(judge).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn caddy_passes_on_to_whom_preflight_reads_in_its_configuration() {
    let Some(program) = named("PREFLIGHT_TEST_CADDY") else { return };
    let engines = engines();
    let judge = |(name, text): (String, String)| {
        let is_own_form = name.ends_with(".json");
        let proxy = Proxy::caddy(&program, &moved(&text, &engines), is_own_form, &engines);
        let target = if is_own_form { "/etc/caddy/caddy.json" } else { "/etc/caddy/Caddyfile" };
        let read = read("caddy:2.10", target, &text);
        wrong(&name, &text, &read, proxy, &engines)
    };
    let files = files(&[".caddy", ".json"]);
    assert_eq!(files.len(), 8);
    let wrong: Vec<String> = files.into_iter().flat_map(judge).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
