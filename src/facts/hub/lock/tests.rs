use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, UNIX_EPOCH};

use fs_err as fs;
use tempfile::TempDir;

use super::*;

fn latch(folder: &Path) -> Latch {
    Latch {
        file: Beneath::root(folder).join("x/model.gguf.lock"),
        traces: vec![(Beneath::root(folder), ".model.gguf.".to_owned())],
    }
}

fn locking(method: LockMethod) -> Locking {
    Locking { method, ..Locking::default() }
}

const BOTH: [LockMethod; 2] = [LockMethod::Flock, LockMethod::Lease];

async fn take(folder: &Path, method: LockMethod) -> Lock {
    latch(folder).take(locking(method), |_| {}).await.unwrap()
}

/// The only lease there.
fn lease(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder.join("x")).unwrap().map(|entry| entry.unwrap().path());
    let leases: Vec<_> =
        entries.filter(|path| path.display().to_string().ends_with(".lease")).collect();
    let [lease] = leases.as_slice() else { panic!("{leases:?}") };
    lease.clone()
}

#[tokio::test(start_paused = true)]
async fn the_second_waits_for_the_first_and_names_it() {
    for method in BOTH {
        let folder = TempDir::new().unwrap();
        let first = take(folder.path(), method).await;
        let (said, heard) = mpsc::channel();
        let latch = latch(folder.path());
        let second =
            latch.take(locking(method), move |holder| said.send(holder.to_owned()).unwrap());
        let work = async {
            let long = async {
                tokio::time::sleep(Duration::from_secs(300)).await;
                Ok(())
            };
            first.during(long).await.unwrap();
            drop(first);
        };
        let (second, ()) = tokio::join!(second, work);
        drop(second.unwrap());
        let heard: Vec<String> = heard.try_iter().collect();
        let own = format!("preflight (pid {} on ", std::process::id());
        assert!(heard.iter().all(|holder| holder.starts_with(&own)), "{heard:?}");
        assert!(heard.iter().all(|holder| holder.ends_with("which moves")), "{heard:?}");
        assert!((29..=31).contains(&heard.len()), "once in ten seconds: {}", heard.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_holder_that_stands_still_is_given_up_after_a_minute() {
    let folder = TempDir::new().unwrap();
    let first = take(folder.path(), LockMethod::Flock).await;
    let start = Instant::now();
    let error = latch(folder.path()).take(Locking::default(), |_| {}).await.unwrap_err();
    let HubError::Locked { holder, .. } = error else { panic!("{error}") };
    assert!(holder.ends_with("which has not moved for 60 s"), "{holder}");
    assert_eq!(start.elapsed().as_secs(), 60);
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_makes_no_holder_older_or_younger() {
    let year_9999 = UNIX_EPOCH + Duration::from_secs(253_370_764_800);
    for method in BOTH {
        for changed in [UNIX_EPOCH, year_9999] {
            let folder = TempDir::new().unwrap();
            let first = take(folder.path(), method).await;
            let path = match method {
                LockMethod::Flock => folder.path().join("x/model.gguf.lock"),
                LockMethod::Lease => lease(folder.path()),
            };
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.file().set_modified(changed).unwrap();
            let start = Instant::now();
            let second = latch(folder.path()).take(locking(method), |_| {}).await;
            assert_eq!(second.is_ok(), method == LockMethod::Lease, "{method:?}");
            assert_eq!(start.elapsed().as_secs(), 60, "{method:?} {changed:?}");
            drop(first);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_temporary_file_that_grows_is_a_sign_of_life() {
    let folder = TempDir::new().unwrap();
    let first = take(folder.path(), LockMethod::Flock).await;
    let grow = async {
        for size in 1..20 {
            tokio::time::sleep(Duration::from_secs(40)).await;
            fs::write(folder.path().join(".model.gguf.1"), vec![0; size]).unwrap();
        }
        drop(first);
    };
    let latch = latch(folder.path());
    let (second, ()) = tokio::join!(latch.take(Locking::default(), |_| {}), grow);
    second.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_is_taken_over_and_its_holder_learns_it() {
    let folder = TempDir::new().unwrap();
    let first = take(folder.path(), LockMethod::Lease).await;
    let start = Instant::now();
    let second = take(folder.path(), LockMethod::Lease).await;
    assert_eq!(start.elapsed().as_secs(), 60);
    let never = std::future::pending::<Result<(), HubError>>();
    let error = first.during(never).await.unwrap_err();
    assert!(matches!(error, HubError::Locked { .. }), "{error}");
    drop(first);
    assert!(lease(folder.path()).exists(), "the second still has it");
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_a_process_that_has_ended_counts_for_nothing() {
    let folder = TempDir::new().unwrap();
    let first = take(folder.path(), LockMethod::Lease).await;
    let path = lease(folder.path());
    let text = fs::read_to_string(&path).unwrap();
    let own = format!("pid {}\n", std::process::id());
    fs::write(&path, text.replace(&own, "pid 4294967295\n")).unwrap();
    let start = Instant::now();
    let second = take(folder.path(), LockMethod::Lease).await;
    assert_eq!(start.elapsed().as_secs(), 0);
    assert_ne!(lease(folder.path()), path);
    drop((first, second));
}

#[tokio::test]
async fn of_eight_that_come_at_once_one_at_a_time_is_let_in() {
    for method in BOTH {
        let folder = TempDir::new().unwrap();
        let inside = std::cell::Cell::new(0);
        let one = async || {
            let lock = take(folder.path(), method).await;
            assert_eq!(inside.replace(inside.get() + 1), 0);
            tokio::task::yield_now().await;
            inside.set(0);
            drop(lock);
        };
        futures_util::future::join_all((0..8).map(|_| one())).await;
    }
}

#[tokio::test]
async fn what_is_left_is_an_empty_file_as_hf_leaves_it() {
    for (method, left) in [(LockMethod::Flock, 1), (LockMethod::Lease, 0)] {
        let folder = TempDir::new().unwrap();
        drop(take(folder.path(), method).await);
        let entries = fs::read_dir(folder.path().join("x")).unwrap().count();
        assert_eq!(entries, left, "{method:?}");
    }
    let folder = TempDir::new().unwrap();
    drop(take(folder.path(), LockMethod::Flock).await);
    let metadata = fs::metadata(latch(folder.path()).file.path()).unwrap();
    assert_eq!((metadata.len(), metadata.mode() & 0o777), (0, 0o664));
}

#[test]
fn a_holder_whose_clock_is_ahead_has_held_it_for_no_time() {
    for since in [u64::MAX, 1 << 40] {
        let text = format!("preflight\npid 7\nhost box\nspace s\nsince {since}\n");
        let owner = Owner::parse(&text).unwrap();
        assert_eq!(owner.to_string(), "preflight (pid 7 on box, since 0 s)");
    }
}
