//! What is fetched is what the hub has, or nothing is there.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use fake_hub::{Builder, FakeHub, Origin};
use preflight::beneath::Beneath;
use preflight::facts::hub::{Download, Hub, HubError, Listing};
use preflight::options::{HubOptions, Token};
use preflight::progress::Progress;
use preflight::source::Source;
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

const REPOSITORY: &str = "acme/tiny";
const MODEL: &str = "model-00001-of-00001.safetensors";
const CONFIG: &str = "{\"architectures\": []}";

/// A repository with small files, a large one, a folder and an empty file.
fn repository() -> Builder {
    FakeHub::builder()
        .file(REPOSITORY, "config.json", CONFIG)
        .file(REPOSITORY, "1_Pooling/config.json", "{}")
        .file(REPOSITORY, "empty.txt", "")
        .file(REPOSITORY, "notes #1 %41.md", "odd")
        .file(REPOSITORY, MODEL, weights())
}

fn weights() -> Vec<u8> {
    (0..5_000_000_u32).map(|index| (index % 253) as u8).collect()
}

fn with_faults(faults: &[&str]) -> FakeHub {
    let add = |builder: Builder, fault: &&str| builder.fault(fault.parse().unwrap());
    faults.iter().fold(repository(), add).start().unwrap()
}

fn options(fake: &FakeHub) -> HubOptions {
    HubOptions {
        endpoint: fake.url(),
        token: None,
        offline: false,
        max_workers: 3,
        limit_rate: None,
        deadline: None,
        silence: Duration::from_secs(30),
        locking: preflight::options::Locking::default(),
        network: preflight::options::NetworkOptions::default(),
    }
}

fn source(path: Option<&str>) -> Source {
    Source {
        owner: "acme".to_owned(),
        repo: "tiny".to_owned(),
        revision: None,
        path: path.map(str::to_owned),
    }
}

/// One download for each file of a listing, below `folder`.
fn downloads(listing: &Listing, folder: &Path) -> Vec<Download> {
    let download = |file: &preflight::facts::hub::RemoteFile| {
        Download::plain(file.clone(), Beneath::root(folder).join(&file.path))
    };
    listing.files.iter().map(download).collect()
}

/// Probe and fetch of a whole repository or of one file of it.
async fn fetch(options: &HubOptions, source: &Source, folder: &Path) -> Result<Listing, HubError> {
    let hub = Hub::connect(options)?;
    let listing = hub.probe(source, &[], &[]).await?;
    let (events, _) = unbounded_channel();
    hub.fetch(&listing, &downloads(&listing, folder), &Progress::new(events)).await?;
    Ok(listing)
}

/// Every file below a folder, relative, sorted, without `hf`'s notes.
fn files(folder: &Path) -> Vec<String> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name();
    walk.into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned())
        .filter(|path| !path.starts_with(".cache/"))
        .collect()
}

#[tokio::test]
async fn a_whole_repository_arrives_byte_for_byte_with_one_request_for_each_step() {
    let fake = with_faults(&[]);
    let folder = TempDir::new().unwrap();
    let listing = fetch(&options(&fake), &source(None), folder.path()).await.unwrap();
    assert_eq!(listing.commit, fake.commit(REPOSITORY));
    let mut expected =
        ["1_Pooling/config.json", "config.json", "empty.txt", MODEL, "notes #1 %41.md"];
    expected.sort_unstable();
    assert_eq!(files(folder.path()), expected);
    assert!(fs_err::read(folder.path().join(MODEL)).unwrap() == weights());
    assert_eq!(fs_err::read_to_string(folder.path().join("config.json")).unwrap(), CONFIG);
    assert_eq!(fs_err::read_to_string(folder.path().join("notes #1 %41.md")).unwrap(), "odd");
    let requests = fake.requests();
    let count = |origin, part: &str| {
        requests.iter().filter(|one| one.origin == origin && one.path.contains(part)).count()
    };
    assert_eq!(count(Origin::Hub, "/revision/main"), 1);
    assert_eq!(count(Origin::Hub, "/tree/"), 1);
    assert_eq!(count(Origin::Cdn, MODEL), 2);
    // Revision, tree, one probe of access, three small files over a redirect, one redirect and two
    // ranges of the large file; nothing for the empty one.
    assert_eq!(requests.len(), 1 + 1 + 1 + 3 * 2 + 3, "{requests:#?}");
}

#[tokio::test]
async fn hf_finds_the_notes_that_it_would_have_left_itself() {
    let fake = with_faults(&[]);
    let folder = TempDir::new().unwrap();
    let listing = fetch(&options(&fake), &source(None), folder.path()).await.unwrap();
    let notes = folder.path().join(".cache/huggingface");
    assert_eq!(fs_err::read_to_string(notes.join(".gitignore")).unwrap(), "*");
    assert!(notes.join("CACHEDIR.TAG").exists());
    let text = fs_err::read_to_string(notes.join(format!("download/{MODEL}.metadata"))).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let [commit, etag, time] = lines.as_slice() else { panic!("{text}") };
    assert_eq!(*commit, listing.commit);
    assert_eq!(etag.len(), 64);
    let modified = fs_err::metadata(folder.path().join(MODEL)).unwrap().mtime();
    assert!(time.parse::<f64>().unwrap() >= modified as f64);
    assert!(notes.join("download/1_Pooling/config.json.metadata").exists());
}

#[tokio::test]
async fn a_listing_of_many_pages_is_read_to_its_end() {
    // A mirror that passes on the links of the hub that it mirrors.
    let fake = repository().page(2).public_url("http://hub.invalid").start().unwrap();
    let hub = Hub::connect(&options(&fake)).unwrap();
    let listing = hub.probe(&source(None), &[], &[]).await.unwrap();
    assert_eq!(listing.files.len(), 5);
    let json = hub.probe(&source(None), &["*.json".to_owned()], &["1_*".to_owned()]).await.unwrap();
    let paths: Vec<_> = json.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["config.json"]);
}

#[tokio::test]
async fn a_single_file_gets_the_name_that_it_is_given_and_no_notes() {
    let fake = with_faults(&[]);
    let folder = TempDir::new().unwrap();
    let hub = Hub::connect(&options(&fake)).unwrap();
    let loosely = source(Some("Model.00001.of.00001.safetensors"));
    let listing = hub.probe(&loosely, &[], &[]).await.unwrap();
    let [file] = listing.files.as_slice() else { panic!("{listing:?}") };
    assert_eq!(file.path, MODEL);
    let destination = Beneath::root(folder.path()).join("renamed.safetensors");
    let download = Download::plain(file.clone(), destination);
    let (events, _) = unbounded_channel();
    hub.fetch(&listing, &[download], &Progress::new(events)).await.unwrap();
    assert_eq!(files(folder.path()), ["renamed.safetensors"]);
    let notes = folder.path().join(".cache/huggingface/download");
    assert!(!notes.join("renamed.safetensors.metadata").exists());
}

#[tokio::test]
async fn the_token_reaches_the_hub_and_never_its_storage() {
    let fake = repository().require_token("hf_secret").start().unwrap();
    let folder = TempDir::new().unwrap();
    let options = HubOptions { token: Some(Token::new("hf_secret".to_owned())), ..options(&fake) };
    fetch(&options, &source(None), folder.path()).await.unwrap();
    for request in fake.requests() {
        let sent = request.authorization.as_deref();
        let expected = (request.origin == Origin::Hub).then_some("Bearer hf_secret");
        assert_eq!(sent, expected, "{request:?}");
    }
    let hub = Hub::connect(&options).unwrap();
    assert!(!format!("{hub:?}").contains("hf_secret"), "{hub:?}");
}

#[tokio::test]
async fn an_anonymous_fetch_carries_no_token() {
    let fake = with_faults(&[]);
    let folder = TempDir::new().unwrap();
    fetch(&options(&fake), &source(None), folder.path()).await.unwrap();
    let requests = fake.requests();
    assert!(requests.iter().all(|request| request.authorization.is_none()), "{requests:#?}");
}

#[test]
fn a_token_of_the_environment_is_not_taken_behind_the_back_of_the_options() {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fetch::an_anonymous_fetch_carries_no_token"])
        .env("HF_TOKEN", "hf_ambient")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(text.contains("1 passed"), "{text}");
}

/// The error of a probe, and that nothing was asked for more than once.
async fn refusal(fake: &FakeHub, token: Option<&str>, source: &Source) -> HubError {
    let token = token.map(|token| Token::new(token.to_owned()));
    let hub = Hub::connect(&HubOptions { token, ..options(fake) }).unwrap();
    hub.probe(source, &[], &[]).await.unwrap_err()
}

#[tokio::test]
async fn every_refusal_has_its_name() {
    let page = |fake: &FakeHub| format!("{}/acme/tiny", fake.url());
    let gated = with_faults(&["gated:acme/tiny"]);
    let error = refusal(&gated, None, &source(None)).await;
    assert!(matches!(&error, HubError::TokenMissing { page: at, .. } if *at == page(&gated)));
    let denied = with_faults(&["denied:acme/tiny"]);
    let error = refusal(&denied, Some("hf_ok"), &source(None)).await;
    assert!(matches!(&error, HubError::Gated { page: at, .. } if *at == page(&denied)));
    let guarded = repository().token("hf_good").start().unwrap();
    let error = refusal(&guarded, Some("hf_bad"), &source(None)).await;
    assert!(matches!(error, HubError::TokenRejected { .. }), "{error}");
    let private = repository().require_token("hf_good").start().unwrap();
    let error = refusal(&private, None, &source(None)).await;
    assert!(matches!(error, HubError::RepositoryNotFound { .. }), "{error}");
    let fake = with_faults(&[]);
    let elsewhere = Source { repo: "big".to_owned(), ..source(None) };
    for token in [None, Some("hf_any")] {
        let error = refusal(&fake, token, &elsewhere).await;
        assert!(matches!(error, HubError::RepositoryNotFound { .. }), "{error}");
    }
    let later = Source { revision: Some("feature/x".to_owned()), ..source(None) };
    let error = refusal(&fake, None, &later).await;
    assert_eq!(error.to_string(), "`acme/tiny` has no revision `feature/x`");
    let error = refusal(&fake, None, &source(Some("model-00001-of-00002.safetensors"))).await;
    let HubError::FileNotFound { similar, .. } = error else { panic!("{error}") };
    assert_eq!(similar, [MODEL]);
    let offline = HubOptions { offline: true, ..options(&fake) };
    let error = Hub::connect(&offline).unwrap().probe(&source(None), &[], &[]).await.unwrap_err();
    assert!(matches!(error, HubError::Offline), "{error}");
}

#[tokio::test]
async fn a_revision_with_a_slash_is_one_revision() {
    let fake = repository().tag(REPOSITORY, "release/v1").start().unwrap();
    let tagged = Source { revision: Some("release/v1".to_owned()), ..source(None) };
    let listing = Hub::connect(&options(&fake)).unwrap().probe(&tagged, &[], &[]).await.unwrap();
    assert_eq!(listing.commit, fake.commit(REPOSITORY));
}

#[tokio::test]
async fn names_that_leave_the_folder_stop_everything_before_the_first_byte() {
    for name in ["../evil.txt", "/tmp/evil.txt", "a/../../evil", ".cache/huggingface/download/x"] {
        let fake = repository().unsafe_name(REPOSITORY, name).start().unwrap();
        let folder = TempDir::new().unwrap();
        let error = fetch(&options(&fake), &source(None), folder.path()).await.unwrap_err();
        assert!(matches!(error, HubError::UnsafeName { .. }), "{name}: {error}");
        assert!(files(folder.path()).is_empty());
        assert!(fake.requests().iter().all(|one| !one.path.contains("resolve")), "{name}");
    }
}

#[tokio::test]
async fn a_file_that_stays_corrupt_never_replaces_the_one_that_is_there() {
    let fake = with_faults(&[&format!("corrupt:acme/tiny/{MODEL}")]);
    let folder = TempDir::new().unwrap();
    fs_err::write(folder.path().join(MODEL), "old").unwrap();
    let error = fetch(&options(&fake), &source(Some(MODEL)), folder.path()).await.unwrap_err();
    assert!(matches!(error, HubError::Corrupt { .. }), "{error}");
    assert_eq!(files(folder.path()), [MODEL]);
    assert_eq!(fs_err::read(folder.path().join(MODEL)).unwrap(), b"old");
}

#[tokio::test]
async fn a_small_file_is_proven_too_wherever_a_mirror_redirects() {
    let fake = with_faults(&["absolute:all", "corrupt*1:acme/tiny/config.json"]);
    let folder = TempDir::new().unwrap();
    fetch(&options(&fake), &source(Some("config.json")), folder.path()).await.unwrap();
    assert_eq!(fs_err::read_to_string(folder.path().join("config.json")).unwrap(), CONFIG);
}

#[tokio::test]
async fn a_hub_that_says_when_to_come_back_is_obeyed() {
    let fake = with_faults(&[&format!("rate-limit=1*1:acme/tiny/{MODEL}")]);
    let folder = TempDir::new().unwrap();
    let start = std::time::Instant::now();
    fetch(&options(&fake), &source(Some(MODEL)), folder.path()).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(fs_err::read(folder.path().join(MODEL)).unwrap() == weights());
}

#[tokio::test]
async fn a_cancelled_fetch_can_be_followed_by_another_at_once() {
    let fake = Arc::new(with_faults(&[&format!("stall=2000000:acme/tiny/{MODEL}")]));
    let folder = TempDir::new().unwrap();
    let stalled = {
        let fake = Arc::clone(&fake);
        tokio::task::spawn_blocking(move || fake.wait_until_stalled(1))
    };
    let (options, source) = (options(&fake), source(Some(MODEL)));
    tokio::select! {
        result = fetch(&options, &source, folder.path()) => {
            panic!("a fetch ended in the middle of a silence: {result:?}")
        }
        stalled = stalled => stalled.unwrap(),
    }
    assert!(!folder.path().join(MODEL).exists());
    fetch(&options, &source, folder.path()).await.unwrap();
    assert_eq!(files(folder.path()), [MODEL]);
    assert!(fs_err::read(folder.path().join(MODEL)).unwrap() == weights());
    fake.release();
}

#[tokio::test]
async fn new_files_and_folders_can_be_read_by_all_and_belong_to_whom_the_folder_does() {
    let fake = with_faults(&[]);
    let root = TempDir::new().unwrap();
    let folder = root.path().join("models");
    fs_err::create_dir(&folder).unwrap();
    fs_err::set_permissions(&folder, std::fs::Permissions::from_mode(0o2700)).unwrap();
    let privileged = std::os::unix::fs::chown(&folder, Some(1234), Some(2345)).is_ok();
    fetch(&options(&fake), &source(None), &folder.join("new/lane")).await.unwrap();
    let owner = fs_err::metadata(&folder).unwrap();
    for entry in walkdir::WalkDir::new(&folder).min_depth(1) {
        let entry = entry.unwrap();
        let stat = entry.metadata().unwrap();
        let is_lock = entry.path().extension().is_some_and(|extension| extension == "lock");
        let mode = if stat.is_dir() { 0o755 } else { 0o644 };
        let mode = if is_lock { 0o664 } else { mode };
        assert_eq!(stat.mode() & 0o777, mode, "{entry:?}");
        assert_eq!((stat.uid(), stat.gid()), (owner.uid(), owner.gid()), "{entry:?}");
    }
    if !privileged {
        skipped("who is not root cannot give files away");
    }
}

/// A small file system of its own, if this process may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(at.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg(&self.0).status().unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_has_its_name_and_is_left_as_it_was() {
    let root = TempDir::new().unwrap();
    let Some(disk) = SmallDisk::mount(root.path()) else {
        return skipped("no small file system can be mounted");
    };
    let fake = with_faults(&[]);
    let error = fetch(&options(&fake), &source(Some(MODEL)), &disk.0).await.unwrap_err();
    assert!(matches!(error, HubError::DiskFull { .. }), "{error}");
    assert!(files(&disk.0).is_empty());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_has_its_name() {
    let fake = with_faults(&[]);
    // Not even root can write here.
    let error = fetch(&options(&fake), &source(Some(MODEL)), Path::new("/proc/models")).await;
    let error = error.unwrap_err();
    assert!(matches!(error, HubError::NotWritable { .. }), "{error}");
}

/// Says what was not tested; for root, where everything has to be, that is a failure.
#[expect(clippy::print_stderr, reason = "who reads the log of the tests has to see it")]
fn skipped(why: &str) {
    let required = std::env::var_os("PREFLIGHT_TEST_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!(required && rustix::process::geteuid().is_root()), "not tested: {why}");
    eprintln!("skipped: {why}");
}
