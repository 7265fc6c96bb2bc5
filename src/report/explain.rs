//! What `preflight explain` prints: the rules, or what one of them means; and all of it as a page.

mod sections;

use crate::check::{self, UnknownCheck};
use crate::finding::Rule;
use sections::Sections;

/// The list of all checks, or what the one called `id` means; with a line break at its end.
///
/// # Errors
/// When no check has that id.
pub fn explain(id: Option<&str>) -> Result<String, UnknownCheck> {
    match id {
        None => Ok(list(check::rules())),
        Some(id) => check::find(id).map(page),
    }
}

/// Every check, as the Markdown of `docs/checks.md`.
#[must_use]
pub fn handbook() -> String {
    let mut text = HANDBOOK.to_owned();
    for rule in check::rules() {
        let (id, severity, exit) = (rule.id, rule.severity, rule.exit.code());
        let summary = summary(rule.docs).replace('|', "\\|");
        text.push_str(&format!("| [{id}](#{id}) | {severity} | {exit} | {summary} |\n"));
    }
    for rule in check::rules() {
        let (id, severity, exit) = (rule.id, rule.severity, rule.exit);
        let sections = Sections::of(rule.docs).markdown("###");
        let (code, meaning) = (exit.code(), exit.meaning());
        text.push_str(&format!("\n## {id}\n\n{severity}, exit {code} ({meaning})\n\n{sections}\n"));
    }
    text
}

const HANDBOOK: &str = "\
# Checks

What preflight looks for, in the order in which it looks. `preflight explain CHECK` prints the same
texts. The severity is the one before [policy](configuration.md#checks); a note never fails a run, and
a warning only with `--deny`. The exit code is the one of a run that fails because of the check.

This page is made from the checks themselves: see `tests/it/documentation.rs`.

| check | severity | exit | what it finds |
|---|---|---:|---|
";

/// A line for each rule: id, severity, exit code, what it is about.
fn list(rules: impl Iterator<Item = &'static Rule>) -> String {
    let rules: Vec<_> = rules.collect();
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let mut list = String::new();
    for rule in rules {
        let severity = rule.severity.to_string();
        let exit = rule.exit.code();
        let line = format!("{:<width$}  {severity:<7}  {exit:>2}  {}", rule.id, summary(rule.docs));
        list.push_str(line.trim_end());
        list.push('\n');
    }
    list
}

/// The first sentence of a documentation.
pub(super) fn summary(docs: &str) -> String {
    let paragraph = docs.trim_start().split("\n\n").next().unwrap_or("");
    let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.split_once(". ") {
        Some((first, _)) => first.to_owned(),
        None => words.trim_end_matches(['.', ':']).to_owned(),
    }
}

fn page(rule: &Rule) -> String {
    let (severity, exit) = (rule.severity, rule.exit);
    format!(
        "{severity}[{}]: exit {} ({})\n\n{}\n",
        rule.id,
        exit.code(),
        exit.meaning(),
        Sections::of(rule.docs).markdown("##")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use crate::finding::Severity;

    #[test]
    fn the_page_of_a_rule_has_its_severity_its_exit_code_and_its_documentation() {
        let page = explain(Some("no-lane")).unwrap();
        assert!(
            page.starts_with("error[no-lane]: exit 3 (could not judge)\n\nNo service"),
            "{page}"
        );
        assert!(page.ends_with("coder.gguf\n"), "{page}");
    }

    #[test]
    fn an_id_that_no_check_has_is_an_error_with_a_hint() {
        let error = explain(Some("no-lanes")).unwrap_err();
        assert_eq!(error.to_string(), "there is no check `no-lanes`");
        assert_eq!(error.hint(), "did you mean `no-lane`?");
        assert_eq!(
            explain(Some("\u{1b}[0m")).unwrap_err().hint(),
            "`preflight explain` lists them"
        );
    }

    #[test]
    fn the_list_has_the_first_sentence_of_each_rule() {
        static RULE: Rule = Rule {
            id: "a-rule",
            severity: Severity::Warning,
            exit: ExitCode::Mount,
            docs: "Something is\nwrong. More.\n\nAnd more.",
        };
        assert_eq!(list([&RULE].into_iter()), "a-rule  warning  16  Something is wrong\n");
    }

    #[test]
    fn every_rule_is_listed_once_and_documented() {
        let mut ids: Vec<_> = check::rules().map(|rule| rule.id).collect();
        let is_kebab =
            |id: &str| id.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit());
        for rule in check::rules() {
            assert!(is_kebab(rule.id), "`{}` is not in kebab-case", rule.id);
            let Sections { meaning, why, example, fix } = Sections::of(rule.docs);
            let sections = [("meaning", meaning), ("why", why), ("example", example), ("fix", fix)];
            for (name, section) in sections {
                assert!(!section.is_empty(), "the documentation of `{}` has no {name}", rule.id);
            }
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "an id is used twice");
    }
}
