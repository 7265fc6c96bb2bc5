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
    let image = service.image.as_ref()?.value.as_str();
    let mut lines = lacking().filter(|line| line.program == program);
    lines.find(|line| is_called(service, line.image) && line.is_of(image))?;
    let name = &service.name.value;
    let message = format!(
        "the health check of service `{name}` runs `{program}`, which its image does not have"
    );
    let fix =
        format!("run a program that the image has, or install `{program}` in an image of your own");
    Some(Finding::new(&PROGRAM_MISSING, message, fix).service(name).at(&test.place))
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
struct Lacking {
    image: &'static str,
    program: &'static str,
    releases: &'static str,
    but: &'static str,
}

impl Lacking {
    /// Whether it is about the image of this tag too.
    fn is_of(&self, image: &str) -> bool {
        let tag = tag(image);
        let mut parts = self.but.split_whitespace();
        let is_apart = parts.any(|part| tag.split(['-', '_', '.']).any(|own| own == part));
        !is_apart && self.is_release(release(tag).as_deref(), image.contains('@'))
    }

    fn is_release(&self, release: Option<&[u32]>, is_pinned: bool) -> bool {
        let Some((word, bound)) = self.releases.split_once(' ') else { return true };
        let bound = numbers(bound);
        match (word, release) {
            // A digest may be of any.
            (_, None) => word == "since" && !is_pinned,
            // Of `1.5` it is not known whether it is before 1.5.1.
            ("before", Some(release)) => {
                let known = release.len().min(bound.len());
                release.get(..known) < bound.get(..known)
            }
            (_, Some(release)) => bound.as_slice() <= release,
        }
    }
}

fn lacking() -> impl Iterator<Item = Lacking> {
    let lines = LACKING.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut columns = line.split('|').map(str::trim);
        let (image, program, which) = (columns.next()?, columns.next()?, columns.next()?);
        let (releases, but) = which.split_once(" but ").unwrap_or((which, ""));
        Some(Lacking { image, program, releases, but })
    })
}

/// The tag of an image; empty: it has none.
fn tag(image: &str) -> &str {
    let named = image.split('@').next().unwrap_or_default();
    let last = named.rsplit('/').next().unwrap_or_default();
    last.split_once(':').map_or("", |(_, tag)| tag)
}

/// The first part of a tag that is a dotted number.
fn release(tag: &str) -> Option<Vec<u32>> {
    let parts = tag.split(['-', '_']).map(|part| part.strip_prefix('v').unwrap_or(part));
    parts.map(numbers).find(|numbers| numbers.len() > 1)
}

/// The numbers at the beginning of a release.
fn numbers(release: &str) -> Vec<u32> {
    release.split('.').map_while(|part| part.parse().ok()).collect()
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
    use crate::source_map::Spanned;

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
        assert!(lines.clone().all(|line| line.matches('|').count() == 3));
        assert_eq!(lacking().count(), lines.count());
        let is_known = |line: &Lacking| {
            let word = line.releases.split(' ').next();
            line.releases == "all" || matches!(word, Some("since" | "before"))
        };
        assert!(lacking().all(|line| is_known(&line)));
    }

    #[test]
    fn a_line_is_about_its_releases() {
        let lacks = |image: &str, program: &str| {
            let mut service = Service::named(Spanned::nowhere("it".to_owned()));
            service.image = Some(Spanned::nowhere(image.to_owned()));
            let test = vec!["CMD".to_owned(), program.to_owned()];
            service.health_check = Some(Spanned::nowhere(test));
            missing(&service).is_some()
        };
        let litellm = "ghcr.io/berriai/litellm";
        for (tag, curl, wget) in [
            (":main-v1.63.11-stable", true, false),
            (":main-v1.80.5-stable", true, true),
            (":main-stable", true, true),
            ("", true, true),
            ("@sha256:00", true, false),
        ] {
            let image = format!("{litellm}{tag}");
            assert_eq!((lacks(&image, "curl"), lacks(&image, "wget")), (curl, wget), "{image}");
        }
        let tei = "ghcr.io/huggingface/text-embeddings-inference";
        for (tag, curl, wget) in [
            (":1.4", true, true),
            (":cpu-1.4", false, true),
            (":1.5", false, true),
            (":1.8.3", false, true),
            (":latest", false, true),
            (":cpu-ipex-1.8", false, false),
        ] {
            let image = format!("{tei}{tag}");
            assert_eq!((lacks(&image, "curl"), lacks(&image, "wget")), (curl, wget), "{image}");
        }
        assert!(lacks("ollama/ollama:0.12.3", "curl"));
        assert!(!lacks("ollama/ollama:0.12.3-rocm", "curl"));
        assert!(!lacks("ghcr.io/ggml-org/llama.cpp:server", "curl"));
        assert!(lacks("ghcr.io/ggml-org/llama.cpp:server-cuda-b6500", "wget"));
    }
}
