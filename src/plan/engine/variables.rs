//! Which variables an engine reads, and which flag or variable is meant by one that it does not.

use crate::plan::engine::Engine;
use crate::plan::engine::arguments::{Arity, Flags, Grammar};
use crate::plan::engine::release_table::{Entry, ReleaseTable, Standing, numbers};
use crate::suggest;

/// The variables that the releases of an engine read.
#[derive(Debug)]
pub struct KnownVariables {
    /// The variables, and the flags that go by the same names.
    pub table: ReleaseTable,
    /// What the names of an engine that has such names begin with; without it only a name that is
    /// nearly one of the table is taken for one that was to be.
    pub(super) prefix: Option<&'static str>,
    /// What the names of its plugins begin with, behind the prefix.
    pub(super) plugins: &'static [&'static str],
    /// The flags of which the arity is known.
    pub(super) flags: &'static [Flags],
    /// The flags that say where and under which name it serves: its clients may have a variable of
    /// that name for themselves.
    pub(super) addresses: &'static [&'static str],
    /// The flag with which it ends over a variable that it does not know; absent: there is none.
    pub strict: Option<&'static str>,
}

/// A variable that looks like one of an engine's, and is not read by it.
#[derive(Debug, PartialEq, Eq)]
pub struct UnreadVariable {
    /// The release that it was looked for in, as its image names it; absent: in every one that was
    /// read.
    pub release: Option<String>,
    /// A release that does read it.
    pub elsewhere: Option<Elsewhere>,
    /// What is meant by it.
    pub meant: Meant,
}

/// A release that reads a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// The last of the earlier ones.
    Earlier(&'static str),
    /// The first of the later ones.
    Later(&'static str),
}

/// What somebody may have meant by a variable that is not read.
#[derive(Debug, PartialEq, Eq)]
pub enum Meant {
    /// The flag of that name.
    Flag {
        /// The flag.
        flag: &'static str,
        /// Whether it takes no value.
        is_switch: bool,
        /// Whether it is one that clients have to know as well.
        is_address: bool,
    },
    /// The variable of nearly that name.
    Variable(&'static str),
    /// One of these flags and variables, the likeliest first; none is like it.
    Any(Vec<&'static str>),
}

impl Engine {
    /// What is to be said of the variable `name`, given to this engine; absent: it reads it, or it is
    /// none of its own, or that is not known. `version` is that of the invocation.
    #[must_use]
    pub fn unread_variable(self, name: &str, version: Option<&str>) -> Option<UnreadVariable> {
        let known = self.command_line().known_variables.as_ref()?;
        if known.is_of_others(name) {
            return None;
        }
        let release = version.map(numbers).filter(|numbers| known.table.covers(numbers));
        let is_read = match (&release, known.table.entry(name)) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(numbers), Some(entry)) => {
                known.table.standing(numbers, |index| entry.is_in(index)) != Standing::Missing
            }
        };
        if is_read {
            return None;
        }
        let elsewhere = release.as_ref().and_then(|release| known.elsewhere(name, release));
        let meant = known.meant(name, release.as_deref(), self.profile().grammar);
        if known.prefix.is_none() && !matches!(meant, Meant::Variable(_)) {
            return None;
        }
        let release =
            release.and(version).map(|version| version.trim_start_matches('v').to_owned());
        Some(UnreadVariable { release, elsewhere, meant })
    }
}

impl Engine {
    /// Whether a release of it is known to read the variable `name`.
    pub(super) fn knows_variable(self, name: &str) -> bool {
        let known = self.command_line().known_variables.as_ref();
        known.is_some_and(|known| known.table.entry(name).is_some())
    }
}

impl KnownVariables {
    /// Whether a name that is not in the table is none of this engine's.
    fn is_of_others(&self, name: &str) -> bool {
        let Some(prefix) = self.prefix else {
            let of_library = super::LIBRARIES.iter().any(|library| name.starts_with(library));
            return of_library || is_known_to_any(name);
        };
        let Some(rest) = name.strip_prefix(prefix) else { return true };
        rest.is_empty()
            || is_service_link(rest)
            || self.plugins.iter().any(|plugin| rest.starts_with(plugin))
    }

    /// The release nearest to `release` that reads the variable.
    fn elsewhere(&self, name: &str, release: &[u32]) -> Option<Elsewhere> {
        let entry = self.table.entry(name)?;
        let reading = self.table.releases().enumerate().filter(|(index, _)| entry.is_in(*index));
        let (later, earlier): (Vec<_>, Vec<_>) = reading
            .map(|(_, reading)| reading)
            .partition(|reading| numbers(reading).as_slice() > release);
        let earlier = earlier.last().copied().map(Elsewhere::Earlier);
        earlier.or(later.first().copied().map(Elsewhere::Later))
    }

    /// What is meant by a name, of what a release has; of one that is not known, the newest.
    fn meant(
        &self,
        name: &str,
        release: Option<&[u32]>,
        grammar: Option<&'static Grammar>,
    ) -> Meant {
        let newest = numbers(self.table.newest());
        let release = release.unwrap_or(&newest);
        let around = self.table.around(release);
        let is_there = |entry: &Entry| {
            around.is_some_and(|(below, above)| entry.is_in(below) && entry.is_in(above))
        };
        let names: Vec<_> = self.table.entries().filter(is_there).map(|it| it.name).collect();
        let prefix = self.prefix.unwrap_or_default();
        let typed = name.strip_prefix(prefix).unwrap_or(name);
        let flag = format!("--{}", typed.to_ascii_lowercase().replace('_', "-"));
        if let Some(flag) = names.iter().copied().find(|name| *name == flag) {
            let is_address = self.addresses.contains(&flag);
            return Meant::Flag { flag, is_switch: self.is_switch(flag, grammar), is_address };
        }
        if self.table.entry(name).is_some() {
            // It was a name of its own, and none that resembles it need do the same.
            return Meant::Any(Vec::new());
        }
        let rest = |name: &'static str| match name.strip_prefix("--") {
            Some(flag) => flag,
            None => name.strip_prefix(prefix).unwrap_or(name),
        };
        let variables = names.iter().copied().filter(|name| !name.starts_with("--"));
        let whole = |part: &str| names.iter().rev().copied().find(|name| rest(name) == part);
        match suggest::nearest(typed, variables.map(rest)).and_then(whole) {
            Some(near) => Meant::Variable(near),
            None => {
                let likely = suggest::likely(typed, names.iter().copied().map(rest));
                Meant::Any(likely.into_iter().filter_map(whole).collect())
            }
        }
    }

    fn is_switch(&self, flag: &str, grammar: Option<&'static Grammar>) -> bool {
        let table = grammar.and_then(|grammar| grammar.table);
        let known = table.and_then(|table| table.known(flag, None).form);
        if let Some(form) = known {
            return form.arity == Arity::Switch;
        }
        let switches = self.flags.iter().filter(|(arity, _)| *arity == Arity::Switch);
        switches.flat_map(|(_, flags)| flags.iter()).any(|spellings| spellings.contains(&flag))
    }
}

/// Whether the name is one of an engine whose variables have no beginning of their own.
fn is_known_to_any(name: &str) -> bool {
    Engine::ALL.into_iter().any(|engine| engine.knows_variable(name))
}

/// Whether the name is one of those that Kubernetes and Docker's links give every container about a
/// service that is called like the engine: `VLLM_SERVICE_HOST`, `VLLM_PORT_8000_TCP_ADDR`
/// (kubernetes, pkg/kubelet/envvars/envvars.go).
fn is_service_link(rest: &str) -> bool {
    let rest = format!("_{rest}");
    let is_port = |behind: &str| {
        let mut parts = behind.split('_');
        parts.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && parts.next().is_some_and(|protocol| matches!(protocol, "TCP" | "UDP" | "SCTP"))
    };
    rest.ends_with("_SERVICE_HOST")
        || rest.ends_with("_SERVICE_PORT")
        || rest.contains("_SERVICE_PORT_")
        || rest.split_once("_PORT_").is_some_and(|(_, behind)| is_port(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a variable, in a few words.
    fn said(engine: Engine, name: &str, version: Option<&str>) -> String {
        let Some(unread) = engine.unread_variable(name, version) else {
            return "-".to_owned();
        };
        let elsewhere = match unread.elsewhere {
            None => String::new(),
            Some(Elsewhere::Earlier(release)) => format!(" until {release}"),
            Some(Elsewhere::Later(release)) => format!(" from {release}"),
        };
        let release = unread.release.unwrap_or_else(|| "any".to_owned());
        let meant = match unread.meant {
            Meant::Flag { flag, is_switch, is_address } => {
                let switch = if is_switch { " switch" } else { "" };
                let address = if is_address { " address" } else { "" };
                format!("{flag}{switch}{address}")
            }
            Meant::Variable(name) => name.to_owned(),
            Meant::Any(names) => format!("{names:?}"),
        };
        format!("{release}{elsewhere}: {meant}")
    }

    fn check(engine: Engine, cases: &[(&str, Option<&str>, &str)]) {
        for (name, version, expected) in cases {
            assert_eq!(said(engine, name, *version), *expected, "{name} in {version:?}");
        }
    }

    #[test]
    fn a_flag_of_vllm_is_no_variable() {
        check(
            Engine::Vllm,
            &[
                ("VLLM_MAX_MODEL_LEN", Some("0.12.0"), "0.12.0: --max-model-len"),
                ("VLLM_GPU_MEMORY_UTILIZATION", None, "any: --gpu-memory-utilization"),
                ("VLLM_ENFORCE_EAGER", Some("v0.8.5"), "0.8.5: --enforce-eager switch"),
                ("VLLM_HOST", Some("0.33.0"), "0.33.0: --host address"),
                ("VLLM_ASYNC_SCHEDULING", Some("0.33.0"), "0.33.0: --async-scheduling switch"),
                // The flag came later.
                ("VLLM_ASYNC_SCHEDULING", Some("0.8.5"), "0.8.5: []"),
                ("VLLM_LOGGING_LEVELS", Some("0.12.0"), "0.12.0: VLLM_LOGGING_LEVEL"),
            ],
        );
    }

    #[test]
    fn a_variable_of_another_release_is_told_with_that_release() {
        check(
            Engine::Vllm,
            &[
                ("VLLM_USE_V1", Some("0.10.2"), "-"),
                ("VLLM_USE_V1", Some("0.12.0"), "0.12.0 until 0.11.0: []"),
                // Between two that differ.
                ("VLLM_USE_V1", Some("0.11.1"), "-"),
                ("VLLM_USE_V1", None, "-"),
                ("VLLM_USE_V1", Some("99.0.0"), "-"),
                (
                    "VLLM_ATTENTION_BACKEND",
                    Some("0.33.0"),
                    "0.33.0 until 0.14.1: --attention-backend",
                ),
                ("VLLM_LOOPBACK_IP", Some("0.6.6"), "0.6.6 from 0.10.2: []"),
                ("VLLM_NO_SUCH", Some("99.0.0"), "any: []"),
            ],
        );
    }

    #[test]
    fn what_something_else_reads_or_makes_is_no_mistake() {
        for name in [
            "VLLM_PORT",
            "VLLM_PLUGINS",
            "VLLM_API_KEY",
            "VLLM_TARGET_DEVICE",
            // Not in vllm/envs.py.
            "VLLM_CPU_CI_ENV",
            "VLLM_SERVICE_HOST",
            "VLLM_SERVICE_PORT",
            "VLLM_SERVICE_PORT_HTTP",
            "VLLM_ROUTER_SERVICE_HOST",
            "VLLM_PORT_8000_TCP",
            "VLLM_PORT_8000_TCP_ADDR",
            "VLLM_ASCEND_ENABLE_NZ",
            "VLLM_",
            "HF_HOME",
            "CUDA_VISIBLE_DEVICES",
            "MAX_MODEL_LEN",
            "LLAMA_ARG_X",
        ] {
            assert_eq!(said(Engine::Vllm, name, Some("0.12.0")), "-", "{name}");
        }
    }

    #[test]
    fn a_variable_of_llama_server_is_one_of_any_build() {
        check(
            Engine::LlamaCpp,
            &[
                ("LLAMA_ARG_CTX_SIZE", None, "-"),
                ("LLAMA_ARG_CTX_SIZES", None, "any: LLAMA_ARG_CTX_SIZE"),
                ("LLAMA_ARG_GPU_LAYERS", None, "any: --gpu-layers"),
                ("LLAMA_ARG_MODEL_DRAFT", None, "-"),
                ("LLAMA_ARG_MODEL_DRAFT", Some("b4719"), "-"),
                ("LLAMA_ARG_NO_MMPROJ_AUTO", None, "-"),
                ("LLAMA_CACHE", None, "-"),
                ("LLAMA_PORT", None, "-"),
            ],
        );
    }

    #[test]
    fn what_is_nearly_the_name_of_a_variable_is_told_of_engines_without_flags_in_the_table() {
        for (engine, name, expected) in [
            (Engine::Tei, "MAX_BATCH_TOKEN", "any: MAX_BATCH_TOKENS"),
            (Engine::Tei, "MAX_BATCH_TOKENS", "-"),
            (Engine::Tei, "MODELID", "any: MODEL_ID"),
            // A variable of TGI.
            (Engine::Tei, "MAX_BATCH_SIZE", "-"),
            (Engine::Tei, "PORTS", "-"),
            (Engine::Tei, "MODEL_DIR", "-"),
            (Engine::Tei, "HF_TOKENS", "-"),
            (Engine::Tgi, "MAX_INPUT_TOKEN", "any: MAX_INPUT_TOKENS"),
            (Engine::Tgi, "NUM_SHARDS", "any: NUM_SHARD"),
            (Engine::Tgi, "ROPE_SCALING", "-"),
            (Engine::Infinity, "INFINITY_BATCHSIZE", "any: INFINITY_BATCH_SIZE"),
            (Engine::Infinity, "INFINITY_PORT", "-"),
            (Engine::Infinity, "INFINITY_PORT_7997_TCP", "-"),
            (Engine::Sglang, "SGLANG_NO_SUCH", "-"),
        ] {
            assert_eq!(said(engine, name, None), expected, "{name} of {engine:?}");
        }
        // Kept in every release, though new.
        check(Engine::Tei, &[("SERVED_MODEL_NAME", Some("1.2.3"), "-")]);
    }
}
