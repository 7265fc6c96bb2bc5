//! The project's own rules, read off its sources.

use std::process::Command;

use crate::sandbox::repository;

/// Every source file that git tracks, with its text.
fn sources() -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(repository())
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let sources: Vec<_> = names
        .lines()
        .filter(|name| repository().join(name).is_file())
        .map(|name| (name.to_owned(), fs_err::read_to_string(repository().join(name)).unwrap()))
        .collect();
    assert!(sources.len() > 30, "git lists the sources: {names}");
    sources
}

/// The code of a file, without the tests at its end and without comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    code.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_crate_is_named_only_in_its_own_room() {
    let rooms = [
        ("bollard", vec!["src/docker"]),
        ("hf_hub", vec!["src/hub"]),
        ("serde_yaml", vec!["src/yaml.rs"]),
        ("granit_parser", vec!["src/compose"]),
        ("clap", vec!["src/cli"]),
        ("annotate_snippets", vec!["src/report"]),
        ("indicatif", vec!["src/progress"]),
    ];
    for (name, text) in sources().iter().filter(|(name, _)| name.starts_with("src/")) {
        for (krate, allowed) in &rooms {
            let named = code(text).contains(&format!("{krate}::"));
            let here = allowed.iter().any(|room| name.starts_with(room));
            assert!(!named || here, "{name} names {krate}");
        }
    }
}

#[test]
fn judging_does_no_input_or_output() {
    let judging = |name: &str| name.starts_with("src/check") && !name.ends_with("tests.rs");
    for (name, text) in sources().iter().filter(|(name, _)| judging(name)) {
        for word in ["fs_err", "std::fs", "async fn", ".await", "std::env", "reqwest", "tokio"] {
            assert!(!code(text).contains(word), "{name} uses {word}");
        }
    }
}

#[test]
fn no_file_is_a_mod_rs_or_named_for_nothing() {
    for (name, _) in sources() {
        let file = name.rsplit('/').next().unwrap_or(&name);
        let banned = ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "common.rs", "misc.rs"];
        assert!(!banned.contains(&file), "{name}");
    }
}

#[test]
fn files_stay_small_enough_to_be_one_room() {
    for (name, text) in sources() {
        let is_test = name.starts_with("tests/") || name.ends_with("tests.rs");
        let limit = if is_test { 900 } else { 600 };
        assert!(text.lines().count() <= limit, "{name} has {} lines", text.lines().count());
    }
}

#[test]
fn nothing_is_shared_behind_a_lock_and_nothing_is_left_to_do() {
    let unfinished = [concat!("TO", "DO"), concat!("FIX", "ME"), "#[ignore"];
    for (name, text) in sources().iter().filter(|(name, _)| !name.ends_with("tidy.rs")) {
        assert!(!code(text).contains("Arc<Mutex"), "{name} shares state behind a lock");
        for word in unfinished {
            assert!(!text.contains(word), "{name} has {word}");
        }
    }
}

#[test]
fn every_check_is_documented_under_an_id_of_its_own() {
    let mut ids: Vec<&str> = Vec::new();
    for rule in preflight::check::rules() {
        let kebab = rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(kebab && !rule.id.starts_with('-'), "{}", rule.id);
        assert!(!ids.contains(&rule.id), "{} is declared twice", rule.id);
        assert!(rule.docs.len() > 80, "{} says too little", rule.id);
        ids.push(rule.id);
    }
    assert!(ids.len() > 30, "{ids:?}");
}
