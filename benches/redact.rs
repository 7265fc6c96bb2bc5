//! How long it takes to redact texts of three sizes: `cargo bench --bench redact`. Ten times the text has
//! to take ten times as long.

#![expect(clippy::print_stdout, reason = "prints what was measured")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use preflight::plan::engine::FLAG_TABLES;
use preflight::report::redact::Redactor;

/// Bytes of the texts.
const SIZES: [usize; 3] = [1_000, 100_000, 10_000_000];

/// What the texts are made of: a log, a command line, and what is longest undecided.
const KINDS: [(&str, &str); 4] = [
    ("log", "INFO 11-28 10:00:00 loading weights took 3.14 s, max_tokens=5, api_key='abc'\n"),
    ("command", "--model /m/x --api-key A B --port 8000 -e HF_TOKEN=abc "),
    ("one word", "a"),
    ("names alone", "HF_TOKEN="),
];

fn main() {
    let secrets = (0..1000).map(|at| format!("secret-number-{at}"));
    let redactor = Redactor::new(secrets).flags(FLAG_TABLES);
    for (kind, piece) in KINDS {
        for size in SIZES {
            let text = piece.repeat(size / piece.len());
            let times = (0..3).map(|_| {
                let start = Instant::now();
                black_box(redactor.redact(black_box(&text)));
                start.elapsed()
            });
            let best = times.min().unwrap_or(Duration::ZERO);
            let rate = text.len() as f64 / best.as_secs_f64() / 1e6;
            println!("{kind:<12} {size:>9} bytes: {best:>10.1?}, {rate:.0} MB/s");
        }
    }
}
