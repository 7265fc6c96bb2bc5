//! How long it takes to tell a run: `cargo bench --bench report`.
//!
//! Ten lanes and forty findings, each with a place, a second place, a variable and evidence.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "it says what it measured")]

use std::path::Path;
use std::time::{Duration, Instant};

use preflight::findings::Policy;
use preflight::findings::check;
use preflight::findings::{Finding, Findings};
use preflight::options::{Base, Role};
use preflight::plan::lanes::Lane;
use preflight::project::Dialect;
use preflight::report::picture::Picture;
use preflight::report::redact::Redactor;
use preflight::report::{
    FORMATS, LaneOutcome, Length, Report, RunOutcome, Subject, Telling, human, verdict,
};
use preflight::source_map::{Place, SourceMap, Span, Variable, VariableSource};
use preflight::timing::Timing;

const LANES: usize = 10;
const FINDINGS: usize = 40;
const ROUNDS: usize = 50;
const WANTED: Duration = Duration::from_millis(20);

fn main() {
    let mut sources = SourceMap::default();
    let report = report(&mut sources);
    let redactor = Redactor::new(["hf_abcdefghijklmnopqrstuvwxyz012345"]);
    let base = Base { here: "/work".into(), root: "/work".into() };
    let layout = human::Layout { color: true, ..human::Layout::default() };
    let telling =
        Telling { sources: &sources, redactor: &redactor, role: Role::Hand, layout, base: &base };
    for format in FORMATS {
        measure(format.name, || (format.report)(&report, telling).len());
    }
    measure("verdict", || verdict(&report, telling, Length::Whole).len());
}

/// The best and the median of some rounds, against what is wanted.
fn measure(what: &str, tell: impl Fn() -> usize) {
    let mut bytes = 0;
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            bytes = tell();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (best, median) = (times[0], times[times.len() / 2]);
    println!("{what}: {bytes} bytes, best {best:.1?}, median {median:.1?}, wanted {WANTED:?}");
}

fn report(sources: &mut SourceMap) -> Report {
    let mut text = String::from("services:\n");
    for lane in 0..LANES {
        text.push_str(&format!(
            "  inference-{lane}:\n    image: vllm/vllm-openai:v0.12.0\n    command: --model \
             /models/vllm/lane-{lane}/bf16 --max-model-len 8192 --api-key sk-{lane}abcdefgh\n    \
             volumes: [\"${{MODELS_PATH}}:/models:ro\"]\n"
        ));
    }
    let compose = sources.add(Path::new("compose.yaml"), text.clone());
    let dotenv = sources.add(Path::new(".env"), "MODELS_PATH=/srv/models\n".to_owned());
    let at = |source, start, length| Span { source, start, end: start + length };
    let lanes: Vec<Lane> = (0..LANES).map(|lane| Lane::named(format!("lane_{lane}"))).collect();
    let rules: Vec<_> = check::rules().collect();
    let mut findings = Findings::new(Policy::default());
    for index in 0..FINDINGS {
        let lane = index % LANES;
        let path = format!("/models/vllm/lane-{lane}/bf16");
        let mut mount = Place::at(at(compose, text.find("${MODELS_PATH}").unwrap(), 14));
        mount.variables.push(Variable {
            name: "MODELS_PATH".to_owned(),
            set_by: VariableSource::EnvFile(at(dotenv, 0, 11)),
        });
        let place = Place::at(at(compose, text.find(&path).unwrap(), path.len()));
        let message = format!("`{path}/model-{index:05}-of-00040.safetensors` is not there");
        let finding = Finding::new(rules[index * 2 % rules.len()], message, "fetch it again")
            .lane(&lanes[lane].name)
            .service(format!("inference-{lane}"))
            .at(&place)
            .also(&mount, "through this mount")
            .with("path", &path)
            .with("expected_bytes", 4_920_734_272_u64);
        findings.push(finding);
    }
    Report::new(RunOutcome {
        subject: Subject::Lanes,
        role: Role::Hand,
        dialect: Dialect::Compose,
        project: Some("stack".to_owned()),
        lanes: lanes
            .iter()
            .map(|lane| LaneOutcome {
                lane,
                files: Vec::new(),
                summary: None,
                serves: false,
                unknown: None,
                skipped: None,
                planned: None,
                memory: None,
            })
            .collect(),
        findings,
        containers: Vec::new(),
        devices: Vec::new(),
        planned: None,
        picture: Picture::default(),
        allow_unknown: false,
        timing: Timing::default(),
    })
}
