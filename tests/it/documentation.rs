//! The documentation says what is so: its generated parts are generated, its commands run.
//!
//! `PREFLIGHT_TEST_WRITE_DOCS=1` writes the generated parts anew.

use crate::sandbox::{Sandbox, repository};

/// The text between `<!-- NAME -->` and `<!-- end of NAME -->`.
fn part<'a>(document: &'a str, name: &str) -> &'a str {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (_, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    rest.split_once(&end).unwrap_or_else(|| panic!("no {end}")).0
}

/// Compares a part of a document with what it has to be, or writes it.
fn keep(path: &str, name: Option<&str>, expected: &str) {
    let file = repository().join(path);
    let document = fs_err::read_to_string(&file).unwrap_or_default();
    let written = name.map_or(document.as_str(), |name| part(&document, name));
    #[expect(clippy::disallowed_methods, reason = "a test is told whether to write")]
    let write = std::env::var("PREFLIGHT_TEST_WRITE_DOCS").as_deref() == Ok("1");
    if write && written != expected {
        let document = match name {
            Some(_) => document.replacen(written, expected, 1),
            None => expected.to_owned(),
        };
        fs_err::write(&file, document).unwrap();
        return;
    }
    assert!(
        written == expected,
        "{path} is not what the code says; PREFLIGHT_TEST_WRITE_DOCS=1 writes it"
    );
}

#[test]
fn the_documentation_of_the_checks_is_what_explain_says() {
    keep("docs/checks.md", None, &preflight::report::explain::handbook());
}
