//! The report for a program: `schema/report.json` describes it.
//!
//! The types here are what is on the wire. They follow nothing that is renamed elsewhere; a change
//! that a reader could notice needs another [`SCHEMA_VERSION`].

use serde::Serialize;

use super::format::Format;
use super::{ContainerReport, Failure, FileReport, FileState, LaneReport, Telling, Verdict, plan};
use crate::facts::memory::{HostDevice, LaneMemory, SizeSource};
use crate::findings::{Finding, Label, Ruling, Severity};
use crate::options::Role;
use crate::plan::engine::Engine;
use crate::plan::engine::memory::{Largest, Part};
use crate::report::redact::Redactor;
use crate::report::redact::unseen::{is_unprintable, push_json_escaped};
use crate::source_map::{SourceMap, Span};
use crate::timing::{Timing, rfc_3339};

/// Of the report and of the plan.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Debug, Serialize)]
struct Report {
    schema_version: u32,
    tool: Tool,
    role: &'static str,
    exit_code: u8,
    project: Option<String>,
    lanes: Vec<Lane>,
    devices: Vec<WireDevice>,
    findings: Vec<WireFinding>,
    containers: Vec<WireContainer>,
    errors: Vec<ErrorDocument>,
    timings: Option<Timings>,
}

#[derive(Debug, Serialize)]
struct Timings {
    started_at: String,
    duration_ms: u128,
    stages: Vec<Stage>,
}

#[derive(Debug, Serialize)]
struct Stage {
    name: &'static str,
    duration_ms: u128,
}

/// What wrote a document.
#[derive(Debug, Serialize)]
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct Lane {
    name: String,
    services: Vec<String>,
    required: bool,
    engine: Option<&'static str>,
    source: Option<String>,
    verdict: &'static str,
    reason: Option<String>,
    summary: Option<String>,
    files: Vec<File>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
}

#[derive(Debug, Serialize)]
struct Memory {
    fits: &'static str,
    parts: Vec<MemoryPart>,
    devices: Vec<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<WireHost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    largest: Option<WireLargest>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    served: Vec<WireLargest>,
}

#[derive(Debug, Serialize)]
struct WireHost {
    memory_bytes: u64,
    swap_bytes: Option<u64>,
    limited: bool,
}

#[derive(Debug, Serialize)]
struct WireLargest {
    flag: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct WireDevice {
    key: String,
    name: Option<String>,
    memory_bytes: u64,
    reserved_bytes: u64,
    source: &'static str,
    lanes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct MemoryPart {
    name: &'static str,
    device: String,
    bytes_low: u64,
    bytes_high: Option<u64>,
    exact: bool,
    reclaimable: bool,
}

#[derive(Debug, Serialize)]
struct File {
    path: String,
    host_path: Option<String>,
    size_bytes: Option<u64>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed_by: Option<HashedBy>,
}

#[derive(Debug, Serialize)]
struct HashedBy {
    uid: u32,
    host: String,
    version: String,
    at: String,
}

#[derive(Debug, Serialize)]
struct WireFinding {
    id: &'static str,
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<String>,
    lanes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<WirePlace>,
    related: Vec<Related>,
    message: String,
    fix: String,
    evidence: Vec<Evidence>,
    consequence: bool,
    lowered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ruling: Option<&'static str>,
    docs: String,
}

#[derive(Debug, Serialize)]
struct Related {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<WirePlace>,
}

/// A position in a file, from 1, columns in characters.
#[derive(Debug, Serialize)]
pub(super) struct WirePlace {
    file: String,
    line: usize,
    column: usize,
}

#[derive(Debug, Serialize)]
struct WireContainer {
    name: String,
    service: String,
    state: String,
    exit_code: Option<i64>,
    health: Option<String>,
    killed_for_memory: bool,
    restarts: i64,
}

#[derive(Debug, Serialize)]
struct Evidence {
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct ErrorDocument {
    message: String,
    causes: Vec<String>,
    fix: Option<String>,
}

impl Tool {
    pub(super) fn this() -> Self {
        Self { name: "preflight", version: env!("CARGO_PKG_VERSION") }
    }
}

/// See [`super::format`].
pub(super) static FORMAT: Format = Format {
    name: "json",
    draws: false,
    report: render,
    failure: Some(render_failure),
    plan: Some(plan::json),
    lock: Some(|pinned, _| pinned.after.render()),
    summary: None,
};

/// The report as one JSON document, with a line break at its end.
#[must_use]
pub fn render(report: &super::Report, telling: Telling<'_>) -> String {
    let texts = telling.texts();
    document(&Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        role: role(report.role),
        exit_code: report.exit.code(),
        project: texts.option(report.project.as_deref()),
        lanes: report.lanes.iter().map(|lane| texts.lane(lane)).collect(),
        devices: report.devices.iter().map(|device| texts.device(device)).collect(),
        findings: report.findings.iter().map(|finding| texts.finding(finding)).collect(),
        containers: report.containers.iter().map(|it| texts.container(it)).collect(),
        errors: Vec::new(),
        timings: Some(timings(&report.timing)),
    })
}

/// The document of a run that ended without a report: no lane, no finding, one error.
#[must_use]
pub fn render_failure(failure: &Failure, telling: Telling<'_>) -> String {
    let texts = telling.texts();
    let error = ErrorDocument {
        message: texts.text(&failure.message),
        causes: failure.causes.iter().map(|cause| texts.text(cause)).collect(),
        fix: texts.option(failure.hint.as_deref()),
    };
    document(&Report {
        schema_version: SCHEMA_VERSION,
        tool: Tool::this(),
        role: role(telling.role),
        exit_code: failure.exit.code(),
        project: None,
        lanes: Vec::new(),
        devices: Vec::new(),
        findings: Vec::new(),
        containers: Vec::new(),
        errors: vec![error],
        timings: None,
    })
}

/// Turns what is known into what is sent: redacted, with positions resolved.
#[derive(Clone, Copy)]
pub(super) struct Texts<'a> {
    pub(super) sources: &'a SourceMap,
    pub(super) redactor: &'a Redactor,
}

impl Texts<'_> {
    pub(super) fn text(self, text: &str) -> String {
        self.redactor.redact(text).into_owned()
    }

    pub(super) fn option(self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.text(text))
    }

    pub(super) fn place(self, span: Option<Span>) -> Option<WirePlace> {
        let location = self.sources.location(span?);
        let file = self.text(&location.file.display().to_string());
        Some(WirePlace { file, line: location.line, column: location.column })
    }

    fn lane(self, lane: &LaneReport) -> Lane {
        Lane {
            name: self.text(&lane.name),
            services: lane.services.iter().map(|service| self.text(service)).collect(),
            required: lane.required,
            engine: lane.engine.map(Engine::id),
            source: self.option(lane.source.as_deref()),
            verdict: verdict(lane.verdict),
            reason: self.option(lane.reason.as_deref()),
            summary: self.option(lane.summary.as_deref()),
            files: lane.files.iter().map(|file| self.file(file)).collect(),
            memory: lane.memory.as_ref().map(|memory| self.memory(memory)),
        }
    }

    fn memory(self, memory: &LaneMemory) -> Memory {
        let key = |key: &Option<String>| self.option(key.as_deref());
        Memory {
            fits: memory.fits.id(),
            parts: memory.parts.iter().map(memory_part).collect(),
            devices: memory.devices.iter().map(key).collect(),
            share: memory.claim.map(|claim| claim.share.fraction()),
            host: memory.host.map(|host| WireHost {
                memory_bytes: host.memory,
                swap_bytes: host.swap,
                limited: host.is_limit,
            }),
            largest: memory.largest.as_ref().map(|largest| self.largest(largest)),
            served: memory
                .served
                .iter()
                .flat_map(|served| &served.values)
                .map(|value| self.largest(value))
                .collect(),
        }
    }

    fn largest(self, largest: &Largest) -> WireLargest {
        WireLargest { flag: self.text(&largest.flag), value: self.text(&largest.value) }
    }

    fn device(self, device: &HostDevice) -> WireDevice {
        WireDevice {
            key: self.text(&device.key),
            name: self.option(device.name.as_deref()),
            memory_bytes: device.memory,
            reserved_bytes: device.reserved,
            source: match device.source {
                SizeSource::Declared => "declared",
                SizeSource::Sysfs => "sysfs",
                SizeSource::Name => "name",
            },
            lanes: device.lanes.iter().map(|lane| self.text(lane)).collect(),
        }
    }

    fn file(self, file: &FileReport) -> File {
        File {
            path: self.text(&file.path),
            host_path: self.option(file.host_path.as_deref()),
            size_bytes: file.size_bytes,
            state: match file.state {
                FileState::Present => "present",
                FileState::Fetched => "fetched",
                FileState::Missing => "missing",
                FileState::Invalid => "invalid",
                FileState::Unknown => "unknown",
            },
            hashed_by: file.hashed_by.as_ref().map(|stamper| HashedBy {
                uid: stamper.uid,
                host: self.text(&stamper.host),
                version: self.text(&stamper.version),
                at: rfc_3339(stamper.at),
            }),
        }
    }

    fn container(self, container: &ContainerReport) -> WireContainer {
        WireContainer {
            name: self.text(&container.name),
            service: self.text(&container.service),
            state: self.text(&container.state),
            exit_code: container.exit_code,
            health: self.option(container.health.as_deref()),
            killed_for_memory: container.killed_for_memory,
            restarts: container.restarts,
        }
    }

    fn finding(self, finding: &Finding) -> WireFinding {
        let evidence = finding.evidence.iter();
        WireFinding {
            id: finding.rule.id,
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Note => "note",
            },
            lane: self.option(finding.lane.as_deref()),
            lanes: finding.lanes().map(|lane| self.text(lane)).collect(),
            service: self.option(finding.service.as_deref()),
            place: self.place(finding.place.span),
            related: finding.related.iter().map(|label| self.related(label)).collect(),
            message: self.text(&finding.message),
            fix: self.text(&finding.fix),
            evidence: evidence
                .map(|(name, value)| Evidence { name, value: self.text(value) })
                .collect(),
            consequence: finding.consequence,
            lowered: finding.lowered,
            ruling: finding.ruling.map(|ruling| match ruling {
                Ruling::Flag => "flag",
                Ruling::Comment => "comment",
                Ruling::Extension => "x-preflight",
            }),
            docs: finding.rule.explained_by(),
        }
    }

    fn related(self, label: &Label) -> Related {
        Related { message: self.text(&label.text), place: self.place(label.place.span) }
    }
}

fn memory_part(part: &Part) -> MemoryPart {
    MemoryPart {
        name: part.use_for.id(),
        device: part.device.to_string(),
        bytes_low: part.low,
        bytes_high: part.high,
        exact: part.exact,
        reclaimable: part.mapped,
    }
}

fn timings(timing: &Timing) -> Timings {
    Timings {
        started_at: timing.started(),
        duration_ms: timing.total().as_millis(),
        stages: timing
            .stages
            .iter()
            .map(|(name, duration)| Stage { name, duration_ms: duration.as_millis() })
            .collect(),
    }
}

pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::NotReady => "not-ready",
        Verdict::Unknown => "unknown",
        Verdict::Skipped => "skipped",
    }
}

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Init => "init",
        Role::Hand => "hand",
        Role::Exec => "exec",
    }
}

/// `value` as an indented document in which every character can be seen: what could move a
/// terminal's cursor is written `\uXXXX`, which means the same.
pub(super) fn document(value: &impl Serialize) -> String {
    // Only a map with keys that are no strings, or a failing writer, could make this fail.
    let json = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut document = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        if character == '\n' || !is_unprintable(character) {
            document.push(character);
            continue;
        }
        push_json_escaped(&mut document, character);
    }
    document.push('\n');
    document
}

#[cfg(test)]
mod tests;
