//! `docker stop` while the init container fetches: process 1 of an image that has nothing else.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::docker_stack::{MODEL_PATH, SOURCE, Stack, wait_for};

const SIZE: u64 = 80_000_000;

/// After so many bytes the hub is silent: within the first range that a single connection asks for.
const SENT: u64 = 36_000_000;

/// What a journal has a line for.
const BLOCK: u64 = 4 << 20;

/// What a connection may lose.
const LOST: u64 = 16 << 20;

/// The finished blocks of the unfinished model, once there is a journal.
fn finished(stack: &Stack) -> Option<Vec<Range<u64>>> {
    let files = stack.files("models").into_iter();
    let mut journals = files.filter(|file| file.to_string_lossy().ends_with(".journal"));
    let text = fs_err::read_to_string(stack.path("models").join(journals.next()?)).ok()?;
    let block = |line: &str| {
        let start = u64::from_str_radix(line.get(..8)?, 16).ok()? * BLOCK;
        Some(start..(start + BLOCK).min(SIZE))
    };
    Some(text.lines().skip(1).filter_map(block).collect())
}

/// The bytes that a request asked the hub for, if it is one for the model's content.
fn asked(request: &str) -> Option<Range<u64>> {
    let range = request.strip_prefix("cdn GET ")?.split_once(" range=")?.1;
    let Some(range) = range.split(' ').next()?.strip_prefix("bytes=") else { return Some(0..SIZE) };
    let (first, last) = range.split_once('-')?;
    Some(first.parse().ok()?..last.parse::<u64>().map_or(SIZE, |last| last + 1))
}

fn length(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

#[test]
fn a_stopped_fetch_ends_at_once_and_the_next_start_goes_on() {
    let Some(stack) = Stack::new("stop", Some(SOURCE)) else { return };
    let served = stack.path("hub/acme/tiny-GGUF/tiny-Q4_K_M.gguf");
    fs_err::OpenOptions::new().write(true).open(&served).unwrap().set_len(SIZE).unwrap();
    stack.set_environment(&[("PREFLIGHT_MAX_WORKERS", "1")]);
    stack.edit("compose.yaml", |text| {
        let root = "      - --root=/hub\n";
        text.replace(root, &format!("{root}      - --fault=stall={SENT}:all\n"))
    });
    stack.start_hub();
    let up = stack.compose(&["up", "-d", "preflight"]);
    assert_eq!(up.code, 0, "{}", up.stderr);
    wait_for("all blocks but those that may be lost", || {
        finished(&stack).filter(|blocks| SENT <= length(blocks) + LOST)
    });
    let begin = Instant::now();
    assert_eq!(stack.compose(&["stop", "--timeout", "30", "preflight"]).code, 0);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!(stack.inspect("preflight", ".State.ExitCode"), "143");
    assert!(!stack.path(MODEL_PATH).exists());

    let kept = finished(&stack).unwrap();
    assert!(SENT <= length(&kept) + LOST, "{kept:?}");
    let before = stack.hub_requests();
    assert_eq!(before.iter().filter_map(|request| asked(request)).count(), 1, "{before:#?}");
    stack.compose(&["up", "preflight"]);
    let fetched = fs_err::read(stack.path(MODEL_PATH)).unwrap();
    assert!(fetched == fs_err::read(served).unwrap(), "the file differs from the hub's");
    assert_eq!(stack.files("models").iter().filter(|file| is_temporary(file)).count(), 0);

    let requests = stack.hub_requests();
    let again: Vec<_> =
        requests[before.len()..].iter().filter_map(|request| asked(request)).collect();
    for block in &kept {
        let is_of = |range: &Range<u64>| range.start < block.end && block.start < range.end;
        assert!(!again.iter().any(is_of), "{block:?} was there: {again:?}");
    }
    assert_eq!(length(&again), SIZE - length(&kept), "{again:?}");
}

fn is_temporary(file: &std::path::Path) -> bool {
    file.extension().is_some_and(|kind| kind == "incomplete" || kind == "journal")
}
