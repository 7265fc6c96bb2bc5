//! Many containers are asked about at the same time, and not too many.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};

use preflight::project::docker::observe;

use super::options;

/// How many questions are open at the same time.
const AT_ONCE: usize = 8;

/// Containers of the project.
const CONTAINERS: usize = 6 * AT_ONCE;

fn id(number: usize) -> String {
    format!("{number:064x}")
}

fn labels(number: usize) -> serde_json::Value {
    serde_json::json!({
        "com.docker.compose.project": "demo",
        "com.docker.compose.service": format!("lane{number:02}"),
    })
}

fn list() -> String {
    let containers: Vec<_> = (0..CONTAINERS)
        .map(|number| serde_json::json!({"Id": id(number), "Labels": labels(number)}))
        .collect();
    serde_json::Value::from(containers).to_string()
}

/// The path of the request on `stream`.
fn requested(stream: &UnixStream) -> String {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let request = lines.next().unwrap_or_default();
    lines.find(String::is_empty);
    request.split(['?', ' ']).nth(1).unwrap_or_default().to_owned()
}

fn answer(mut stream: UnixStream, status: u16, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}

/// Answers the questions about containers only when [`AT_ONCE`] of them are open; how many were open
/// beyond that. Ends with the question that is asked last.
fn serve(listener: &UnixListener) -> usize {
    let (mut held, mut surplus) = (Vec::new(), 0);
    loop {
        let (stream, _) = listener.accept().unwrap();
        match requested(&stream).as_str() {
            "/version" => answer(stream, 200, r#"{"Version": "28.5.2", "ApiVersion": "1.51"}"#),
            "/containers/json" => answer(stream, 200, &list()),
            "/info" => {
                answer(stream, 200, "{}");
                return surplus;
            }
            path => {
                match path.split('/').nth(2).and_then(|id| usize::from_str_radix(id, 16).ok()) {
                    Some(number) if path.len() > 64 => held.push((stream, number)),
                    _ => answer(stream, 404, r#"{"message": "no such container"}"#),
                }
            }
        }
        if held.len() == AT_ONCE {
            listener.set_nonblocking(true).unwrap();
            surplus += usize::from(listener.accept().is_ok());
            listener.set_nonblocking(false).unwrap();
            for (stream, number) in held.drain(..) {
                let config = serde_json::json!({"Labels": labels(number)});
                let container = serde_json::json!({"Id": id(number), "Config": config});
                answer(stream, 200, &container.to_string());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_containers_are_asked_about_eight_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = std::thread::spawn(move || serve(&listener));
    let options = options(&format!("unix://{}", path.display()), None);
    let observation = observe(&options, Some("demo")).await.unwrap();
    let services: BTreeSet<_> =
        observation.siblings.iter().filter_map(|container| container.service.clone()).collect();
    assert_eq!(services.len(), CONTAINERS);
    assert_eq!(server.join().unwrap(), 0, "more than {AT_ONCE} questions were open at once");
}
