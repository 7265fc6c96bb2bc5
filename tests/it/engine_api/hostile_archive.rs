//! Answers of the archive endpoints that no engine gives: nothing panics, nothing is read without
//! end, and what cannot be read is unknown, never another file.

use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use preflight::look::Look;
use preflight::project::docker::archive::{Archives, EntryKind};
use preflight::project::docker::observe;
use preflight::project::mounts::Standpoint;
use preflight::project::view::View as _;
use preflight::project::view::container::ContainerView;
use tokio::runtime::Handle;

use super::archive_answers::{self as archive, FILE, FOLDER, LINK, body, head, stat, tar};
use super::fake_engine::FakeEngine;
use super::{demo, options};

/// The container of the service `vllm`.
const VLLM: &str = include_str!("vllm.json");

/// The most questions about one path: those that links lead to, each with the folders before it.
const MOST_QUESTIONS: usize = 200;

fn request(method: &str, path: &str) -> String {
    let container: serde_json::Value = serde_json::from_str(VLLM).unwrap();
    archive::request(method, container["Id"].as_str().unwrap(), path)
}

/// The largest number that fits.
const HUGE: &[u8; 12] = &[0x80, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255];

/// What `look` sees in the container of an engine with those answers, and how many questions that
/// took.
async fn looked<T: Send + 'static>(
    engine: FakeEngine,
    look: impl FnOnce(&ContainerView) -> T + Send + 'static,
) -> (T, usize) {
    let root = request("HEAD", "/");
    let running = engine.raw(&root, head(&stat(FOLDER, 0, ""))).listen_on_socket();
    let options = options(running.host(), None);
    let observation = observe(&options, Some("demo")).await.unwrap();
    let archives = Archives::open(&options, &observation, "demo", &Standpoint::Host).unwrap();
    let archive = archives.of("vllm").unwrap();
    let runtime = Handle::current();
    let seen = tokio::task::spawn_blocking(move || {
        look(&ContainerView::new(archive, runtime, Vec::new()))
    });
    let seen = seen.await.unwrap();
    let questions = running.stop().iter().filter(|it| it.contains("/archive?")).count();
    (seen, questions)
}

/// An engine with a file of `size` bytes at `/model`, and that answer to who asks for it.
fn with_file(size: i64, answer: Vec<u8>) -> FakeEngine {
    let engine = demo().raw(&request("HEAD", "/model"), head(&stat(FILE, size, "")));
    engine.raw(&request("GET", "/model"), answer)
}

/// The bytes of `/model`, or why there are none.
fn read(view: &ContainerView) -> Result<Vec<u8>, String> {
    match view.open(Path::new("/model")) {
        Look::Seen(mut file) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            Ok(bytes)
        }
        Look::Unknown(why) => Err(why),
        Look::Absent | Look::Denied(_) => panic!("the file is there"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_as_it_is() {
    let content = [tar(b'0', b"00000000005\0"), b"GGUF!".to_vec(), vec![0; 507 + 1024]].concat();
    let (bytes, _) = looked(with_file(5, body(&content)), read).await;
    assert_eq!(bytes.unwrap(), b"GGUF!");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_ends_early_is_no_short_file() {
    let short = [tar(b'0', b"00000000005\0"), b"GG".to_vec()].concat();
    let endless = [tar(b'0', HUGE), b"GGUF".to_vec()].concat();
    for (size, content) in [(5, short), (i64::MAX, endless)] {
        let (bytes, _) = looked(with_file(size, body(&content)), read).await;
        let why = bytes.unwrap_err();
        assert!(why.contains("it ends before the file does"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_archive_of_one_file_has_no_bytes() {
    let link = tar(b'2', b"00000000000\0");
    let folder = tar(b'5', b"00000000000\0");
    let long_name = tar(b'L', HUGE);
    let records = tar(b'x', b"00077777777\0");
    let endless = tar(b'g', b"00000000000\0").repeat(1000);
    for content in [link, folder, long_name, records, endless, b"hello".to_vec(), Vec::new()] {
        let (bytes, _) = looked(with_file(5, body(&content)), read).await;
        let why = bytes.unwrap_err();
        assert!(why.contains("it is no tar archive of one file"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_cannot_be_read_makes_the_file_unknown() {
    let no_json = base64::engine::general_purpose::STANDARD.encode("no JSON");
    let none = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    for answer in [head("!"), head(&no_json), head(""), none] {
        let engine = demo().raw(&request("HEAD", "/model"), answer);
        let (seen, _) = looked(engine, |view| view.stat(Path::new("/model"))).await;
        let Look::Unknown(why) = seen else { panic!("{seen:?}") };
        assert!(why.contains("cannot be read"), "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_size_below_zero_is_nothing() {
    let (seen, _) = looked(with_file(-1, body(&[])), |view| view.stat(Path::new("/model"))).await;
    let Look::Seen(seen) = seen else { panic!("{seen:?}") };
    assert_eq!(seen.size, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_a_circle_come_to_an_end() {
    let link = |path: &str, target: &str| (request("HEAD", path), head(&stat(LINK, 0, target)));
    let circles = [
        vec![link("/model", "/model")],
        vec![link("/model", "/other"), link("/other", "/model")],
        vec![link("/model", "/model/model")],
        vec![link("/model", "model")],
    ];
    for circle in circles {
        let engine =
            circle.into_iter().fold(demo(), |engine, (path, answer)| engine.raw(&path, answer));
        let (seen, questions) = looked(engine, |view| view.stat(Path::new("/model"))).await;
        assert!(matches!(seen, Look::Absent), "{seen:?}");
        assert!(questions < MOST_QUESTIONS, "{questions}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_out_of_the_root_leads_to_the_root() {
    let engine = demo()
        .raw(&request("HEAD", "/model"), head(&stat(LINK, 0, "/../../../etc/../secret")))
        .raw(&request("HEAD", "/etc"), head(&stat(FOLDER, 0, "")))
        .raw(&request("HEAD", "/secret"), head(&stat(FILE, 3, "")));
    let (seen, _) = looked(engine, |view| view.stat(Path::new("/model"))).await;
    let Look::Seen(seen) = seen else { panic!("{seen:?}") };
    assert_eq!(seen.size, 3);
}

#[tokio::test]
async fn only_a_regular_file_has_content() {
    let pipe = 1 << 25 | FILE;
    let running =
        demo().raw(&request("HEAD", "/model"), head(&stat(pipe, 0, ""))).listen_on_socket();
    let options = options(running.host(), None);
    let observation = observe(&options, Some("demo")).await.unwrap();
    let archives = Archives::open(&options, &observation, "demo", &Standpoint::Host).unwrap();
    let entry = archives.of("vllm").unwrap().entry(Path::new("/model")).await.unwrap().unwrap();
    assert_eq!(entry.kind, EntryKind::Other);
    running.stop();
}
