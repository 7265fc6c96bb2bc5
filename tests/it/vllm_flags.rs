//! vLLM's own parser is the judge of random command lines, in two releases.
//!
//! `PREFLIGHT_TEST_VLLM_PARSER` names `tests/setup/vllm-parser`, which builds it out of the sources;
//! `PREFLIGHT_TEST_SEED` is a number to begin with instead of the usual one.

use std::collections::BTreeSet;
use std::process::Command;

use preflight::plan::engine::{Complaint, Invocation, Refusal, UnknownFlag, invocation};
use preflight::project::Service;
use preflight::source_map::Spanned;
use serde_json::{Value, json};

use crate::judge;

const TABLE: &str = include_str!("../../src/plan/engine/vllm/flags.txt");

const REGISTRIES: &str = include_str!("../../src/plan/engine/vllm/registries.txt");

/// How many command lines each release is asked for.
const CASES: usize = 300;

/// Flags of which more is asked than what the table says: what they name, or what stands beside them.
/// Each has tests of its own, or is not known yet.
const APART: [&str; 10] = [
    "--model",
    "--config",
    "--chat-template",
    "--lora-modules",
    "--grpc-port",
    "--reasoning-effort-map",
    "--data-parallel-multi-port-external-lb",
    "--enable-per-request-metrics",
    "--sse-keep-alive-interval",
    "--help",
];

/// A sequence of numbers that is the same every time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % most.max(1)
    }

    pub(crate) fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// A line of the table of flags: spellings, what it takes, what its values are, marks.
struct Form<'a> {
    spellings: Vec<&'a str>,
    takes: &'a str,
    value: &'a str,
    marks: &'a str,
}

fn forms(table: &str) -> (Vec<&str>, Vec<Form<'_>>) {
    let mut lines = table.lines().filter(|line| !line.starts_with('#'));
    let releases = lines.next().unwrap().split(' ').skip(1).collect();
    let forms = lines.map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let spellings = words[0].split(',').collect();
        Form { spellings, takes: words[1], value: words[2], marks: words[3] }
    });
    (releases, forms.collect())
}

/// A value for a flag, which need not be one that it takes.
fn value<'a>(form: &Form<'a>, dice: &mut Dice) -> &'a str {
    if dice.below(8) == 0 {
        return dice.of(&["bf16", "{a:1}", "image=1", "0,9", "8x", "True", "-1", ""]);
    }
    match form.value.trim_end_matches('?').split(['[', '(']).next().unwrap() {
        "integer" => dice.of(&["1", "2", "16"]),
        "number" => dice.of(&["0.5", "1e-1"]),
        "human" => dice.of(&["2", "1k", "2K", "1.5k"]),
        "human-or-auto" => dice.of(&["auto", "1k", "-1"]),
        "json" | "object" => "{}",
        "json-or-text" => dice.of(&["{}", "text"]),
        "boolean" => dice.of(&["true", "False"]),
        "text" | "secret" | "-" => dice.of(&["text", "/a/path", "a b"]),
        choices => {
            let words: Vec<&str> = choices.split('|').collect();
            words[dice.below(words.len())]
        }
    }
}

/// A flag as it may be written: whole, with `_`, or cut short.
fn spelling(form: &Form<'_>, dice: &mut Dice) -> String {
    let flag = form.spellings[dice.below(form.spellings.len())];
    let cut = |at: usize| flag.get(..at).unwrap_or(flag).to_owned();
    match dice.below(6) {
        0..=2 if !flag.starts_with("--") => cut(2 + dice.below(2)),
        0 => format!("--{}", flag.trim_start_matches('-').replace('-', "_")),
        1 if flag.starts_with("--") && flag.len() > 8 => {
            flag[..flag.len() - 1 - dice.below(flag.len() - 8)].to_owned()
        }
        _ => flag.to_owned(),
    }
}

/// A random command line behind `vllm serve`.
fn line(forms: &[Form<'_>], release: usize, dice: &mut Dice) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..dice.below(5) {
        let form = &forms[dice.below(forms.len())];
        let is_here = form.marks.as_bytes()[release] == b'+';
        // Most flags are of the release.
        if APART.contains(&form.spellings[0]) || !is_here && dice.below(10) > 0 {
            continue;
        }
        let flag = spelling(form, dice);
        match (form.takes, dice.below(7)) {
            ("switch", 0) => words.push(format!("{flag}={}", dice.of(&["true", "1"]))),
            ("switch", _) => words.push(flag),
            (_, 0) => words.push(format!("{flag}={}", value(form, dice))),
            (_, 1..=3) if flag.len() == 2 => words.push(format!("{flag}{}", value(form, dice))),
            (_, 1) if dice.below(6) == 0 => words.push(flag),
            ("some" | "many", _) => {
                words.push(flag);
                let count = 1 + dice.below(2);
                words.extend((0..count).map(|_| value(form, dice).to_owned()));
            }
            _ => words.extend([flag, value(form, dice).to_owned()]),
        }
    }
    if dice.below(12) == 0 {
        let strays = ["--dtype auto", "#", "\\", " --seed", "extra", "'quoted'", "}", "--no-such"];
        words.insert(dice.below(words.len() + 1), dice.of(&strays).to_owned());
    }
    let model = |word: &str| word.to_owned();
    match dice.below(8) {
        0..=3 => words.insert(0, model("/m")),
        4 => words.extend([model("--model"), model("/m")]),
        5 => words.push("--model=/m".to_owned()),
        6 => words.splice(0..0, [model("/m"), model("--model"), model("/n")]).for_each(drop),
        _ => words.extend(["--model", "/m", "--model", "/n"].map(model)),
    }
    words
}

/// What a script answers to each question about a release, one a line.
pub(crate) fn answers(judge: &str, release: &str, questions: &[Value]) -> Vec<Value> {
    judge::answers(Command::new(judge).args(["--judge", release]), questions)
}

/// What the parser of a release says to each line: the model, or why it exits.
fn judged(parser: &str, release: &str, lines: &[Vec<String>]) -> Vec<Result<String, String>> {
    let questions: Vec<Value> = lines.iter().map(|line| json!(line)).collect();
    let answer = |answer: Value| match answer["model"].as_str() {
        Some(model) => Ok(model.to_owned()),
        None => Err(answer["error"].as_str().unwrap().to_owned()),
    };
    answers(parser, release, &questions).into_iter().map(answer).collect()
}

fn read(release: &str, words: &[String]) -> Invocation {
    let mut service = Service::named(Spanned::nowhere("llm".to_owned()));
    service.image = Some(Spanned::nowhere(format!("vllm/vllm-openai:v{release}")));
    service.command = Some(words.iter().cloned().map(Spanned::nowhere).collect());
    invocation(&service).unwrap()
}

/// Whether preflight says that the engine exits over its words.
fn is_refused(invocation: &Invocation) -> bool {
    invocation.model().is_none()
        || invocation.complaints.iter().any(|complaint| {
            if let Complaint::UnknownFlag(UnknownFlag { is_certain, .. })
            | Complaint::BadValue { is_certain, .. }
            | Complaint::Refused(Refusal { is_certain, .. }) = &complaint.value
            {
                return *is_certain;
            }
            let is_doubtful = |it: &Complaint| {
                matches!(it, Complaint::EmptyValue { .. } | Complaint::ListReplaced { .. })
            };
            !is_doubtful(&complaint.value)
        })
}

/// What the parser does not check, and preflight does: intervals, which are looked at when the
/// configuration is made, flags that need another, and names that are looked up.
fn is_of_configuration(invocation: &Invocation) -> bool {
    invocation.complaints.iter().all(|complaint| {
        if let Complaint::BadValue { expected, .. } = &complaint.value {
            return expected.contains("number");
        }
        let later = ["is given without", " has no "];
        matches!(&complaint.value, Complaint::Refused(refusal) if later.iter().any(|it| refusal.why.contains(it)))
    })
}

#[expect(clippy::disallowed_methods, reason = "a test is told where the parser is")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn hold(release: &str, seed: u64) {
    let Some(parser) = judge::named("PREFLIGHT_TEST_VLLM_PARSER") else { return };
    let (releases, forms) = forms(TABLE);
    let at = releases.iter().position(|known| *known == release).unwrap();
    let other = variable("PREFLIGHT_TEST_SEED").map(|seed| seed.parse().unwrap());
    let mut dice = Dice(other.unwrap_or(seed));
    let lines: Vec<_> = (0..CASES).map(|_| line(&forms, at, &mut dice)).collect();
    let answers = judged(&parser, release, &lines);
    assert_eq!(answers.len(), lines.len());
    let mut wrong = Vec::new();
    for (words, answer) in lines.iter().zip(&answers) {
        let invocation = read(release, words);
        let refused = is_refused(&invocation);
        let model = invocation.model().map(|model| model.named.to_string());
        let agrees = match answer {
            Err(_) => refused,
            Ok(_) if refused => is_of_configuration(&invocation) && model.is_some(),
            Ok(served) => model.as_ref() == Some(served),
        };
        if !agrees {
            let said: Vec<_> = invocation.complaints.iter().map(|it| &it.value).collect();
            wrong.push(format!("{words:?}\n  vLLM: {answer:?}\n  preflight: {model:?} {said:?}"));
        }
    }
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((60..240).contains(&taken), "{taken} of {CASES} are taken");
    assert!(wrong.is_empty(), "{} of {CASES}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_vllm_0_12_says_to_random_command_lines_is_what_preflight_says() {
    hold("0.12.0", 0x5EED_0012);
}

#[test]
fn what_vllm_0_33_says_to_random_command_lines_is_what_preflight_says() {
    hold("0.33.0", 0x5EED_0033);
}

#[test]
fn the_parsers_of_tools_and_of_reasoning_are_those_that_vllm_registers() {
    let Some(parser) = judge::named("PREFLIGHT_TEST_VLLM_PARSER") else { return };
    let mut lines = REGISTRIES.lines().filter(|line| !line.starts_with('#'));
    let releases: Vec<_> = lines.next().unwrap().split(' ').skip(1).collect();
    let lines: Vec<_> = lines.map(|line| line.split_once(' ').unwrap()).collect();
    for release in ["0.12.0", "0.33.0"] {
        let at = releases.iter().position(|known| *known == release).unwrap();
        let output = Command::new(&parser).args(["--registered", release]).output().unwrap();
        let registered: Value = serde_json::from_slice(&output.stdout).unwrap();
        for (flag, names) in registered.as_object().unwrap() {
            let here = lines.iter().filter(|(_, marks)| marks.as_bytes()[at] == b'+');
            let here = here.filter_map(|(entry, _)| entry.strip_prefix(flag)?.strip_prefix('='));
            let names = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            assert_eq!(here.collect::<BTreeSet<_>>(), names.collect(), "{flag} of {release}");
        }
    }
}
