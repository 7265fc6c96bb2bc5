//! Command lines as people write them, each with how its engine stands to it.

use std::collections::BTreeMap;

use crate::sandbox::{Sandbox, repository};

/// What is told of a command line, the worst in front.
const TOLD: [&str; 3] = ["flag-unknown-to-engine", "command-line-refused", "quotes-in-variable"];

#[test]
fn every_command_line_is_told_as_its_engine_takes_it() {
    let text = fs_err::read_to_string(repository().join("tests/data/command-lines.txt")).unwrap();
    let lines: Vec<[&str; 3]> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.splitn(3, " | ").collect::<Vec<_>>().try_into().unwrap())
        .collect();
    assert!(lines.len() > 50, "{}", lines.len());
    let services: BTreeMap<String, serde_json::Value> = lines
        .iter()
        .enumerate()
        .map(|(index, [_, image, command])| {
            (format!("s{index}"), serde_json::json!({"image": image, "command": command}))
        })
        .collect();
    let compose = serde_json::json!({ "services": services }).to_string();
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    let run = sandbox.run(&["verify", "--no-docker", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let wrong: Vec<String> = lines
        .iter()
        .enumerate()
        .filter_map(|(index, [expected, image, command])| {
            let service = format!("s{index}");
            let mut severities: Vec<&str> = findings
                .iter()
                .filter(|it| it["service"] == service.as_str())
                .filter(|it| TOLD.contains(&it["id"].as_str().unwrap()))
                .map(|it| it["severity"].as_str().unwrap())
                .collect();
            severities.sort_unstable();
            let standing = match severities.first() {
                None | Some(&"note") => "+",
                Some(&"error") => "-",
                Some(_) => "?",
            };
            (standing != *expected).then(|| format!("{standing} | {image} | {command}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
