//! Whether the image of a service has the program that its health check runs.

use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::engine::is_called;
use crate::project::Service;

/// What health checks run.
pub static CHECK: Check = Check { rules: &[&PROGRAM_MISSING], run: Run::Project(run) };

static PROGRAM_MISSING: Rule = Rule::warning(
    "health-check-program-missing",
    ExitCode::Lane,
    include_str!("rules/health-check-program-missing.md"),
);

/// The file itself says how it is read.
const LACKING: &str = include_str!("lacking.txt");

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for service in &facts.project.services {
        // What is built may have anything.
        let is_built = service.base.is_some()
            || !facts.project.document["services"][&service.name.value]["build"].is_null();
        if let Some(finding) = missing(service).filter(|_| !is_built) {
            findings.push(finding);
        }
    }
}

fn missing(service: &Service) -> Option<Finding> {
    let test = service.health_check.as_ref()?;
    let program = program(&test.value)?;
    lacking().find(|(image, lacks)| *lacks == program && is_called(service, image))?;
    let name = &service.name.value;
    let message = format!(
        "the health check of service `{name}` runs `{program}`, which its image does not have"
    );
    let fix =
        format!("run a program that the image has, or install `{program}` in an image of your own");
    Some(Finding::new(&PROGRAM_MISSING, message, fix).service(name).at(&test.place))
}

fn lacking() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = LACKING.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut columns = line.split('|').map(str::trim);
        Some((columns.next()?, columns.next()?))
    })
}

/// The program without which a check cannot pass; absent: there is another way, or it is not known.
fn program(test: &[String]) -> Option<&str> {
    let (kind, rest) = test.split_first()?;
    match kind.as_str() {
        "CMD" => rest.first().map(String::as_str),
        "CMD-SHELL" => {
            let line = rest.first()?;
            let (first, other) = line.split_once("||").unwrap_or((line, "exit 1"));
            let mut words = other.split_whitespace();
            let is_end = matches!(words.next(), Some("exit" | "false")) && !other.contains("||");
            first.split_whitespace().next().filter(|_| is_end)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_first_word_where_no_other_way_is_left() {
        let check = |test: &[&str], expected: Option<&str>| {
            let words: Vec<String> = test.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(program(&words), expected, "{test:?}");
        };
        check(&["CMD", "curl", "-f", "http://localhost"], Some("curl"));
        check(&["CMD-SHELL", "curl -f http://localhost || exit 1"], Some("curl"));
        check(&["CMD-SHELL", "curl -f http://localhost"], Some("curl"));
        check(&["CMD-SHELL", "curl -f http://a || wget http://a || exit 1"], None);
        check(&["CMD-SHELL", "curl http://a || ollama list"], None);
        check(&["NONE"], None);
        check(&[], None);
    }

    #[test]
    fn every_line_of_the_table_names_an_image_and_a_program() {
        let lines = LACKING.lines().filter(|line| !line.starts_with('#'));
        assert!(lines.clone().all(|line| line.matches('|').count() == 2));
        assert_eq!(lacking().count(), lines.count());
    }
}
