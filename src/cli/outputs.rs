//! In which formats a run is told, and into which files.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use crate::options::{Format, OptionsError, Task};
use crate::report;
use crate::suggest;

/// The format that only the resolved project has.
pub(super) const YAML: &str = "yaml";

/// What `--format` takes: those of reports, and [`YAML`].
pub(super) fn formats() -> PossibleValuesParser {
    let names = report::FORMATS.iter().map(|format| format.name);
    PossibleValuesParser::new(names.chain([YAML]))
}

/// Whether what a task tells can be told in `format`.
pub(super) fn has(format: &report::Format, task: Task) -> Result<(), OptionsError> {
    let (task, has) = match task {
        Task::Config => {
            ("config", [Format::HUMAN, Format::JSON].contains(&Format::of(format.name)))
        }
        Task::Plan => ("plan", format.plan.is_some()),
        Task::Lock => ("lock", format.lock.is_some()),
        Task::Init => ("init", [Format::HUMAN, Format::JSON].contains(&Format::of(format.name))),
        Task::Doctor => {
            ("doctor", [Format::HUMAN, Format::JSON].contains(&Format::of(format.name)))
        }
        Task::Check
        | Task::Fetch
        | Task::Verify
        | Task::Fit
        | Task::Inspect
        | Task::Smoke
        | Task::Exec => return Ok(()),
    };
    let format = format.name.to_owned();
    if has { Ok(()) } else { Err(OptionsError::FormatOfTask { task, format }) }
}

/// The format of a report whose file says it; JSON where its ending says nothing.
fn format_of_file(file: &str) -> &'static str {
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        _ if file.to_ascii_lowercase().ends_with(".sarif.json") => "sarif",
        "sarif" => "sarif",
        "xml" => "junit",
        "md" | "markdown" => "markdown",
        "htm" | "html" => "html",
        "txt" => "human",
        _ => "json",
    }
}

/// `json=report.json` or `report.json`.
pub(super) fn output(text: &str, task: Task) -> Result<(Format, PathBuf), OptionsError> {
    let (name, file) = text.split_once('=').unwrap_or_else(|| (format_of_file(text), text));
    let value = || text.to_owned();
    let Some(format) = report::named(name) else {
        if name.eq_ignore_ascii_case(YAML) {
            return Err(OptionsError::YamlReport);
        }
        let likely = suggest::likely(name, report::FORMATS.iter().map(|format| format.name));
        let question = suggest::question(&likely);
        return Err(OptionsError::Output { value: value(), question });
    };
    if file.is_empty() {
        return Err(OptionsError::Output { value: value(), question: None });
    }
    has(format, task)?;
    let path = PathBuf::from(file);
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(folder) => Err(OptionsError::OutputFolder { folder: folder.to_owned(), path }),
        None => Ok((Format::of(format.name), path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_is_by_its_ending_unless_a_format_is_named() {
        for (text, expected) in [
            ("report.sarif", "sarif"),
            ("report.sarif.json", "sarif"),
            ("a.b/report.XML", "junit"),
            ("report.json", "json"),
            ("report.md", "markdown"),
            ("report.html", "html"),
            ("report.txt", "human"),
            ("report", "json"),
            ("json=report.xml", "json"),
        ] {
            let text = text.replace("a.b/", "/");
            assert_eq!(output(&text, Task::Check).unwrap().0.name(), expected, "{text}");
        }
    }

    #[test]
    fn an_output_is_a_format_and_a_file() {
        assert_eq!(
            output("json=a.json", Task::Check).unwrap(),
            (Format::JSON, PathBuf::from("a.json"))
        );
        assert_eq!(output("a.json", Task::Check).unwrap(), (Format::JSON, PathBuf::from("a.json")));
        assert_eq!(
            output("sarif=a.json", Task::Check).unwrap(),
            (Format::of("sarif"), PathBuf::from("a.json"))
        );
        let refused = output("junit=a.xml", Task::Plan).unwrap_err().to_string();
        assert_eq!(refused, "`preflight plan` has no format `junit`");
        for (wrong, hint) in [
            ("xml=a", "for example `-o json=report.json`"),
            ("json=", "for example `-o json=report.json`"),
            ("junti=a.xml", "did you mean `junit`?"),
            ("junit=no/where/a.xml", "`mkdir -p no/where`"),
        ] {
            assert_eq!(
                output(wrong, Task::Check).unwrap_err().hint().as_deref(),
                Some(hint),
                "{wrong}"
            );
        }
    }
}
