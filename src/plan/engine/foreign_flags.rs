//! Flags that are none of the engine's that they are given to: whose they are, and which of its own was
//! meant.

use crate::plan::engine::arguments::Grammar;
use crate::plan::engine::flag_table::FlagTable;
use crate::plan::engine::release_table::numbers;
use crate::plan::engine::{Engine, UnknownFlag};
use crate::suggest;

/// Whose the flags of [`DOCKER_RUN`] are.
const DOCKER: &str = "`docker run`";

/// Flags of `docker run` (docker/cli 28.5.2 cli/command/container/opts.go), and the keys of a Compose
/// service that stand for them; empty: none is needed.
const DOCKER_RUN: [(&str, &str); 38] = [
    ("--cap-add", "cap_add"),
    ("--cap-drop", "cap_drop"),
    ("--cpus", "cpus"),
    ("--cpuset-cpus", "cpuset"),
    ("--detach", ""),
    ("--device", "devices"),
    ("--dns", "dns"),
    ("--entrypoint", "entrypoint"),
    ("--env", "environment"),
    ("--env-file", "env_file"),
    ("--expose", "expose"),
    ("--gpus", "gpus"),
    ("--group-add", "group_add"),
    ("--interactive", "stdin_open"),
    ("--ipc", "ipc"),
    ("--label", "labels"),
    ("--link", "links"),
    ("--memory", "mem_limit"),
    ("--memory-swap", "memswap_limit"),
    ("--mount", "volumes"),
    ("--net", "network_mode"),
    ("--network", "networks"),
    ("--pid", "pid"),
    ("--pids-limit", "pids_limit"),
    ("--platform", "platform"),
    ("--privileged", "privileged"),
    ("--publish", "ports"),
    ("--pull", "pull_policy"),
    ("--read-only", "read_only"),
    ("--restart", "restart"),
    ("--rm", ""),
    ("--runtime", "runtime"),
    ("--security-opt", "security_opt"),
    ("--shm-size", "shm_size"),
    ("--tmpfs", "tmpfs"),
    ("--ulimit", "ulimits"),
    ("--volume", "volumes"),
    ("--volumes-from", "volumes_from"),
];

/// Flags of different engines that say the same, the one that says it best in front.
const SAME: [&[&str]; 11] = [
    &["--model", "--model-path", "--model-id"],
    &["--ctx-size", "--max-model-len", "--context-length", "--context-size", "--max-total-tokens"],
    &["--gpu-memory-utilization", "--mem-fraction-static", "--cuda-memory-fraction"],
    &["--tensor-parallel-size", "--tp-size", "--num-shard"],
    &["--max-num-seqs", "--max-running-requests", "--parallel", "--max-concurrent-requests"],
    &["--quantization", "--quantize"],
    &["--served-model-name", "--alias"],
    &["--host", "--hostname"],
    &["--speculative-config", "--speculative-draft-model-path", "--model-draft"],
    &["--lora-modules", "--lora-paths", "--lora-adapters", "--lora"],
    &["--download-dir", "--huggingface-hub-cache"],
];

/// What the flag `name`, which is in no release of an engine, is a flag of; absent: of nothing that is
/// known.
pub(super) fn owner(grammar: &Grammar, name: &str) -> Option<String> {
    if let Some((_, whose)) = grammar.foreign.iter().find(|(flag, _)| *flag == name) {
        return Some((*whose).to_owned());
    }
    if !name.starts_with("--") {
        return None;
    }
    let has = |engine: &Engine| {
        let table = engine.profile().grammar.and_then(|grammar| grammar.table);
        table.is_some_and(|table| table.has(name))
    };
    let engine = Engine::ALL.into_iter().find(has).map(|engine| engine.name().to_owned());
    engine.or_else(|| compose_key(name).map(|_| DOCKER.to_owned()))
}

impl UnknownFlag {
    /// What was probably meant, as a whole clause (``write `--max-model-len`, if that is what was
    /// meant``); absent: it is not known. `version` is that of the invocation.
    #[must_use]
    pub fn instead(&self, engine: Engine, version: Option<&str>) -> Option<String> {
        let table = engine.profile().grammar?.table?;
        let release = version.map(numbers);
        instead(table, release.as_deref(), &self.name, self.owner.as_deref())
    }
}

/// What is to be written in the place of a flag that is not known, of those that `release` has.
fn instead(
    table: &FlagTable,
    release: Option<&[u32]>,
    name: &str,
    owner: Option<&str>,
) -> Option<String> {
    let is_of_script = |owner: &str| Engine::ALL.iter().all(|engine| engine.name() != owner);
    if owner.is_some_and(|owner| owner != DOCKER && is_of_script(owner)) {
        return None;
    }
    if owner == Some(DOCKER) {
        let key = compose_key(name)?;
        let set = format!("remove it from the command, and set `{key}` of the service");
        return Some(if key.is_empty() { "remove it from the command".to_owned() } else { set });
    }
    let has = |flag: &&&str| table.is_in(flag, release);
    let same = SAME.iter().find(|flags| flags.contains(&name));
    let same = same.and_then(|flags| flags.iter().find(has)).copied();
    let names = || table.forms_of(release).flat_map(|form| form.spellings.iter().copied());
    let long = || names().filter(|spelling| spelling.starts_with("--"));
    let near = || suggest::nearest(name, long());
    let likely = || suggest::likely(name, long()).first().copied();
    let flag = same.or_else(near).or_else(likely)?;
    Some(format!("write `{flag}`, if that is what was meant"))
}

/// The key of a Compose service that stands for a flag of `docker run`.
fn compose_key(name: &str) -> Option<&'static str> {
    DOCKER_RUN.iter().find(|(flag, _)| *flag == name).map(|(_, key)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: FlagTable = FlagTable::new(
        "releases 0.1.0 0.2.0\n--max-model-len one integer ++\n--model one text ++\n--late switch - -+\n",
    );

    #[test]
    fn what_is_meant_is_a_flag_that_says_the_same_or_is_nearly_it() {
        let meant = |flag: &str| Some(format!("write `{flag}`, if that is what was meant"));
        let said = |name: &str| instead(&TABLE, None, name, None);
        assert_eq!(said("--ctx-size"), meant("--max-model-len"));
        assert_eq!(said("--max-model-length"), meant("--max-model-len"));
        assert_eq!(said("--nothing-like-it"), None);
        let old = [0, 1, 0];
        assert_eq!(instead(&TABLE, Some(&old), "--latte", None), None);
    }

    #[test]
    fn what_docker_takes_is_told_with_the_key_of_compose() {
        let said = instead(&TABLE, None, "--shm-size", Some(DOCKER));
        let expected = "remove it from the command, and set `shm_size` of the service";
        assert_eq!(said.as_deref(), Some(expected));
    }
}
