//! What an engine has written about its own end, explained.

use super::{lanes_of, say};
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule};
use crate::plan::engine::{Engine, LogMessage};
use crate::project::docker::{Container, Observation};

/// A known line is in the log of a container that came to grief.
pub static CHECK: Check = Check { rules: &[&REPORTED], run: Run::Container(run) };

static REPORTED: Rule =
    Rule::error("engine-reported", ExitCode::Unhealthy, include_str!("rules/engine-reported.md"));

fn run(facts: &ProjectFacts<'_>, observation: &Observation, findings: &mut Findings) {
    for container in &observation.siblings {
        let Some(service) = container.service.as_deref() else { continue };
        let lines = observation.logs.get(&container.id).map_or(&[][..], Vec::as_slice);
        let engine = lanes_of(facts, service).find_map(|lane| lane.engine);
        if let Some((line, message)) = known(lines, engine) {
            say(facts, service, &judge(service, container, line, message), findings);
        }
    }
}

/// The line that says most: of those that are known, the one that stands first in the engine's list,
/// and there the last one that was written.
fn known(lines: &[String], engine: Option<Engine>) -> Option<(&str, &'static LogMessage)> {
    let engines = engine.map_or(Engine::ALL.to_vec(), |engine| vec![engine]);
    engines.into_iter().flat_map(Engine::log).find_map(|message| {
        let line = lines.iter().rev().find(|line| message.is_in(line))?;
        Some((line.as_str(), message))
    })
}

fn judge(service: &str, container: &Container, line: &str, message: &LogMessage) -> Finding {
    Finding::new(
        &REPORTED,
        format!("`{service}` has said why it cannot serve: {}", message.meaning),
        message.fix,
    )
    .with("container", &container.name)
    .with("log", line)
    .with("written by", message.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(engine: Option<Engine>, lines: &[&str], expected: Option<&str>) {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let found = known(&lines, engine).map(|(line, _)| line);
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn the_cause_is_found_among_its_effects() {
        // The log of llama-server 0.7.0 on a file that is cut off.
        let cut = "0.00.082.168 E llama_model_load: error loading model: tensor \
                   'blk.0.ffn_up.weight' data is not within the file bounds, model is corrupted or \
                   incomplete";
        let lines = [
            "0.00.081.575 I srv    load_model: loading model '/m/cut.gguf'",
            cut,
            "0.00.082.250 E llama_model_load_from_file_impl: failed to load model",
            "0.00.083.286 E srv  llama_server: exiting due to model loading error",
        ];
        check(Some(Engine::LlamaCpp), &lines, Some(cut));
        check(None, &lines, Some(cut));
        check(Some(Engine::Vllm), &lines, None);
        check(Some(Engine::LlamaCpp), &lines[..1], None);
    }

    #[test]
    fn a_gpu_that_is_lost_is_the_cause_of_what_an_engine_makes_of_it() {
        // The last lines of vLLM 0.12.0 and of `nvidia-smi` in such a container.
        let lost = "Failed to initialize NVML: Unknown Error";
        let infer = "RuntimeError: Failed to infer device type, please set the environment variable \
                     `VLLM_LOGGING_LEVEL=DEBUG` to turn on verbose logging to help debug the issue.";
        let none = "RuntimeError: No CUDA GPUs are available";
        check(Some(Engine::Vllm), &[lost, infer], Some(lost));
        check(Some(Engine::Vllm), &[infer], Some(infer));
        for engine in [Some(Engine::Sglang), Some(Engine::Vllm), None] {
            check(engine, &[none], Some(none));
        }
    }

    #[test]
    fn every_message_is_whole_and_no_other_hides_it() {
        let all = Engine::ALL.into_iter().flat_map(|it| it.log().map(move |one| (it, one)));
        let all: Vec<_> = all.collect();
        assert!(all.len() > 30);
        for (engine, message) in all {
            let line = format!("before {} after", message.words.join(" between "));
            let lines = [line];
            let (_, found) = known(&lines, Some(engine)).unwrap();
            assert_eq!(found.meaning, message.meaning);
            for text in [message.meaning, message.fix, message.source] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{text}");
            }
        }
    }
}
