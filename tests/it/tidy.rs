//! The project's own rules, read off its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use preflight::plan::engine::Engine;

use crate::sandbox::repository;

/// This file, which names what is forbidden.
const FILE: &str = "tests/it/tidy.rs";

/// The rooms, from the ground up: each line may use what stands in the lines above it and nothing
/// else. `ARCHITECTURE.md` shows the same table.
const LAYERS: [&[&str]; 24] = [
    &["amount", "cards", "deadline", "exit_code", "file_name", "limits", "look", "path", "source"],
    &[
        "beneath",
        "regular_file",
        "source_map",
        "suggest",
        "timing",
        "whole_file",
        "yaml",
        "report::redact",
    ],
    &["install", "options", "progress"],
    &["project", "report::logging"],
    &["project::compose", "project::mounts"],
    &["project::docker", "project::kubernetes"],
    &["project::load", "project::view"],
    &["project::stack"],
    &["plan::engine"],
    &["plan::wiring"],
    &["plan::lanes"],
    &["plan"],
    &["init"],
    &["facts::hub", "facts::model"],
    &["facts::doctor", "facts::lockfile", "facts::proof", "facts::smoke"],
    &["facts"],
    &["facts::survey"],
    &["findings"],
    &["findings::check"],
    &["findings::policy_sources"],
    &["report"],
    &["error"],
    &["cli", "signals"],
    &["lib", "main"],
];

/// Every source file that git tracks, with its text.
fn sources() -> Vec<(String, String)> {
    tracked("*.rs")
}

/// Every file that git tracks and whose path is like `pattern`, with its text.
fn tracked(pattern: &str) -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", pattern])
        .current_dir(repository())
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> = names
        .lines()
        .filter(|name| repository().join(name).is_file())
        .map(|name| (name.to_owned(), fs_err::read_to_string(repository().join(name)).unwrap()))
        .collect();
    assert!(files.len() > 30, "git lists {pattern}: {names}");
    files
}

/// The code of a file, without the bodies of its inline test modules and without comments.
fn code(text: &str) -> String {
    let mut lines = text.lines().peekable();
    let mut kept = Vec::new();
    while let Some(line) = lines.next() {
        let is_module = |next: &&str| next.trim_start().starts_with("mod ") && next.ends_with('{');
        if line.trim() == "#[cfg(test)]" && lines.peek().is_some_and(is_module) {
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            lines.by_ref().find(|line| *line == end);
        } else if !line.trim_start().starts_with("//") {
            kept.push(line);
        }
    }
    kept.join("\n")
}

#[test]
fn the_code_of_a_file_goes_on_behind_a_test_module_and_behind_what_only_tests_use() {
    let text =
        "one\n#[cfg(test)]\nfn two() {}\n// three\n#[cfg(test)]\nmod tests {\n    four\n}\nfive\n";
    assert_eq!(code(text), "one\n#[cfg(test)]\nfn two() {}\nfive");
    let cut = |(name, text): &(String, String)| {
        let modules = text.matches("#[cfg(test)]\nmod tests {").count();
        (code(text).contains("mod tests {") || 1 < modules).then(|| name.clone())
    };
    assert_eq!(sources().iter().filter(|it| it.0 != FILE).find_map(cut), None);
}

#[test]
fn a_crate_is_named_only_in_its_own_room() {
    let rooms = [
        ("bollard", vec!["src/project/docker"]),
        ("hf_hub", vec!["src/facts/hub"]),
        ("serde_yaml", vec!["src/yaml.rs"]),
        ("granit_parser", vec!["src/project/compose"]),
        ("clap", vec!["src/cli"]),
        ("annotate_snippets", vec!["src/report"]),
        ("indicatif", vec!["src/report/progress"]),
    ];
    for (name, text) in sources().iter().filter(|(name, _)| name.starts_with("src/")) {
        for (krate, allowed) in &rooms {
            let named = code(text).contains(&format!("{krate}::"));
            let here = allowed.iter().any(|room| name.starts_with(room));
            assert!(!named || here, "{name} names {krate}");
        }
    }
}

/// The room in which a path of modules leads: the longest that is listed.
fn room<'a>(path: impl Iterator<Item = &'a str>) -> Option<(usize, &'static str)> {
    let path: Vec<&str> = path.take(2).collect();
    let listed = |name: &str| {
        LAYERS.iter().enumerate().find_map(|(layer, rooms)| {
            rooms.iter().find(|room| **room == name).map(|room| (layer, *room))
        })
    };
    listed(&path.join("::")).or_else(|| listed(path.first()?))
}

/// The path at the beginning of `rest`, or each of those that it has in braces.
fn paths(rest: &str) -> Vec<String> {
    let is_path = |next: char| next == '_' || next == ':' || next.is_ascii_alphanumeric();
    let end = rest.find(|next| !is_path(next)).unwrap_or(rest.len());
    let path = rest[..end].to_owned();
    let Some(list) = rest[end..].strip_prefix('{') else { return vec![path] };
    let mut depth = 0;
    let mut starts = vec![0];
    for (at, next) in list.char_indices() {
        match next {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    let each = starts.into_iter().flat_map(|start| paths(list[start..].trim_start()));
    each.map(|below| format!("{path}{below}")).collect()
}

/// The rooms that a text names, which is that of the module at `own`.
fn named(text: &str, own: &[&str]) -> BTreeSet<(usize, &'static str)> {
    let code = code(text);
    let from_root = code.split("crate::").skip(1).flat_map(paths);
    let is_of_super = |at: usize| !code[..at].ends_with("super::");
    let relative = code.match_indices("super::").filter(|(at, _)| is_of_super(*at));
    let relative = relative.flat_map(|(at, _)| {
        let rest = code[at..].trim_start_matches("super::");
        let ups = (code.len() - at - rest.len()) / "super::".len();
        let above = own[..own.len().saturating_sub(ups)].join("::");
        paths(rest).into_iter().map(move |path| format!("{above}::{path}"))
    });
    let paths = from_root.chain(relative);
    paths.filter_map(|path| room(path.split("::").filter(|name| !name.is_empty()))).collect()
}

#[test]
fn every_import_points_down_the_layers() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (name, text) in sources().iter().filter(|(name, _)| name.starts_with("src/")) {
        let modules = name.trim_start_matches("src/").trim_end_matches(".rs").split('/');
        let modules: Vec<&str> = modules.collect();
        let room = room(modules.iter().copied());
        let (layer, own) = room.unwrap_or_else(|| panic!("{name} stands in no layer"));
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        for (below, used) in named(text, &modules).into_iter().filter(|_| !is_test) {
            seen += 1;
            if used != own && layer <= below {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 500, "{seen}");
}

#[test]
fn the_imports_of_a_text_are_seen() {
    let text = "use crate::plan::{engine::{Engine, Part}, lanes};\nuse crate::facts::LaneFacts;\nuse \
                super::client::{self, Client};\nuse super::super::survey;\nfn f() { \
                crate::project::compose::load() }";
    let rooms = named(text, &["facts", "hub", "listing"]);
    let rooms: Vec<&str> = rooms.into_iter().map(|(_, room)| room).collect();
    let expected =
        ["project::compose", "plan::engine", "plan::lanes", "facts::hub", "facts", "facts::survey"];
    assert_eq!(rooms, expected);
}

#[test]
fn the_layers_are_shown_as_they_are() {
    let shown = fs_err::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let rows: Vec<String> = LAYERS.iter().map(|layer| layer.join(", ")).collect();
    let table = format!("```text\n{}\n```", rows.join("\n"));
    assert!(shown.contains(&table), "ARCHITECTURE.md shows other layers than\n{table}");
}

#[test]
fn what_changes_a_disk_is_named_in_one_place() {
    let changes = [
        "OpenOptions",
        "create_dir",
        "DirBuilder",
        "File::create",
        "File::options",
        "fs::write(",
        "fs::rename(",
        "renameat",
        "linkat(",
        "hard_link(",
        "fs::symlink",
        "symlinkat(",
        "remove_file(",
        "remove_dir",
        "unlinkat(",
        "mkdirat(",
        "fs::copy(",
        "fs::set_permissions(",
        "chown(",
        "chownat(",
    ];
    let rooms = [
        ("src/beneath.rs", "below a folder of somebody else's"),
        ("src/beneath/", "below a folder of somebody else's"),
        ("src/whole_file.rs", "what whoever runs it has named"),
        ("src/regular_file.rs", "opens to read"),
    ];
    for (name, text) in sources() {
        let is_code = name.starts_with("src/") && !name.contains("/tests");
        if !is_code || rooms.iter().any(|(room, _)| name.starts_with(room)) {
            continue;
        }
        let code = code(&text);
        let named = changes.iter().find(|change| code.contains(**change));
        assert_eq!(named, None, "{name}");
    }
}

#[test]
fn names_of_files_are_read_in_one_place() {
    let words = [
        "\"-of-",
        "\"models--",
        "\"snapshots",
        "\"blobs",
        "\".cache/huggingface/download",
        "\".cache/huggingface/preflight",
        "extension == \"",
        "(\".gguf\")",
    ];
    let elsewhere = |name: &str| {
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        name.starts_with("src/") && !name.starts_with("src/file_name/") && !is_test
    };
    for (name, text) in sources().iter().filter(|(name, _)| elsewhere(name)) {
        for word in words {
            assert!(!code(text).contains(word), "{name} reads names by {word}");
        }
    }
}

#[test]
fn judging_does_no_input_or_output() {
    let judging = |name: &str| name.starts_with("src/findings") && !name.ends_with("tests.rs");
    for (name, text) in sources().iter().filter(|(name, _)| judging(name)) {
        for word in ["fs_err", "std::fs", "async fn", ".await", "std::env", "reqwest", "tokio"] {
            assert!(!code(text).contains(word), "{name} uses {word}");
        }
    }
}

/// Whoever opens a file that somebody else has put there waits for ever where it is a pipe, and fills
/// the memory where it has no end.
#[test]
fn files_are_opened_to_be_read_in_one_place() {
    let readers = [
        "fs::read_to_string",
        "fs_err::read_to_string",
        "fs::read(",
        "fs_err::read(",
        "fs::File::open(",
        "fs_err::File::open(",
        " File::open(",
    ];
    // What the kernel says of processes; a folder.
    let known = ["src/facts/hub/lock/owner.rs", "src/project/docker/machine.rs"];
    let elsewhere = |name: &str| {
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        name.starts_with("src/")
            && name != "src/regular_file.rs"
            && !is_test
            && !known.contains(&name)
    };
    for (name, text) in sources().iter().filter(|(name, _)| elsewhere(name)) {
        for reader in readers {
            assert!(!code(text).contains(reader), "{name} opens files by {reader}");
        }
    }
}

/// What is true of one engine stands in its profile, so that everything else asks for what it wants
/// to know and a new engine touches its own file and `engine.rs`.
#[test]
fn an_engine_is_named_in_its_own_file_alone() {
    let sources = sources();
    let is_product = |name: &str| {
        name.starts_with("src/") && !name.ends_with("tests.rs") && !name.contains("/tests/")
    };
    let code: Vec<(&str, String)> = sources
        .iter()
        .filter(|(name, _)| is_product(name))
        .map(|(name, text)| (name.as_str(), code(text)))
        .collect();
    for (name, code) in &code {
        assert!(!["Engine::{", "Engine::*"].iter().any(|all| code.contains(all)), "{name}");
    }
    for engine in Engine::ALL {
        let variant = format!("Engine::{engine:?}");
        let is_named = |code: &str| {
            let mut behind = code.split(&variant).skip(1);
            behind.any(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        let named = code.iter().filter(|(_, code)| is_named(code)).map(|(name, _)| *name);
        let named: Vec<&str> = named.collect();
        let is_own = |name: &&str| name.starts_with("src/plan/engine/");
        assert!(named.len() == 1 && named.iter().all(is_own), "{variant} is named in {named:?}");
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
    for (name, text) in sources().iter().filter(|(name, _)| name != FILE) {
        assert!(!code(text).contains("Arc<Mutex"), "{name} shares state behind a lock");
        for word in unfinished {
            assert!(!text.contains(word), "{name} has {word}");
        }
    }
}

#[test]
fn every_check_is_documented_beside_its_family_in_a_file_with_its_id() {
    let files: BTreeMap<_, _> = tracked("src/findings/check/*/rules/*.md").into_iter().collect();
    let mut documented = BTreeSet::new();
    for rule in preflight::findings::check::rules() {
        let ending = format!("/rules/{}.md", rule.id);
        let Some((file, text)) = files.iter().find(|(file, _)| file.ends_with(&ending)) else {
            panic!("no src/findings/check/FAMILY{ending}");
        };
        assert!(rule.docs == text, "{} is documented by another file than {file}", rule.id);
        assert!(text.len() > 80, "{file} says too little");
        documented.insert(file);
    }
    assert!(documented.len() > 30, "{documented:?}");
    assert!(files.keys().all(|file| documented.contains(file)), "a file documents no check");
}
