//! The tables of errors in `docs/fit.md`: how far what is told is from what the server logs.

use super::{Compared, FLAGS, Pair, Start};
use crate::documentation::{keep as keep_document, read, with_part};

const DOCUMENT: &str = "docs/fit.md";

/// The columns of what is told exactly, and how the things begin that are in them.
const EXACT: [(&str, &[&str]); 4] = [
    ("weights", &["weights", "mapped", "repacked"]),
    ("cache", &["cache"]),
    ("states", &["states"]),
    ("output", &["output"]),
];

/// Compares the tables with what came of all starts, or writes them.
pub(super) fn keep(all: &[Compared]) {
    let document = with_part(&read(DOCUMENT), "errors by flags", &by_flags(all));
    keep_document(DOCUMENT, &with_part(&document, "errors by model", &by_model(all)));
}

fn head(first: &str) -> String {
    let columns: Vec<&str> = EXACT.iter().map(|(name, _)| *name).collect();
    let columns = columns.join(" | ");
    format!(
        "| {first} | starts | {columns} | compute of its upper bound |\n|---|---:|---:|---:|---:|---:|---|\n"
    )
}

/// Of what is told exactly: where the least alone is told, nothing is.
fn by_flags(all: &[Compared]) -> String {
    let exact = all.iter().filter(|model| !model.is_least());
    let starts: Vec<&Start> = exact.flat_map(|model| &model.starts).collect();
    let of_flags = |flags: &&str| {
        let own: Vec<&Start> = starts.iter().copied().filter(|it| it.flags == *flags).collect();
        let name = if flags.is_empty() { "none".to_owned() } else { format!("`{flags}`") };
        row(&name, &own)
    };
    let rows: String = FLAGS.iter().map(of_flags).collect();
    format!("{}{rows}{}", head("flags"), row("all", &starts))
}

fn by_model(all: &[Compared]) -> String {
    let rows = all.iter().map(|model| {
        let least = if model.is_least() { " (the least)" } else { "" };
        let name = format!("{}{least}", model.name);
        row(&name, &model.starts.iter().collect::<Vec<_>>())
    });
    format!("{}{}", head("model"), rows.collect::<String>())
}

fn row(name: &str, starts: &[&Start]) -> String {
    let exact = EXACT.map(|(_, begins)| largest(starts, begins));
    format!("| {name} | {} | {} | {} |\n", starts.len(), exact.join(" | "), share(starts))
}

/// The largest error of what begins so, in mebibytes; a dash where there is none of it.
fn largest(starts: &[&Start], begins: &[&str]) -> String {
    let is_it = |pair: &&Pair| begins.iter().any(|begin| pair.what.starts_with(begin));
    let pairs = || starts.iter().flat_map(|start| &start.pairs).filter(is_it);
    if pairs().all(|pair| pair.logged.is_empty()) {
        return "-".to_owned();
    }
    let errors = pairs().map(|pair| pair.error().abs());
    format!("{:.2}", errors.fold(0.0, f64::max))
}

/// The least and the most that is computed in between, by the bound that is told.
fn share(starts: &[&Start]) -> String {
    let bounded = starts.iter().filter(|start| start.bounds[1].is_finite());
    let shares: Vec<f64> = bounded.map(|start| start.compute / start.bounds[1]).collect();
    if shares.is_empty() {
        return "-".to_owned();
    }
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let most = shares.iter().copied().fold(0.0, f64::max);
    format!("{least:.2} to {most:.2}")
}
