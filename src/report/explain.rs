//! What `preflight explain` prints: the rules, or what one of them or an exit code means; and all of
//! it as a page.

mod exit;
mod screen;

use crate::exit_code::ExitCode;
use crate::findings::Rule;
use crate::findings::check::{self, UnknownCheck};

pub use screen::Screen;

/// The list of all checks, or what `what` means: the id of a check, or an exit code. With a line
/// break at its end; as Markdown, unless there is a `screen` to lay it out for.
///
/// # Errors
/// When nothing is called so.
pub fn explain(what: Option<&str>, screen: Option<Screen>) -> Result<String, UnknownCheck> {
    let Some(what) = what else {
        return Ok(list(&check::rules().collect::<Vec<_>>(), screen));
    };
    let page = match exit::of(what) {
        Some(code) => exit::page(code),
        None => check::find(what).map(page)?,
    };
    Ok(screen.map_or(page.clone(), |screen| screen.page(&page)))
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
        let docs = rule.docs.replace("\n## ", "\n### ");
        let (code, meaning) = (exit.code(), exit.meaning());
        text.push_str(&format!("\n## {id}\n\n{severity}, exit {code} ({meaning})\n\n{docs}"));
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

/// A part for each exit code, in which each rule has a line: id, severity, what it is about.
fn list(rules: &[&'static Rule], screen: Option<Screen>) -> String {
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let mut list = String::new();
    for code in ExitCode::ALL {
        let of_code: Vec<_> = rules.iter().filter(|rule| rule.exit == code).collect();
        if of_code.is_empty() {
            continue;
        }
        if !list.is_empty() {
            list.push('\n');
        }
        let heading = format!("{} (exit {})", code.meaning(), code.code());
        list.push_str(&screen.map_or(heading.clone(), |screen| screen.heading(&heading)));
        list.push('\n');
        for rule in of_code {
            let (severity, summary) = (rule.severity.to_string(), summary(rule.docs));
            let head = format!("  {:<width$}  {severity:<7}  ", rule.id);
            match screen {
                Some(screen) => list.push_str(&screen.entry(&head, &summary)),
                None => list.push_str(&format!("{head}{summary}\n")),
            }
        }
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
    format!("{severity}[{}]: exit {} ({})\n\n{}", rule.id, exit.code(), exit.meaning(), rule.docs)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::exit_code::ExitCode;

    #[test]
    fn the_page_of_a_rule_has_its_severity_its_exit_code_and_its_documentation() {
        let page = explain(Some("no-lane"), None).unwrap();
        assert!(
            page.starts_with("error[no-lane]: exit 3 (could not judge)\n\nNo service"),
            "{page}"
        );
        assert!(page.ends_with("coder.gguf\n"), "{page}");
    }

    #[test]
    fn an_id_that_no_check_has_is_an_error_with_a_hint() {
        let error = explain(Some("no-lanes"), None).unwrap_err();
        assert_eq!(error.to_string(), "there is no check `no-lanes`");
        assert_eq!(error.hint(), "did you mean `no-lane`?");
        assert_eq!(
            explain(Some("\u{1b}[0m"), None).unwrap_err().hint(),
            "`preflight explain` lists them"
        );
    }

    #[test]
    fn the_list_has_the_first_sentence_of_each_rule_below_its_exit_code() {
        const DOCS: &str = "Something is\nwrong. More.\n\n## Why\n\nAnd more.\n";
        static RULE: Rule = Rule::warning("a-rule", ExitCode::Mount, DOCS);
        static OTHER: Rule = Rule::error("other", ExitCode::Incomplete, "A file is missing.\n");
        let expected = "files missing or incomplete (exit 10)\n  other   error    A file is missing\n\n\
                        mount or permission (exit 16)\n  a-rule  warning  Something is wrong\n";
        assert_eq!(list(&[&RULE, &OTHER], None), expected);
        let narrow = list(&[&RULE], Some(Screen { width: 40, color: false }));
        let expected =
            "MOUNT OR PERMISSION (EXIT 16)\n  a-rule  warning\n      Something is wrong\n";
        assert_eq!(narrow, expected);
    }

    #[test]
    fn an_exit_code_is_explained_with_the_checks_that_lead_to_it() {
        for code in ExitCode::ALL {
            let page = explain(Some(&code.code().to_string()), None).unwrap();
            let first = format!("exit {}: {}\n\n", code.code(), code.meaning());
            assert!(page.starts_with(&first) && page.ends_with('\n'), "{page}");
            let listed = page.matches("\n- `").count();
            let own = check::rules().filter(|rule| rule.exit == code).count();
            assert_eq!(listed, own, "{page}");
        }
        assert_eq!(explain(Some("99"), None).unwrap_err().to_string(), "there is no check `99`");
    }

    #[test]
    fn every_rule_is_listed_once_and_documented() {
        let mut ids = BTreeSet::new();
        let is_kebab =
            |id: &str| id.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit());
        for Rule { id, docs, .. } in check::rules() {
            assert!(is_kebab(id), "`{id}` is not in kebab-case");
            assert!(ids.insert(id), "`{id}` is used twice");
            assert_eq!(fault(docs), None, "the documentation of `{id}`");
        }
    }

    #[test]
    fn a_documentation_of_another_form_is_not_let_through() {
        let good =
            "A.\n\n## Why\n\nB.\n\nC.\n\n## Example\n\n```sh\n# d\n\ne\n```\n\n## Fix\n\nF.\n";
        assert_eq!(fault(good), None);
        for (from, to) in [
            ("A.", "A.\n\nA."),
            ("A.", ""),
            ("## Why", "## Reason"),
            ("\n\n## Why\n\nB.\n\nC.", ""),
            ("## Example", "## Fix"),
            ("B.", "# B"),
            ("B.", "### B"),
            ("# d", "## d"),
            ("F.", ""),
            ("F.\n", "F."),
            ("F.\n", "F.\n\n"),
            ("```\n\n## Fix", "\n## Fix"),
        ] {
            let docs = good.replace(from, to);
            assert!(docs != good && fault(&docs).is_some(), "{docs}");
        }
    }

    /// What a documentation has that it should not have, or lacks.
    fn fault(docs: &str) -> Option<String> {
        let (mut headings, mut is_code) = (Vec::new(), false);
        for line in docs.lines() {
            is_code ^= line.starts_with("```");
            if line.starts_with("## ") || (line.starts_with('#') && !is_code) {
                headings.push(line);
            }
        }
        if headings != ["## Why", "## Example", "## Fix"] || is_code {
            return Some(format!("its headings are {headings:?}"));
        }
        let sections: Vec<_> = docs.split("\n## ").collect();
        if sections[0].trim().contains("\n\n") {
            return Some("its meaning is more than a paragraph".to_owned());
        }
        let mut texts = vec![sections[0]];
        texts.extend(sections[1..].iter().map(|text| text.split_once('\n').unwrap().1));
        if texts.iter().any(|text| text.trim().is_empty()) {
            return Some("a section is empty".to_owned());
        }
        let is_spaced = docs.trim() == docs.strip_suffix('\n').unwrap_or_default();
        (!is_spaced).then(|| "it does not end with one line break".to_owned())
    }
}
