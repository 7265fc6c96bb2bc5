//! Files of many blocks: what is asked of which server, and what is on the disk in the end.

use std::io::Read as _;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fake_hub::{FakeHub, Made, Origin, Request};
use fs_err as fs;
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use crate::beneath::Beneath;
use crate::deadline::Deadline;
use crate::facts::hub::blocks::BLOCK;
use crate::facts::hub::retries::Retries;
use crate::facts::hub::{Download, Hub, HubError, Listing};
use crate::options::HubOptions;
use crate::options::{Locking, NetworkOptions};
use crate::progress::{Event, Progress};
use crate::source::Source;

const REPOSITORY: &str = "acme/large";
const MODEL: &str = "model.gguf";
/// Ten blocks, the last one short.
const SIZE: u64 = 9 * BLOCK + 1_000_000;
const BLOCKS: usize = 10;

/// As many attempts as in earnest, without the waits.
const HASTE: Retries =
    Retries { attempts: 5, base: Duration::from_millis(2), longest: Duration::from_secs(300) };

fn made() -> Made {
    Made::new(b"GGUF", SIZE, 42)
}

fn hub(faults: &[&str]) -> FakeHub {
    let builder = FakeHub::builder().made(REPOSITORY, MODEL, made());
    let add = |builder: fake_hub::Builder, fault: &&str| builder.fault(fault.parse().unwrap());
    faults.iter().fold(builder, add).start().unwrap()
}

fn options(fake: &FakeHub, max_workers: usize) -> HubOptions {
    HubOptions {
        endpoint: fake.url(),
        token: None,
        offline: false,
        max_workers,
        limit_rate: None,
        deadline: None,
        silence: Duration::from_millis(500),
        locking: Locking::default(),
        network: NetworkOptions::default(),
    }
}

fn source(path: &str) -> Source {
    Source {
        owner: "acme".to_owned(),
        repo: "large".to_owned(),
        revision: None,
        path: Some(path.to_owned()),
    }
}

fn download(listing: &Listing, destination: PathBuf) -> Download {
    Download::plain(listing.files[0].clone(), Beneath::root("/").join(destination))
}

async fn fetch(options: &HubOptions, folder: &Path) -> (Result<(), HubError>, Vec<Event>) {
    let hub = Hub::connect_at(options, HASTE).unwrap();
    let listing = hub.probe(&source(MODEL), &[], &[]).await.unwrap();
    let download = download(&listing, folder.join(MODEL));
    let (events, mut received) = unbounded_channel();
    let progress = Progress::new(events);
    let result = hub.fetch(&listing, &[download], &progress).await;
    drop(progress);
    let mut said = Vec::new();
    while let Some(event) = received.recv().await {
        said.push(event);
    }
    (result, said)
}

/// The file is what the hub has, and nothing else is there.
fn assert_whole(folder: &Path) {
    assert_eq!(names(folder), [MODEL]);
    let (mut here, mut there) = (fs::File::open(folder.join(MODEL)).unwrap(), made().reader(0));
    assert_eq!(here.metadata().unwrap().len(), SIZE);
    let (mut one, mut other) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for offset in (0..SIZE).step_by(1 << 20) {
        let length = usize::try_from((SIZE - offset).min(1 << 20)).unwrap();
        here.read_exact(&mut one[..length]).unwrap();
        there.read_exact(&mut other[..length]).unwrap();
        assert!(one[..length] == other[..length], "the MiB from {offset} on differs");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    // The locks and notes that `hf` knows.
    names.retain(|name| name != ".cache");
    names.sort();
    names
}

/// Requests for the file's bytes: to the hub, which redirects, and to the CDN.
fn asked(fake: &FakeHub, origin: Origin) -> Vec<Request> {
    let mut requests = fake.requests();
    requests.retain(|one| {
        one.origin == origin && one.method == "GET" && !one.path.starts_with("/api/models")
    });
    requests
}

/// First and last byte of every range that the CDN was asked for.
fn ranges(fake: &FakeHub) -> Vec<(u64, u64)> {
    let parse = |request: Request| {
        let range = request.range.unwrap_or_else(|| panic!("no range: {}", request.path));
        let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        (first.parse().unwrap(), last.parse().unwrap())
    };
    asked(fake, Origin::Cdn).into_iter().map(parse).collect()
}

/// Fetches with faults, which it has to survive.
async fn survives(faults: &[&str], workers: usize) -> (FakeHub, Vec<Event>) {
    let fake = hub(faults);
    let folder = TempDir::new().unwrap();
    let (result, events) = fetch(&options(&fake, workers), folder.path()).await;
    result.unwrap_or_else(|error| panic!("{faults:?}: {error}"));
    assert_whole(folder.path());
    (fake, events)
}

#[tokio::test]
async fn every_byte_is_asked_for_once_in_bounded_ranges_of_one_address() {
    let (fake, events) = survives(&[], 4).await;
    let mut ranges = ranges(&fake);
    ranges.sort_unstable();
    let mut next = 0;
    for (first, last) in ranges {
        assert_eq!(first, next);
        assert!(last - first < 16 * BLOCK);
        next = last + 1;
    }
    assert_eq!(next, SIZE);
    assert_eq!(asked(&fake, Origin::Hub).len(), 1);
    assert!(fake.most_sending() <= 4);
    let sum = |select: fn(&Event) -> u64| events.iter().map(select).sum::<u64>();
    assert_eq!(sum(|it| if let Event::Received { bytes, .. } = it { *bytes } else { 0 }), SIZE);
    assert_eq!(sum(|it| if let Event::Verified { bytes, .. } = it { *bytes } else { 0 }), SIZE);
}

#[tokio::test]
async fn several_connections_are_open_at_the_same_time() {
    let (fake, _) = survives(&["slow=8000000:all"], 4).await;
    assert_eq!(fake.most_sending(), 4);
}

#[tokio::test]
async fn an_address_that_expires_is_looked_up_once_for_all_connections() {
    let (fake, _) = survives(&["expires=3:all"], 4).await;
    assert_eq!(asked(&fake, Origin::Hub).len(), BLOCKS.div_ceil(3));
}

#[tokio::test]
async fn connections_that_are_refused_together_do_not_wait_for_each_other() {
    // Whether they meet is chance: one fetch in six did.
    for _ in 0..12 {
        let fetch = survives(&["expires=3:all"], 4);
        tokio::time::timeout(Duration::from_secs(60), fetch).await.expect("it stands still");
    }
}

#[tokio::test]
async fn a_crowded_store_gets_fewer_connections_until_it_serves() {
    let (fake, _) = survives(&["crowded=2:all", "slow=20000000:all"], 8).await;
    let refused = asked(&fake, Origin::Cdn).iter().filter(|one| one.status == 403).count();
    assert!((1..=40).contains(&refused), "{refused} refusals");
}

#[tokio::test]
async fn a_store_that_serves_a_file_in_ranges_alone_is_asked_for_nothing_else() {
    let (fake, _) = survives(&["ranges-only:all"], 4).await;
    assert!(asked(&fake, Origin::Cdn).iter().all(|request| request.status == 206));
    let whole = format!("{}/{REPOSITORY}/resolve/main/{MODEL}", fake.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(client.get(whole).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_store_that_ignores_ranges_sends_the_file_once() {
    let (fake, _) = survives(&["ignore-range:all"], 8).await;
    assert_eq!(asked(&fake, Origin::Cdn).len(), 1);
    let (fake, _) = survives(&["ignore-range:all", "cut=9000000:all"], 8).await;
    assert_eq!(asked(&fake, Origin::Cdn).len(), 2);
    // It begins to ignore them when others are under way already.
    survives(&["slow=30000000:all", "cut=3000000*3:all", "ignore-range*2:all"], 4).await;
}

#[tokio::test]
async fn cuts_and_silences_of_some_connections_cost_what_is_left_of_their_ranges_only() {
    // Two of the four bodies that would be cut are silent before that.
    let (fake, _) = survives(&["cut=3000000*4:all", "stall=1000000*2:all"], 4).await;
    // What was under way when a connection was left may have been sent.
    assert!(fake.served() < SIZE + 2 * BLOCK, "{}", fake.served());
    assert_eq!(asked(&fake, Origin::Cdn).len(), BLOCKS + 4);
    assert_eq!(asked(&fake, Origin::Hub).len(), 1);
}

#[tokio::test]
async fn bytes_of_another_content_are_found_by_their_etag_and_nothing_else_comes_again() {
    let (fake, events) = survives(&["other-content*1:all"], 4).await;
    let again = |event: &&Event| matches!(event, Event::Again { bytes, .. } if *bytes == BLOCK);
    assert_eq!(events.iter().filter(again).count(), 1, "{events:?}");
    assert_eq!(asked(&fake, Origin::Cdn).len(), BLOCKS + 1);
}

#[tokio::test]
async fn a_wrong_byte_costs_at_most_one_more_pass() {
    let (fake, _) = survives(&["corrupt*1:all"], 4).await;
    assert!(fake.served() <= 2 * SIZE, "{}", fake.served());
    assert!(asked(&fake, Origin::Cdn).len() > BLOCKS);
}

#[tokio::test]
async fn what_stays_wrong_is_refused_after_one_more_pass_and_leaves_nothing() {
    let fake = hub(&["corrupt:all"]);
    let folder = TempDir::new().unwrap();
    let error = fetch(&options(&fake, 4), folder.path()).await.0.unwrap_err();
    assert!(matches!(error, HubError::Corrupt { .. }), "{error}");
    assert_eq!(names(folder.path()), [""; 0]);
    assert!(fake.served() <= 2 * SIZE, "{}", fake.served());
}

#[tokio::test]
async fn a_rate_is_kept_over_all_connections() {
    let fake = hub(&[]);
    let folder = TempDir::new().unwrap();
    let limit_rate = NonZeroU64::new(40_000_000);
    let start = Instant::now();
    fetch(&HubOptions { limit_rate, ..options(&fake, 4) }, folder.path()).await.0.unwrap();
    // 38.7 MB, of which a quarter of a second comes at once.
    assert!(start.elapsed() > Duration::from_millis(600), "{:?}", start.elapsed());
    assert_whole(folder.path());
}

#[tokio::test]
async fn a_hub_that_allows_few_more_requests_is_asked_slowly_and_never_refuses() {
    let start = Instant::now();
    let (fake, _) = survives(&["few=0:all"], 4).await;
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(fake.requests().iter().all(|request| request.status != 429));
}

#[tokio::test]
async fn a_mirror_may_lie_below_a_path_and_compress_what_is_not_wanted_as_it_is() {
    let fake = FakeHub::builder()
        .below("/mirrors/hf")
        .file(REPOSITORY, "config.json", "{}")
        .made(REPOSITORY, MODEL, made())
        .fault("gzip:all".parse().unwrap())
        .start()
        .unwrap();
    let folder = TempDir::new().unwrap();
    let endpoint = format!("{}/mirrors/hf", fake.url());
    let hub = Hub::connect_at(&HubOptions { endpoint, ..options(&fake, 2) }, HASTE).unwrap();
    for path in ["config.json", MODEL] {
        let listing = hub.probe(&source(path), &[], &[]).await.unwrap();
        let download = download(&listing, folder.path().join(path));
        hub.fetch(&listing, &[download], &Progress::new(unbounded_channel().0)).await.unwrap();
    }
    assert_eq!(fs::read_to_string(folder.path().join("config.json")).unwrap(), "{}");
    fs::remove_file(folder.path().join("config.json")).unwrap();
    assert_whole(folder.path());
}

/// A fetch that ended when three blocks and a piece of the fourth had come.
struct Interrupted {
    fake: FakeHub,
    folder: TempDir,
}

const CAME: u64 = 3 * BLOCK;

impl Interrupted {
    async fn new() -> Self {
        let fake = hub(&["stall=14000000:all"]);
        let folder = TempDir::new().unwrap();
        let patient = HubOptions { silence: Duration::from_secs(60), ..options(&fake, 1) };
        let this = Self { fake, folder };
        tokio::select! {
            _ = fetch(&patient, this.folder.path()) => panic!("it ended in a silence"),
            () = this.until_three_blocks_are_kept() => {}
        }
        this.fake.release();
        this
    }

    async fn until_three_blocks_are_kept(&self) {
        let lines = || match fs::read_to_string(self.journal()) {
            Ok(text) => text.lines().count(),
            Err(_) => 0,
        };
        while lines() < 4 {
            tokio::task::yield_now().await;
        }
    }

    fn unfinished(&self, kind: &str) -> PathBuf {
        let name = names(self.folder.path()).into_iter().find(|name| name.ends_with(kind));
        self.folder.path().join(name.unwrap_or_default())
    }

    fn data(&self) -> PathBuf {
        self.unfinished(".incomplete")
    }

    fn journal(&self) -> PathBuf {
        self.unfinished(".journal")
    }

    /// Fetches again: the ranges that are asked for now, and what was said.
    async fn go_on(&self) -> (Vec<(u64, u64)>, Vec<Event>) {
        let before = ranges(&self.fake).len();
        let (result, events) = fetch(&options(&self.fake, 1), self.folder.path()).await;
        result.unwrap();
        assert_whole(self.folder.path());
        (ranges(&self.fake).split_off(before), events)
    }
}

/// What is fetched after an interruption and a change of what it left.
async fn check(change: impl FnOnce(&Interrupted)) -> (u64, Vec<Event>) {
    let interrupted = Interrupted::new().await;
    change(&interrupted);
    let (ranges, events) = interrupted.go_on().await;
    (ranges.iter().map(|(first, last)| last - first + 1).sum(), events)
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    // In place: a lock or a name may hang on the file itself.
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn an_interrupted_fetch_goes_on_behind_the_last_block_that_came() {
    let interrupted = Interrupted::new().await;
    let (ranges, events) = interrupted.go_on().await;
    assert_eq!(ranges[0].0, CAME);
    assert_eq!(ranges.iter().map(|(first, last)| last - first + 1).sum::<u64>(), SIZE - CAME);
    let resumed = |event: &Event| matches!(event, Event::Resumed { bytes, .. } if *bytes == CAME);
    assert!(events.iter().any(resumed), "{events:?}");
}

#[tokio::test]
async fn a_block_that_is_not_as_its_journal_says_comes_again_and_no_other_does() {
    // A flipped bit, and a hole where a power loss took what was never written.
    let (bytes, events) = check(|it| edit(&it.data(), |data| data[5_000_000] ^= 1)).await;
    assert_eq!(bytes, SIZE - CAME + BLOCK);
    assert!(events.iter().any(|event| matches!(event, Event::Again { .. })), "{events:?}");
    let hole = |data: &mut Vec<u8>| data[..4_194_304].fill(0);
    assert_eq!(check(|it| edit(&it.data(), hole)).await.0, SIZE - CAME + BLOCK);
}

#[tokio::test]
async fn a_torn_journal_costs_the_block_of_its_last_line() {
    let torn = |text: &mut Vec<u8>| text.truncate(text.len() - 5);
    assert_eq!(check(|it| edit(&it.journal(), torn)).await.0, SIZE - CAME + BLOCK);
}

#[tokio::test]
async fn without_a_journal_or_with_that_of_another_content_nothing_is_believed() {
    assert_eq!(check(|it| fs::remove_file(it.journal()).unwrap()).await.0, SIZE);
    let other = |text: &mut Vec<u8>| text[30] ^= 1;
    assert_eq!(check(|it| edit(&it.journal(), other)).await.0, SIZE);
    assert_eq!(check(|it| fs::remove_file(it.data()).unwrap()).await.0, SIZE);
    assert_eq!(check(|it| edit(&it.data(), |data| data.truncate(9_000_000))).await.0, SIZE);
}

#[tokio::test]
async fn a_run_that_ended_just_before_the_last_step_left_everything() {
    let (bytes, events) = check(|it| {
        let mut all = Vec::new();
        made().reader(0).read_to_end(&mut all).unwrap();
        fs::write(it.data(), all).unwrap();
        fs::remove_file(it.journal()).unwrap();
    })
    .await;
    assert_eq!(bytes, 0);
    assert!(matches!(events.last(), Some(Event::Finished { .. })), "{events:?}");
}

#[tokio::test]
async fn what_is_left_of_another_content_of_the_same_name_goes_with_success() {
    check(|it| {
        for kind in ["incomplete", "journal"] {
            fs::write(it.folder.path().join(format!(".{MODEL}.01234567.{kind}")), "x").unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_foreseeable_name_that_leads_elsewhere_is_not_followed() {
    let interrupted = Interrupted::new().await;
    let (data, elsewhere) = (interrupted.data(), interrupted.folder.path().join("elsewhere"));
    fs::remove_file(&data).unwrap();
    fs::write(&elsewhere, "precious").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &data).unwrap();
    let error = fetch(&options(&interrupted.fake, 1), interrupted.folder.path()).await.0;
    assert!(matches!(error, Err(HubError::LinkLeaves { .. })), "{error:?}");
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious");
}

#[tokio::test]
async fn a_fetch_that_may_take_no_longer_keeps_what_came() {
    let fake = hub(&["slow=20000000:all"]);
    let folder = TempDir::new().unwrap();
    let deadline = Deadline::after(Duration::from_millis(900));
    let hasty = HubOptions { deadline, ..options(&fake, 2) };
    let error = fetch(&hasty, folder.path()).await.0.unwrap_err();
    assert!(matches!(error, HubError::TimedOut { .. }), "{error}");
    assert!(!folder.path().join(MODEL).exists());
    let before = fake.served();
    fetch(&options(&fake, 8), folder.path()).await.0.unwrap();
    assert_whole(folder.path());
    assert!(fake.served() - before < SIZE, "{}", fake.served());
}

#[tokio::test]
async fn a_body_that_drips_is_left_and_told_in_the_end() {
    let fake = hub(&[&format!("slow=40:{REPOSITORY}/{MODEL}")]);
    let folder = tempfile::tempdir().unwrap();
    let options = HubOptions { silence: Duration::from_millis(100), ..options(&fake, 1) };
    let (result, _) = fetch(&options, folder.path()).await;
    assert!(matches!(result, Err(HubError::Crawls { .. })), "{result:?}");
    let asked = fake.requests().iter().filter(|it| it.origin == Origin::Cdn).count();
    assert_eq!(asked, 5, "{:?}", fake.requests());
}
