//! What a service that runs preflight does there. Pure.

use std::path::Path;

use super::{Service, Stage};

/// What this program is called.
const NAME: &str = "preflight";

/// Programs that read a text of commands.
const SHELLS: [&str; 4] = ["sh", "bash", "ash", "dash"];

/// What a script ends in that succeeds whatever preflight says.
const FORGIVEN: [&str; 4] = ["|| true", "|| :", "|| exit 0", "; true"];

/// What preflight is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnTask {
    /// It judges lanes, and fails where one is not ready.
    Judges,
    /// The same in a script that takes every failure for none.
    JudgesInVain,
    /// It becomes the engine once that is judged.
    Becomes,
    /// It brings files that its words name, and judges no lane.
    Brings,
    /// It copies this program into a volume: `preflight install FOLDER`.
    Installs,
    /// It does something that no engine waits for.
    Tells,
}

/// What a service runs preflight for, as far as its words and its image say; absent: it does not.
#[must_use]
pub fn task(service: &Service) -> Option<OwnTask> {
    let words: Vec<&str> = service.words().map(|word| word.value.as_str()).collect();
    let Some(program) = service.entrypoint.as_ref().and_then(|_| words.first()) else {
        let is_own = service.has_own_image() || is_called_first(service);
        return if is_own { Some(of_words(&words)) } else { becoming(&words) };
    };
    if is_called(program, NAME) {
        return Some(of_words(words.get(1..).unwrap_or_default()));
    }
    let is_shell = SHELLS.iter().any(|shell| is_called(program, shell));
    let in_script = words.iter().filter(|_| is_shell).find_map(|text| in_script(text));
    in_script.or_else(|| becoming(&words))
}

/// What words do that give preflight an engine to become, whatever stands before it (`tini --`).
fn becoming(words: &[&str]) -> Option<OwnTask> {
    let at = words.iter().position(|word| is_called(word, NAME))?;
    let task = of_words(words.get(at + 1..).unwrap_or_default());
    Some(task).filter(|task| *task == OwnTask::Becomes)
}

/// An image of another name is taken for preflight's where nothing but the name of its container says so
/// and it stands where preflight does.
fn is_called_first(service: &Service) -> bool {
    service.pod.as_ref().is_some_and(|pod| pod.container == NAME && pod.stage != Stage::Main)
}

fn is_called(program: &str, name: &str) -> bool {
    Path::new(program).file_name().is_some_and(|it| it == name)
}

fn in_script(text: &str) -> Option<OwnTask> {
    let is_end = |it: char| it.is_whitespace() || "\"'`;&|()".contains(it);
    let words: Vec<&str> = text.split(is_end).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|word| is_called(word, NAME))?;
    let task = of_words(words.get(at + 1..).unwrap_or_default());
    let is_forgiven = FORGIVEN.iter().any(|end| text.trim_end().ends_with(end));
    Some(if task == OwnTask::Judges && is_forgiven { OwnTask::JudgesInVain } else { task })
}

/// What it does with these words behind its name; what stands behind `--` is an engine's.
fn of_words(words: &[&str]) -> OwnTask {
    let mut own = words.iter().take_while(|word| **word != "--");
    let says = own.find_map(|word| match *word {
        "exec" => Some(OwnTask::Becomes),
        "fetch" if words.iter().any(|word| word.contains("://")) => Some(OwnTask::Brings),
        "fetch" | "verify" => Some(OwnTask::Judges),
        "install" => Some(OwnTask::Installs),
        "plan" | "config" | "inspect" | "smoke" | "fit" | "lock" | "init" | "doctor"
        | "explain" | "man" | "completions" => Some(OwnTask::Tells),
        _ => None,
    });
    says.unwrap_or(OwnTask::Judges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::InPod;
    use crate::source_map::Spanned;

    fn check(image: &str, entrypoint: &[&str], command: &[&str], expected: Option<OwnTask>) {
        let words = |words: &[&str]| {
            let all = words.iter().map(|word| Spanned::nowhere((*word).to_owned()));
            (!words.is_empty()).then(|| all.collect())
        };
        let mut service = Service::named(Spanned::nowhere("pod/a/preflight".to_owned()));
        service.pod = Some(InPod {
            pod: "pod/a".to_owned(),
            container: "preflight".to_owned(),
            stage: Stage::Init,
            ..InPod::default()
        });
        service.image = Some(Spanned::nowhere(image.to_owned()));
        service.entrypoint = words(entrypoint);
        service.command = words(command);
        assert_eq!(task(&service), expected, "{image} {entrypoint:?} {command:?}");
    }

    #[test]
    fn what_a_container_runs_preflight_for_is_told_by_its_words() {
        let own = "registry.example/preflight:1";
        check(own, &[], &["-f", "/project/pod.yaml"], Some(OwnTask::Judges));
        check(own, &[], &["fetch"], Some(OwnTask::Judges));
        check(own, &[], &["fetch", "hf://o/r", "/mnt/models"], Some(OwnTask::Brings));
        check(own, &[], &["install", "/bin-of-all"], Some(OwnTask::Installs));
        check("vllm/vllm-openai", &["/b/preflight", "exec", "--"], &[], Some(OwnTask::Becomes));
        check("debian", &["/b/preflight"], &["/models"], Some(OwnTask::Judges));
        let wrapped = ["tini", "--", "/b/preflight", "--offline", "exec", "--", "vllm", "serve"];
        check("vllm/vllm-openai", &wrapped, &[], Some(OwnTask::Becomes));
        let script = "exec /b/preflight exec -- vllm serve /m";
        check("vllm/vllm-openai", &["/bin/sh", "-c", script], &[], Some(OwnTask::Becomes));
        check("vllm/vllm-openai", &["vllm"], &["serve", "/models/preflight"], None);
        check("debian", &[], &[], Some(OwnTask::Judges));
        check("debian", &["sh", "-c"], &["ls"], None);
        check(own, &["sh", "-c"], &["ls"], None);
        check(own, &["/bin/sh", "-c", "set -e; /preflight verify"], &[], Some(OwnTask::Judges));
        let forgiven = "/preflight -f /p || true\n";
        check(own, &["sh", "-c", forgiven], &[], Some(OwnTask::JudgesInVain));
    }
}
