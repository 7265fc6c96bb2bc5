//! What the hub room does when a hub keeps failing; what a user sees of a fetch is in `tests/it`.

use std::path::Path;
use std::time::Duration;

use fake_hub::{FakeHub, Request};
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::beneath::Beneath;
use crate::options::{Locking, NetworkOptions};
use crate::progress::{Event, Progress};

const REPOSITORY: &str = "acme/tiny";
const MODEL: &str = "model.gguf";

/// As many attempts as in earnest, without the waits.
const HASTE: Retries =
    Retries { attempts: 5, base: Duration::from_millis(2), longest: Duration::from_secs(300) };

fn content() -> Vec<u8> {
    (0..3_000_000_u32).map(|index| (index % 251) as u8).collect()
}

fn hub(faults: &[&str]) -> FakeHub {
    let builder = FakeHub::builder().file(REPOSITORY, MODEL, content());
    faults
        .iter()
        .fold(builder, |builder, fault| builder.fault(fault.parse().unwrap()))
        .start()
        .unwrap()
}

fn options(endpoint: &str) -> HubOptions {
    HubOptions {
        endpoint: endpoint.to_owned(),
        token: None,
        offline: false,
        max_workers: 4,
        limit_rate: None,
        deadline: None,
        silence: Duration::from_millis(300),
        locking: Locking::default(),
        network: NetworkOptions::default(),
    }
}

fn source() -> Source {
    Source {
        owner: "acme".to_owned(),
        repo: "tiny".to_owned(),
        revision: None,
        path: Some(MODEL.to_owned()),
    }
}

async fn fetch(fake: &FakeHub, folder: &Path) -> (Result<(), HubError>, Vec<Event>) {
    let hub = Hub::connect_at(&options(&fake.url()), HASTE).unwrap();
    let listing = hub.probe(&source(), &[], &[]).await.unwrap();
    let destination = Beneath::root(folder).join("deep/er").join(MODEL);
    let download = Download::plain(listing.files[0].clone(), destination);
    let (events, mut received) = unbounded_channel();
    let progress = Progress::new(events).for_lane("lane");
    let result = hub.fetch(&listing, &[download], &progress).await;
    drop(progress);
    let mut said = Vec::new();
    while let Some(event) = received.recv().await {
        said.push(event);
    }
    (result, said)
}

fn gets(requests: &[Request], origin: fake_hub::Origin) -> usize {
    let of_model = |request: &&Request| {
        request.origin == origin
            && request.method == "GET"
            && !request.path.starts_with("/api/models")
    };
    requests.iter().filter(of_model).count()
}

/// Fetches with faults, which it has to survive, and counts requests for the file: to hub, to CDN.
async fn survives(faults: &[&str], expected: (usize, usize)) -> Vec<Event> {
    let fake = hub(faults);
    let folder = TempDir::new().unwrap();
    let (result, events) = fetch(&fake, folder.path()).await;
    result.unwrap_or_else(|error| panic!("{faults:?}: {error}"));
    let file = folder.path().join("deep/er").join(MODEL);
    assert!(fs_err::read(file).unwrap() == content(), "{faults:?}: the bytes differ");
    let requests = fake.requests();
    let counted = (gets(&requests, fake_hub::Origin::Hub), gets(&requests, fake_hub::Origin::Cdn));
    assert_eq!(counted, expected, "{faults:?}: {requests:#?}");
    events
}

/// Fetches with faults that it cannot survive.
async fn fails(faults: &[&str]) -> HubError {
    let fake = hub(faults);
    let folder = TempDir::new().unwrap();
    let (result, _) = fetch(&fake, folder.path()).await;
    let entries = fs_err::read_dir(folder.path().join("deep/er")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name != ".cache").collect();
    assert!(left.is_empty(), "{faults:?}: {left:?}");
    result.unwrap_err()
}

#[tokio::test]
async fn a_cut_is_continued_where_it_happened_without_asking_the_hub_again() {
    survives(&["cut=1000000*2:all"], (1, 3)).await;
}

#[tokio::test]
async fn a_range_that_does_not_say_which_one_it_is_counts_by_its_length() {
    survives(&["no-content-range:all"], (1, 1)).await;
    let error = fails(&["no-content-range=1:all"]).await.to_string();
    assert!(error.contains("it answers with another range"), "{error}");
}

#[tokio::test]
async fn a_store_that_ignores_ranges_is_read_from_its_start() {
    survives(&["cut=1000000:all", "ignore-range:all"], (1, 2)).await;
}

#[tokio::test]
async fn an_expired_address_is_looked_up_again() {
    survives(&["expired:all"], (2, 2)).await;
    survives(&["cut=5:all", "cdn-status=500*2:all"], (3, 4)).await;
}

#[tokio::test]
async fn a_silent_connection_is_left() {
    survives(&["stall=100000:all"], (1, 2)).await;
}

#[tokio::test]
async fn an_overloaded_hub_is_asked_again() {
    survives(&["status=503*2:acme/tiny/model.gguf"], (1, 1)).await;
    survives(&["rate-limit*4:acme/tiny/model.gguf"], (1, 1)).await;
}

#[tokio::test]
async fn a_corrupt_body_is_fetched_once_more_and_progress_says_so() {
    let events = survives(&["corrupt*1:all"], (2, 2)).await;
    let size = content().len() as u64;
    let received: u64 = events
        .iter()
        .map(|event| if let Event::Received { bytes, .. } = event { *bytes } else { 0 })
        .sum();
    assert_eq!(received, 2 * size);
    let again = |event: &&Event| matches!(event, Event::Again { bytes, .. } if *bytes == size);
    assert_eq!(events.iter().filter(again).count(), 1, "{events:?}");
    let last = Event::Finished { lane: "lane".to_owned(), path: MODEL.to_owned() };
    assert_eq!(events.last(), Some(&last));
}

#[tokio::test]
async fn a_fault_that_stays_is_an_error_that_names_it_and_leaves_nothing() {
    for (fault, expected) in [
        ("corrupt:all", "arrived as sha256"),
        ("cut=0*99:all", "cannot be reached: "),
        ("cdn-status=403*99:all", "answers 403"),
        ("stall=0*99:all", "no byte of `model.gguf` for 300ms"),
        ("wrong-size:all", "arrived as 3000000 bytes, expected 3000001 bytes"),
    ] {
        let error = fails(&[fault]).await.to_string();
        assert!(error.contains(expected), "{fault}: {error}");
    }
}

#[tokio::test]
async fn attempts_are_counted_anew_only_after_progress() {
    survives(&["cut=1100000*2:all", "cut=10*3:all"], (1, 6)).await;
    let fake = hub(&["cut=0*99:all"]);
    let folder = TempDir::new().unwrap();
    fetch(&fake, folder.path()).await.0.unwrap_err();
    assert_eq!(gets(&fake.requests(), fake_hub::Origin::Cdn), 5);
}

#[tokio::test]
async fn a_probe_tells_why_the_hub_did_not_answer() {
    let probe = async |fault: &str| {
        let fake = hub(&[fault]);
        let hub = Hub::connect_at(&options(&fake.url()), HASTE).unwrap();
        let result = hub.probe(&source(), &[], &[]).await;
        (result.map(drop), fake.requests().len())
    };
    let (result, requests) = probe("status=500*99:all").await;
    assert!(matches!(result, Err(HubError::Server { status: 500, .. })), "{result:?}");
    assert_eq!(requests, 5);
    let (result, requests) = probe("rate-limit*99:all").await;
    assert!(matches!(result, Err(HubError::RateLimited { retry_after: None })), "{result:?}");
    assert_eq!(requests, 5);
    let (result, requests) = probe("rate-limit=4000:all").await;
    let hour = Some(Duration::from_secs(4000));
    assert!(matches!(result, Err(HubError::RateLimited { retry_after }) if retry_after == hour));
    assert_eq!(requests, 1);
    let (result, _) = probe("status=500*2:all").await;
    assert!(result.is_ok(), "{result:?}");
}

#[tokio::test]
async fn nobody_at_home_is_unreachable_and_names_the_endpoint_only() {
    let gone = hub(&[]).url();
    let hub = Hub::connect_at(&options(&gone), HASTE).unwrap();
    let error = hub.probe(&source(), &[], &[]).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("`{gone}` cannot be reached: ")), "{error}");
}

#[test]
fn a_file_that_has_its_name_is_noted_and_told_though_nobody_waits_for_it_any_more() {
    for size in [1000, 3_000_000] {
        let content = content()[..size].to_vec();
        let fake = FakeHub::builder().file(REPOSITORY, MODEL, content).start().unwrap();
        let folder = TempDir::new().unwrap();
        let root = Beneath::root(folder.path());
        let (names, told) = std::sync::mpsc::channel();
        let names = std::sync::Mutex::new(names);
        let tell: Told = Arc::new(move |download| {
            names.lock().unwrap().send(download.file.path.clone()).unwrap();
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let hub = Hub::connect_at(&options(&fake.url()), HASTE).unwrap();
            let listing = hub.probe(&source(), &[], &[]).await.unwrap();
            let downloads = [Download::plain(listing.files[0].clone(), root.join(MODEL))];
            let progress = Progress::new(unbounded_channel().0);
            let fetch = hub.fetch_and_tell(&listing, &downloads, &progress, &tell);
            let mut fetch = Box::pin(fetch);
            // As when another download fails just then.
            std::future::poll_fn(|context| match root.join(MODEL).exists() {
                true => std::task::Poll::Ready(()),
                false => fetch.as_mut().poll(context).map(Result::unwrap),
            })
            .await;
        });
        // What has begun where blocking is allowed comes to its end.
        drop((runtime, tell));
        assert!(Noted::read(&root, MODEL).is_some(), "{size}");
        assert_eq!(told.iter().collect::<Vec<_>>(), [MODEL], "{size}");
    }
}

#[test]
fn an_endpoint_that_is_no_address_makes_no_client() {
    for endpoint in ["", "huggingface.co", "file:///etc", "http://"] {
        let error = Hub::connect(&options(endpoint)).unwrap_err();
        assert!(matches!(error, HubError::Unreachable { .. }), "{endpoint}: {error}");
    }
}

#[tokio::test]
async fn lanes_can_be_fetched_on_other_threads() {
    fn sends<T: Send>(future: T) -> T {
        future
    }
    let hub = Hub::connect(&HubOptions { offline: true, ..options("http://hub") }).unwrap();
    let listing = Listing { source: source(), commit: "0".repeat(40), files: Vec::new() };
    let progress = Progress::new(unbounded_channel().0);
    sends(hub.probe(&listing.source, &[], &[])).await.unwrap_err();
    sends(hub.fetch(&listing, &[], &progress)).await.unwrap_err();
}
