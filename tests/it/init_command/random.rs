//! Random Compose files, out of the forms in which people write them.

#![expect(clippy::print_stderr, reason = "says what was tried")]

use std::fmt::Write as _;

use super::{Case, check, in_state};
use crate::compose_oracle;
use crate::sandbox::Sandbox;

/// How many files are tried.
const FILES: u64 = 60;

/// A small generator of numbers (splitmix64), the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most
    }

    fn is(&mut self, one_of: u64) -> bool {
        self.below(one_of) == 0
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[usize::try_from(self.below(texts.len() as u64)).unwrap()]
    }
}

/// A Compose file being written.
struct Writer {
    dice: Dice,
    step: usize,
    text: String,
    /// The names of the services that are there already.
    known: Vec<String>,
}

impl Writer {
    fn line(&mut self, depth: usize, line: &str) {
        let indent = " ".repeat(self.step * depth);
        let comment = if self.dice.is(6) { " # a: comment, with [brackets]" } else { "" };
        writeln!(self.text, "{indent}{line}{comment}").unwrap();
        if self.dice.is(8) {
            let indent = " ".repeat(self.step * usize::try_from(self.dice.below(4)).unwrap());
            writeln!(self.text, "{indent}# - between: {{lines}}").unwrap();
        }
        if self.dice.is(12) {
            self.text.push('\n');
        }
    }

    fn edges(&mut self) {
        let known = self.known.clone();
        if known.is_empty() || self.dice.is(3) {
            return;
        }
        let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
        names.truncate(1 + usize::try_from(self.dice.below(3)).unwrap());
        let quoted = |dice: &mut Dice, name: &str| match dice.below(4) {
            0 => format!("\"{name}\""),
            1 => format!("'{name}'"),
            _ => name.to_owned(),
        };
        let names: Vec<String> = names.iter().map(|name| quoted(&mut self.dice, name)).collect();
        match self.dice.below(8) {
            0 => self.line(2, &format!("depends_on: [{}]", names.join(", "))),
            1 => {
                let edge = |name: &String| format!("{name}: {{condition: service_started}}");
                let edges: Vec<String> = names.iter().map(edge).collect();
                self.line(2, &format!("depends_on: {{{}}}", edges.join(", ")));
            }
            2 => {
                self.text.push_str(&format!("{}depends_on:\n", " ".repeat(self.step * 2)));
                for name in names {
                    self.line(2, &format!("- {name}"));
                }
            }
            3 => {
                self.line(2, "depends_on:");
                for name in names {
                    self.line(3, &format!("{name}:"));
                    self.line(4, "condition: service_started");
                }
            }
            4 => self.line(2, "depends_on: *after"),
            5 => {
                self.text.push_str(&format!("{}depends_on: [\n", " ".repeat(self.step * 2)));
                for name in names {
                    self.line(3, &format!("{name},"));
                }
                self.line(2, "]");
            }
            _ => {
                self.line(2, "depends_on:");
                for name in names {
                    self.line(3, &format!("- {name}"));
                }
            }
        }
    }

    fn service(&mut self, index: u64) {
        let name = format!("s{index}");
        let quoted = if self.dice.is(4) { format!("\"{name}\"") } else { name.clone() };
        if self.dice.is(7) {
            let command = self.dice.of(&["--model /models/a", "-m /models/b.gguf", "run"]);
            let image = self.dice.of(&["vllm/vllm-openai:v0.12.0", "nginx:1"]);
            self.line(1, &format!("{quoted}: {{image: \"{image}\", command: {command}}}"));
            self.known.push(name);
            return;
        }
        let anchor = if self.dice.is(5) { format!(" &{name}") } else { String::new() };
        self.text.push_str(&format!("{}{quoted}:{anchor}\n", " ".repeat(self.step)));
        if self.dice.is(3) {
            let keys = ["<<: *plain", "<<: *waiting", "<<: [*plain, *waiting]"];
            let key = self.dice.of(&keys);
            self.line(2, key);
        }
        let is_engine = !self.dice.is(3);
        self.line(2, if is_engine { "image: vllm/vllm-openai:v0.12.0" } else { "image: nginx:1" });
        let is_above = self.dice.is(2);
        if is_above {
            self.edges();
        }
        if is_engine {
            match self.dice.below(4) {
                0 => {
                    self.line(2, "command:");
                    self.line(3, "- --model");
                    self.line(3, "- /models/coder");
                }
                1 => {
                    let indent = " ".repeat(self.step * 3);
                    let style = self.dice.of(&[">", ">-", ">+", "|-"]);
                    let written = format!("command: {style}\n{indent}--model /models/coder\n");
                    self.text.push_str(&format!("{}{written}", " ".repeat(self.step * 2)));
                }
                2 => self.line(2, "command: [\"--model\", /models/coder]"),
                _ => self.line(2, "command: --model /models/coder"),
            }
        }
        if self.dice.is(3) {
            self.line(2, "environment:");
            self.line(3, "HF_HUB_OFFLINE: \"1\"");
            self.line(3, "EMPTY:");
        }
        if !is_above {
            self.edges();
        }
        self.known.push(name);
    }
}

/// A file that Compose may read or not.
fn written(seed: u64) -> String {
    let mut dice = Dice(seed);
    let step = [2, 4, 8, 3][usize::try_from(dice.below(4)).unwrap()];
    let mut writer = Writer { dice, step, text: String::new(), known: Vec::new() };
    if writer.dice.is(3) {
        writer.text.push_str(writer.dice.of(&["---\n", "# head\n", "# head\n\n", "name: team\n"]));
    }
    let after = writer.dice.of(&["[base]", "{base: {condition: service_started}}"]);
    writer.text.push_str(&format!("x-after: &after {after}\n"));
    writer.text.push_str("x-plain: &plain {restart: always}\n\nx-waiting: &waiting\n");
    writer.text.push_str("  depends_on:\n    - base\n\n");
    writer.text.push_str("services:\n");
    writer.line(1, "base: {image: \"postgres:17\"}");
    writer.known.push("base".to_owned());
    let count = 2 + writer.dice.below(5);
    for index in 0..count {
        writer.service(index);
    }
    if writer.dice.is(4) {
        writer.text.push_str("volumes:\n  models:\n");
    }
    let mut text = writer.text;
    if writer.dice.is(5) {
        text.truncate(text.trim_end().len());
    }
    if writer.dice.is(5) {
        text = text.replace('\n', "\r\n");
    }
    if writer.dice.is(8) {
        text.insert(0, '\u{feff}');
    }
    text
}

#[test]
fn random_files_are_edited_rightly_or_refused() {
    let is_composed = compose_oracle::is_installed();
    let told = std::env::var_os("PREFLIGHT_TEST_INIT_FILES");
    let files = told.map_or(FILES, |count| count.to_str().unwrap().parse().unwrap());
    let (mut edited, mut by_hand, mut refused) = (0, 0, 0);
    for seed in 0..files {
        let text = written(seed);
        let sandbox = Sandbox::new().file("compose.yaml", &text);
        let case = Case { name: format!("seed {seed}\n{text}"), sandbox, arguments: Vec::new() };
        if case.sandbox.run(&["config"]).code != Some(0) {
            assert_eq!(case.init(&["--write"]).code, Some(2), "{}", case.name);
            refused += 1;
            continue;
        }
        let told = check(&case, is_composed);
        edited += u64::from(!in_state(&told, "will-wait").is_empty());
        by_hand += u64::from(!in_state(&told, "by-hand").is_empty());
    }
    let told = format!("{edited} edited, {by_hand} by hand, {refused} refused, of {files}");
    eprintln!("{told}");
    assert!(edited > files / 2 && by_hand > 0 && refused < files / 3, "{told}");
}
