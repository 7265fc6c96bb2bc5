use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// Answers one request with `answer` and hands back what it was.
pub(super) fn serve_once(answer: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if head.is_empty() {
                head = line.trim().to_owned();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
        format!("{head} {}", String::from_utf8(body).unwrap())
    });
    (url, server)
}

async fn check(
    engine: Option<Engine>,
    suffix: &str,
    answer: &'static str,
    expected: (Answer, &str),
) {
    let (url, server) = serve_once(answer);
    let seen = reach(engine, &format!("{url}{suffix}"), PATIENCE).await;
    assert_eq!((seen, server.join().unwrap().as_str()), expected);
}

#[tokio::test]
async fn vllm_is_asked_for_a_completion() {
    check(
        Some(Engine::Vllm),
        "/v1",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        (
            Answer::Status(404),
            r#"POST /v1/completions HTTP/1.1 {"model":"smoke-test","prompt":"ping"}"#,
        ),
    )
    .await;
}

#[tokio::test]
async fn llama_cpp_is_asked_for_its_health() {
    check(
        Some(Engine::LlamaCpp),
        "/v1/",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        (Answer::Status(503), "GET /health HTTP/1.1 "),
    )
    .await;
}

#[tokio::test]
async fn an_unknown_engine_is_asked_for_its_health_below_its_prefix() {
    check(
        None,
        "/lanes/coder/v1?x=1",
        "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",
        (Answer::Status(302), "GET /lanes/coder/health HTTP/1.1 "),
    )
    .await;
}

#[tokio::test]
async fn a_closed_port_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let Answer::None(reason) = reach(None, &format!("user:secret@{address}"), PATIENCE).await
    else {
        panic!("nobody listens");
    };
    assert!(reason.to_lowercase().contains("refused"), "{reason}");
    assert!(!reason.contains("secret"), "{reason}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = reach(Some(Engine::Vllm), &url, Duration::from_millis(50)).await;
    assert_eq!(answer, Answer::None("no answer in time".to_owned()));
}

#[tokio::test]
async fn something_that_is_not_a_url_is_no_answer() {
    for url in ["", "http://", "ftp://x", "http://[", "host:port"] {
        let answer = reach(None, url, PATIENCE).await;
        assert!(matches!(answer, Answer::None(_)), "{url}: {answer:?}");
    }
}

#[test]
fn the_root_of_the_server_is_found() {
    for (url, expected) in [
        ("http://a:8000/v1", "http://a:8000/"),
        ("http://a:8000/v1/", "http://a:8000/"),
        ("http://a:8000", "http://a:8000/"),
        ("a:8000/v1", "http://a:8000/"),
        ("https://a/x/v1", "https://a/x"),
        ("http://a/v12", "http://a/v12"),
    ] {
        assert_eq!(base(url).unwrap().as_str(), expected, "{url}");
    }
}

#[test]
fn the_same_server_is_known_however_its_url_is_written() {
    for (one, other, expected) in [
        ("http://vllm:8000", "http://vllm:8000/v1/", true),
        ("vllm:8000", "http://vllm:8000", true),
        ("http://vllm:8000", "http://vllm:8001", false),
        ("http://vllm:8000/a", "http://vllm:8000/b", false),
        ("not a url", "http://vllm:8000", false),
    ] {
        assert_eq!(same_server(one, other), expected, "{one} {other}");
    }
}
