//! Chat templates, as their engine reads them.

use super::{Subject, rules, severity};
use crate::facts::LaneFacts;
use crate::facts::model::huggingface::Template;
use crate::facts::model::jinja::{self, Fault};
use crate::facts::model::{Model, Shape};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::{Invocation, Part, TemplateReader};

/// The first build of llama.cpp that reads templates itself, and exits when it cannot (common/chat.cpp,
/// commit c15395f73). Before that ChatML stood in.
const OWN_READER: u32 = 7756;

/// The build whose reader is followed.
const NEWEST_READ: u32 = 11_669;

/// Judges the templates of a file or a folder, if they are those that are taken.
pub(super) fn judge(subject: &Subject<'_>, model: &Model, findings: &mut Findings) {
    let lane = &subject.facts.lane;
    let invocation = lane.invocation.as_ref();
    let reader = match invocation {
        Some(invocation) => invocation.templates.reader,
        // A GGUF file by itself is one of llama.cpp's.
        None => lane.engine.is_none().then_some(TemplateReader::LlamaCpp),
    };
    // What the command says itself stands before every file.
    let is_given = invocation.is_some_and(|invocation| invocation.templates.given.is_some());
    let Some(reader) = reader.filter(|_| !is_given) else { return };
    let templates = invocation.map(|invocation| &invocation.templates);
    let at_start = templates.is_some_and(|templates| templates.at_start);
    let has_dialect = templates.is_some_and(|templates| templates.has_dialect);
    let is_file = |part: Part| subject.facts.artifacts.iter().any(|it| it.artifact.part == part);
    let shown = subject.shown().display().to_string();
    let found = match (subject.part(), &model.shape) {
        (Part::ChatTemplate, Shape::Text(text)) if !shown.ends_with(".json") => {
            fault(text, reader).map(|fault| (format!("the chat template `{shown}`"), fault))
        }
        (Part::Model, _) if is_file(Part::ChatTemplate) => None,
        (Part::Model, Shape::Folder(folder)) if reader == TemplateReader::Jinja2 => {
            let is_read = |template: &&Template| !has_dialect || template.is_of_tokenizer();
            folder.templates.iter().filter(is_read).find_map(|template| {
                let name = template.name.as_ref().map(|name| format!(" `{name}`"));
                let name = name.unwrap_or_default();
                let what = format!("the chat template{name} in `{shown}/{}`", template.file);
                Some((what, fault(&template.text, reader)?))
            })
        }
        (Part::Model, Shape::File | Shape::Split(_))
            if reader == TemplateReader::LlamaCpp || at_start =>
        {
            let template = model.gguf().and_then(|header| header.metadata.chat_template());
            template.and_then(|(key, text)| {
                Some((format!("the chat template of `{shown}` (`{key}`)"), fault(&text, reader)?))
            })
        }
        _ => None,
    };
    if let Some((what, fault)) = found.filter(|(_, fault)| fault.everywhere || !has_dialect) {
        let finding = |message, fix| subject.finding(&rules::CHAT_TEMPLATE_BROKEN, message, fix);
        let outcome = match invocation.filter(|_| at_start) {
            Some(invocation) => {
                let ends = format!("{} ends before it serves", invocation.engine.name());
                (severity(fault.everywhere), ends)
            }
            None => outcome(reader, invocation.and_then(build), &fault),
        };
        findings.push(told(outcome, &what, &fault, finding));
    }
}

fn build(invocation: &Invocation) -> Option<u32> {
    invocation.version.as_deref()?.trim_start_matches('b').parse().ok()
}

/// Judges a template that the command says itself.
pub(super) fn given(facts: &LaneFacts, findings: &mut Findings) {
    let Some(invocation) = &facts.lane.invocation else { return };
    let templates = &invocation.templates;
    let Some((reader, given)) = templates.reader.zip(templates.given.as_ref()) else { return };
    let finding = |message, fix| {
        let finding = Finding::new(&rules::CHAT_TEMPLATE_BROKEN, message, fix);
        let finding = finding.lane(&facts.lane.name).at(&given.place);
        facts.lane.services.iter().take(1).fold(finding, |finding, name| finding.service(name))
    };
    let name = given.value.as_str();
    if templates.taken_for_text.contains(&name) {
        let message = format!(
            "the name `{name}` is taken for the text of a chat template: every prompt would be `{name}` \
             and nothing of the conversation"
        );
        let fix = "leave it out, and the model's own template is taken; or add `--no-jinja`";
        return findings.push(finding(message, fix).severity(Severity::Warning));
    }
    if let Some(fault) = fault(name, reader) {
        let what = "the chat template of the command";
        let outcome = outcome(reader, build(invocation), &fault);
        findings.push(told(outcome, what, &fault, finding));
    }
}

/// What is wrong with a template, and whether another reader would say so as well.
struct Broken {
    fault: Fault,
    everywhere: bool,
}

fn fault(text: &str, reader: TemplateReader) -> Option<Broken> {
    let fault = jinja::fault(text, reader)?;
    let other = match reader {
        TemplateReader::Jinja2 => TemplateReader::LlamaCpp,
        TemplateReader::LlamaCpp => TemplateReader::Jinja2,
    };
    Some(Broken { fault, everywhere: jinja::fault(text, other).is_some() })
}

fn told(
    (severity, outcome): (Severity, String),
    what: &str,
    broken: &Broken,
    finding: impl FnOnce(String, &'static str) -> Finding,
) -> Finding {
    let Fault { line, problem } = &broken.fault;
    let message = format!("{what} cannot be read: in line {line} {problem}; {outcome}");
    let fix = "correct it, or take the template of the model's own repository";
    finding(message, fix).with("line", line).severity(severity)
}

/// How heavy it weighs, and what the engine does.
fn outcome(reader: TemplateReader, build: Option<u32>, broken: &Broken) -> (Severity, String) {
    let (severity, outcome) = of_build(reader, build, broken);
    (severity, outcome.to_owned())
}

fn of_build(
    reader: TemplateReader,
    build: Option<u32>,
    broken: &Broken,
) -> (Severity, &'static str) {
    if reader == TemplateReader::Jinja2 {
        let outcome = "it starts, and every `/v1/chat/completions` is answered with an error";
        return (Severity::Warning, outcome);
    }
    match build {
        Some(build) if build < OWN_READER => {
            (Severity::Warning, "a build that old takes ChatML in its place")
        }
        Some(build) if build <= NEWEST_READ => (Severity::Error, "llama-server exits"),
        // What both refuse, no newer one will take.
        Some(_) | None => (
            severity(broken.everywhere),
            "llama-server exits, where it reads templates as build 11669 does",
        ),
    }
}
