//! Names that vLLM looks up after it has read its command line: its parser takes any text for them.

use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::{ReleaseTable, Standing};
use crate::plan::engine::vllm::listed::Listed;
use crate::plan::engine::{Complaint, Refusal};
use crate::source_map::Spanned;
use crate::suggest;

const NAMES: ReleaseTable = ReleaseTable::new(include_str!("registries.txt"));

/// A flag whose word is a name.
struct Lookup {
    flag: &'static str,
    /// What the name is one of.
    kind: &'static str,
    /// The switch without which the word is not looked at.
    only_with: Option<&'static str>,
    /// The flag with which it is not.
    not_with: Option<&'static str>,
    /// The flags that bring more names.
    plugins: &'static [&'static str],
    /// Whether capital letters do not matter.
    any_case: bool,
}

/// 0.10.2, 0.12.0 and 0.33.0 model_executor/model_loader/__init__.py `get_model_loader` and config/load.py;
/// 0.12.0 and 0.33.0 tokenizers/registry.py and config/model.py; `validate_api_server_args` of 0.10.2 to
/// 0.24.0 entrypoints/openai/api_server.py and 0.33.0 entrypoints/common/cli_args.py; 0.33.0
/// config/cache.py.
const LOOKUPS: [Lookup; 5] = [
    Lookup { any_case: true, ..Lookup::of("--load-format", "load format") },
    Lookup {
        not_with: Some("--skip-tokenizer-init"),
        any_case: true,
        ..Lookup::of("--tokenizer-mode", "tokenizer mode")
    },
    Lookup {
        only_with: Some("--enable-auto-tool-choice"),
        plugins: PLUGINS,
        ..Lookup::of("--tool-call-parser", "tool parser")
    },
    Lookup { plugins: PLUGINS, ..Lookup::of("--reasoning-parser", "reasoning parser") },
    Lookup::of("--kv-cache-dtype", "type for the cache"),
];

/// The files that they name are run, and may register whatever they want.
const PLUGINS: &[&str] = &["--tool-parser-plugin", "--reasoning-parser-plugin"];

impl Lookup {
    const fn of(flag: &'static str, kind: &'static str) -> Self {
        Self { flag, kind, only_with: None, not_with: None, plugins: &[], any_case: false }
    }

    /// The word that is looked up; absent: none is.
    fn asked(&self, arguments: &Arguments) -> Option<Setting> {
        let is_asked = self.only_with.is_none_or(|switch| arguments.is_on(switch))
            && !self.not_with.is_some_and(|switch| arguments.is_on(switch))
            && !arguments.any(self.plugins);
        let setting = arguments.last(self.flag).filter(|_| is_asked)?;
        // `none` is the reasoning parser of 0.33.0 that is no name (engine/arg_utils.py).
        let is_name = setting.text().is_some_and(|text| !matches!(text, "" | "None" | "none"));
        is_name.then_some(setting)
    }

    fn listed(&self) -> Listed<'static> {
        Listed { table: NAMES, flag: self.flag }
    }
}

/// Complains of names that nothing is registered as. What an image of somebody's own has, or what its
/// script installs, may register more.
pub(super) fn unknown(arguments: &Arguments, reading: &mut Reading<'_>) {
    let release = reading.release();
    let may_have_more = !reading.invocation.stock || reading.adds_packages();
    for lookup in LOOKUPS {
        let Some(setting) = lookup.asked(arguments) else { continue };
        let text = setting.text().unwrap_or_default();
        let name = if lookup.any_case { text.to_lowercase() } else { text.to_owned() };
        let standing = lookup.listed().standing(&name, release.as_deref());
        let is_told = |complaint: &Spanned<Complaint>| matches!(&complaint.value, Complaint::BadValue { by, .. } if *by == setting.by);
        // Where the parser has a list, it says so itself.
        if standing == Standing::Here || reading.invocation.complaints.iter().any(is_told) {
            continue;
        }
        let complaint = Complaint::Refused(Refusal {
            why: why(&lookup, text, reading.invocation.version.as_deref()),
            fix: fix(&lookup, &name, release.as_deref()),
            is_certain: standing == Standing::Missing && !may_have_more,
        });
        reading.complain(complaint, &setting.word.place);
    }
}

fn why(lookup: &Lookup, text: &str, version: Option<&str>) -> String {
    let Lookup { flag, kind, .. } = lookup;
    match version.filter(|version| !version.is_empty()) {
        Some(version) => {
            format!("`{flag} {text}`: vLLM {version} has no {kind} of that name, and exits")
        }
        None => format!(
            "`{flag} {text}`: vLLM {} has no {kind} of that name, and exits",
            NAMES.newest()
        ),
    }
}

/// What to write in the place of a name: the one that is nearest, else those that there are.
fn fix(lookup: &Lookup, name: &str, release: Option<&[u32]>) -> String {
    let names = lookup.listed().names_of(release);
    let likely = suggest::nearest(name, names.iter().copied())
        .or_else(|| suggest::likely(name, names.iter().copied()).first().copied());
    match likely {
        Some(likely) => format!("write `{} {likely}`, if that is what was meant", lookup.flag),
        None => format!("write behind `{}` one of `{}`", lookup.flag, names.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_there_from_the_release_on_that_registers_it() {
        let of = |flag: &str, name: &str, release: Option<&[u32]>| {
            let lookup = LOOKUPS.iter().find(|lookup| lookup.flag == flag).unwrap();
            lookup.listed().standing(name, release)
        };
        let tool = |name: &str, release| of("--tool-call-parser", name, release);
        assert_eq!(tool("hermes", Some(&[0, 6, 6])), Standing::Here);
        assert_eq!(tool("qwen3_xml", Some(&[0, 10, 2])), Standing::Missing);
        assert_eq!(tool("qwen3_xml", Some(&[0, 12, 0])), Standing::Here);
        assert_eq!(tool("hermez", Some(&[0, 12, 1])), Standing::Missing);
        assert_eq!(tool("hermez", None), Standing::Unknown);
        assert_eq!(tool("hermez", Some(&[0, 99, 0])), Standing::Unknown);
        assert_eq!(tool("hermez", Some(&[0, 5, 0])), Standing::Here);
        let mode = |name: &str, release| of("--tokenizer-mode", name, release);
        assert_eq!(mode("slow", Some(&[0, 30, 0])), Standing::Here);
        assert_eq!(mode("slow", Some(&[0, 32, 0])), Standing::Missing);
        // Its parser has the list.
        assert_eq!(mode("slow", Some(&[0, 9, 2])), Standing::Here);
        assert_eq!(of("--kv-cache-dtype", "int8", Some(&[0, 33, 0])), Standing::Missing);
        assert_eq!(of("--load-format", "gguf", Some(&[0, 23, 0])), Standing::Here);
        assert_eq!(of("--load-format", "gguf", Some(&[0, 28, 0])), Standing::Missing);
    }
}
