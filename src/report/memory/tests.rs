use super::*;
use crate::facts::memory::{Fits, HostRoom, LaneMemory};
use crate::findings::{Findings, Policy};
use crate::options::Charset;
use crate::plan::engine::memory::{Claim, Largest};
use crate::plan::lanes::Lane;
use crate::report::human::Layout;
use crate::report::redact::Redactor;
use crate::report::tests::{assert_same, bare, lane, nothing_but, telling};
use crate::report::{LaneOutcome, RunOutcome, Subject, named};
use crate::source_map::SourceMap;

const GIB: u64 = 1 << 30;

fn device(key: &str, memory: u64, lanes: &[&str]) -> HostDevice {
    HostDevice {
        key: key.to_owned(),
        name: None,
        memory,
        reserved: 0,
        source: SizeSource::Declared,
        lanes: lanes.iter().map(|lane| (*lane).to_owned()).collect(),
    }
}

/// A lane of vLLM and one of llama.cpp on one card, one on the processor, and one that is not known.
fn report(subject: Subject) -> Report {
    let of_vllm = LaneMemory {
        parts: vec![
            Part::exact(Use::Weights, Device::Gpu(0), 5 * GIB),
            Part::exact(Use::Cache, Device::Gpu(0), 2 * GIB),
            Part::between(Use::Compute, Device::Gpu(0), GIB, None),
        ],
        devices: vec![Some("0".to_owned())],
        claim: Some(Claim { share: Share(500_000) }),
        largest: Some(Largest { flag: "--max-model-len".to_owned(), value: "40192".to_owned() }),
        fits: Fits::Yes,
        ..LaneMemory::default()
    };
    let of_llama = LaneMemory {
        parts: vec![
            Part::exact(Use::Weights, Device::Gpu(0), 9 * GIB),
            Part::exact(Use::Cache, Device::Gpu(0), 4 * GIB),
            Part::between(Use::Compute, Device::Gpu(0), GIB / 4, Some(GIB / 2)),
            Part { mapped: true, ..Part::exact(Use::Weights, Device::Host, GIB / 2) },
            Part::exact(Use::Output, Device::Host, 2 << 20),
        ],
        devices: vec![Some("0".to_owned())],
        fits: Fits::No,
        ..LaneMemory::default()
    };
    let on_host = LaneMemory {
        parts: vec![Part::between(Use::Weights, Device::Host, GIB, Some(2 * GIB))],
        host: Some(HostRoom {
            memory: 4 * GIB,
            swap: Some(GIB / 2),
            is_limit: true,
            may_lock: false,
        }),
        ..LaneMemory::default()
    };
    let memories = [Some(of_vllm), Some(of_llama), Some(on_host), None];
    let lanes = ["coder", "reader", "a-lane-with-quite-a-long-name", "hidden"];
    let lanes: Vec<Lane> = lanes.iter().map(|name| lane(name, true)).collect();
    let of_lane = |(lane, memory): (_, Option<LaneMemory>)| LaneOutcome {
        unknown: match memory.as_ref().map(|memory| memory.fits) {
            Some(Fits::Yes | Fits::No) => None,
            Some(Fits::Unknown) => Some("the memory that it has is not known".to_owned()),
            None => Some("its model is not here".to_owned()),
        },
        memory,
        ..bare(lane)
    };
    Report::new(RunOutcome {
        subject,
        lanes: lanes.iter().zip(memories).map(of_lane).collect(),
        devices: vec![
            device("0", 24 * GIB, &["coder", "reader"]),
            HostDevice { reserved: 2 * GIB, ..device("GPU-7f", 80 * GIB, &[]) },
        ],
        ..nothing_but(Findings::new(Policy::default()))
    })
}

fn told(report: &Report, layout: Layout, format: &str) -> String {
    let (sources, redactor) = (SourceMap::default(), Redactor::default());
    (named(format).unwrap().report)(report, telling(&sources, &redactor, layout))
}

#[test]
fn every_memory_is_told_with_a_bar_for_each_lane() {
    let report = report(Subject::Memory);
    for width in [60, 80, 120] {
        let told = told(&report, Layout { width, ..Layout::default() }, "human");
        let too_long = told.lines().find(|line| line.chars().count() > width);
        assert_eq!(too_long, None, "{told}");
        assert_same(&format!("fit-{width}"), &told);
    }
    let layout = Layout { color: true, ..Layout::default() };
    assert_same("fit-color", &told(&report, layout, "human").replace('\u{1b}', "␛"));
}

#[test]
fn a_page_has_a_row_for_each_lane_in_each_memory() {
    let layout = Layout { color: true, ..Layout::default() };
    let page = told(&report(Subject::Memory), layout, "markdown");
    assert!(!page.contains('\u{1b}'), "{page}");
    assert_same("fit-markdown", &page);
}

#[test]
fn a_report_about_more_than_memory_has_a_line_for_each_card() {
    let lines = |report: &Report| {
        let told = told(report, Layout::default(), "human");
        let lines: Vec<String> =
            told.lines().filter(|line| line.starts_with("GPU")).map(str::to_owned).collect();
        lines
    };
    let mut report = report(Subject::Lanes);
    assert_eq!(
        lines(&report),
        [
            "GPU 0: 25.3-25.5 GiB of 24.0 GiB taken, by `coder` and `reader`",
            "GPU-7f: 0 B of 78.0 GiB taken, by nobody",
        ]
    );
    report.devices.clear();
    assert_eq!(lines(&report), [""; 0]);
}

#[test]
fn bars_of_a_terminal_without_unicode_are_ascii() {
    let layout = Layout { color: true, charset: Charset::Ascii, ..Layout::default() };
    assert!(told(&report(Subject::Memory), layout, "human").is_ascii());
}
