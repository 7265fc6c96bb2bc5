//! The report as SARIF 2.1.0: every check that found something is a rule, every finding a result with
//! file and line.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::format::Format;
use super::json::Texts;
use super::text::cut_end;
use super::{Failure, Report, Telling, address, explain, json};
use crate::findings::check;
use crate::findings::{Finding, Rule, Ruling, Severity};
use crate::options::Charset;
use crate::source_map::Span;

/// Relative file names start at the root of the checkout.
const ROOT: &str = "%SRCROOT%";

/// The most bytes of a fingerprint, but for its number.
const LONGEST_FINGERPRINT: usize = 300;

/// The longest message of a rule that GitHub shows.
const LONGEST_SUMMARY: usize = 1000;

/// See [`super::format`].
pub(super) static FORMAT: Format = Format {
    name: "sarif",
    draws: false,
    report: render,
    failure: Some(render_failure),
    plan: None,
    lock: None,
    summary: None,
};

/// The report as one document, with a line break at its end.
fn render(report: &Report, telling: Telling<'_>) -> String {
    let texts = telling.texts();
    let (start, end) = (report.timing.started(), report.timing.ended());
    let invocation = json!({
        "executionSuccessful": true,
        "exitCode": report.exit.code(),
        "exitCodeDescription": report.exit.meaning(),
        "startTimeUtc": start,
        "endTimeUtc": end,
    });
    let is_used = |rule: &&Rule| report.findings.iter().any(|it| it.rule.id == rule.id);
    let rules: Vec<&Rule> = check::rules().filter(is_used).collect();
    let fingerprints = fingerprints(&report.findings, telling);
    let results: Vec<Value> =
        report.findings.iter().zip(fingerprints).map(|it| result(it, &rules, telling)).collect();
    let mut properties = Map::new();
    properties.insert("role".into(), json::role(report.role).into());
    properties.insert("project".into(), texts.option(report.project.as_deref()).into());
    let lanes = report.lanes.iter().map(|lane| {
        json!({ "name": texts.text(&lane.name), "verdict": json::verdict(lane.verdict), "required": lane.required })
    });
    properties.insert("lanes".into(), lanes.collect());
    document(&rules, &invocation, &results, &properties)
}

/// The document of a run that ended without a report: no result, and a notification that says why.
fn render_failure(failure: &Failure, telling: Telling<'_>) -> String {
    let texts = telling.texts();
    let invocation = json!({
        "executionSuccessful": false,
        "exitCode": failure.exit.code(),
        "exitCodeDescription": failure.exit.meaning(),
        "toolExecutionNotifications": [{
            "level": "error",
            "message": {"text": texts.text(super::failure_verdict(failure, telling.redactor, Charset::Unicode).trim_end())},
        }],
    });
    document(&[], &invocation, &[], &Map::new())
}

fn document(
    rules: &[&Rule],
    invocation: &Value,
    results: &[Value],
    properties: &Map<String, Value>,
) -> String {
    json::document(&json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "preflight",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "results": results,
            "properties": properties,
        }],
    }))
}

fn descriptor(rule: &Rule) -> Value {
    let summary = explain::summary(rule.docs);
    let mut descriptor = json!({
        "id": rule.id,
        "shortDescription": {"text": cut_end(&summary, LONGEST_SUMMARY)},
        "fullDescription": {"text": cut_end(&summary, LONGEST_SUMMARY)},
        "help": {"text": rule.docs.trim(), "markdown": rule.docs.trim()},
        "defaultConfiguration": {"level": level(rule.severity)},
        "properties": {
            "exitCode": rule.exit.code(),
            "documentation": rule.explained_by(),
            "tags": [rule.exit.meaning()],
        },
    });
    if let Some(address) = help_address(env!("CARGO_PKG_REPOSITORY"), rule.id) {
        descriptor["helpUri"] = address.into();
    }
    descriptor
}

/// Where the documentation of a check can be read, in the repository that the package names; absent:
/// it names none.
fn help_address(repository: &str, id: &str) -> Option<String> {
    let repository = repository.trim_end_matches('/');
    let version = env!("CARGO_PKG_VERSION");
    (!repository.is_empty()).then(|| format!("{repository}/blob/v{version}/docs/checks.md#{id}"))
}

fn result(
    (finding, fingerprint): (&Finding, String),
    rules: &[&Rule],
    telling: Telling<'_>,
) -> Value {
    let texts = telling.texts();
    let message = format!("{}\n\nfix: {}", texts.text(&finding.message), texts.text(&finding.fix));
    let locations: Vec<Value> =
        finding.place.span.iter().map(|span| location(*span, None, telling)).collect();
    let related = finding.related.iter().filter_map(|label| {
        let span = label.place.span?;
        Some(location(span, Some(&label.text), telling))
    });
    let mut result = json!({
        "ruleId": finding.rule.id,
        "level": level(finding.severity),
        "message": {"text": message},
        "locations": locations,
        "partialFingerprints": {"finding/v2": fingerprint},
        "properties": properties(finding, texts),
    });
    let related: Vec<Value> = related.collect();
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    if let Some(index) = rules.iter().position(|rule| rule.id == finding.rule.id) {
        result["ruleIndex"] = index.into();
    }
    if let Some(ruling) = finding.ruling.filter(|_| finding.severity == Severity::Note) {
        let kind = if ruling == Ruling::Comment { "inSource" } else { "external" };
        result["suppressions"] = json!([{"kind": kind, "justification": ruling.to_string()}]);
    }
    result
}

fn properties(finding: &Finding, texts: Texts<'_>) -> Map<String, Value> {
    let mut properties = Map::new();
    for (name, value) in [("lane", &finding.lane), ("service", &finding.service)] {
        if let Some(value) = value {
            properties.insert(name.to_owned(), texts.text(value).into());
        }
    }
    if !finding.other_lanes.is_empty() {
        let lanes: Vec<Value> = finding.lanes().map(|lane| texts.text(lane).into()).collect();
        properties.insert("lanes".to_owned(), lanes.into());
    }
    let evidence = finding.evidence.iter();
    let evidence: Vec<Value> =
        evidence.map(|(name, value)| json!({"name": name, "value": texts.text(value)})).collect();
    properties.insert("evidence".to_owned(), evidence.into());
    properties
}

fn location(span: Span, message: Option<&str>, telling: Telling<'_>) -> Value {
    let start = telling.sources.location(span);
    let end = telling.sources.location(Span { start: span.end, ..span });
    let file = telling.texts().text(&address::uri(&start.file, telling.base));
    let mut artifact = json!({"uri": file});
    if !file.starts_with("file:") {
        artifact["uriBaseId"] = ROOT.into();
    }
    let region = json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    });
    let mut location = json!({
        "physicalLocation": {"artifactLocation": artifact, "region": region},
    });
    if let Some(message) = message {
        location["message"] = json!({"text": telling.texts().text(message)});
    }
    location
}

/// What stays the same when lines are added above a finding, and on another machine: no path of this one
/// is in it. What is alike is numbered.
fn fingerprints(findings: &[Finding], telling: Telling<'_>) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut fingerprint = |finding: &Finding| {
        let parts = [
            Some(finding.rule.id.to_owned()),
            finding.lane.clone(),
            finding.service.clone(),
            finding.place.span.map(|span| file(span, telling)),
            finding.place.span.map(|span| telling.sources.excerpt(span).to_owned()),
        ];
        let text = telling.texts().text(&parts.map(Option::unwrap_or_default).join("/"));
        let text = cut_end(&text, LONGEST_FINGERPRINT).into_owned();
        let count = counts.entry(text.clone()).or_default();
        *count += 1;
        if *count == 1 { text } else { format!("{text}/{count}") }
    };
    findings.iter().map(&mut fingerprint).collect()
}

/// The file of a span, from the root of the checkout; one that is elsewhere by its name alone.
fn file(span: Span, telling: Telling<'_>) -> String {
    let path = address::path(telling.sources.name(span.source), telling.base);
    let path = if path.is_absolute() { path.file_name().map(PathBuf::from) } else { Some(path) };
    path.unwrap_or_default().display().to_string()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_check_is_in_the_repository_of_the_package() {
        let expected = format!(
            "https://forge.example/o/r/blob/v{}/docs/checks.md#a",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(help_address("https://forge.example/o/r/", "a"), Some(expected));
        assert_eq!(help_address("", "a"), None);
    }
}
