//! Which methods of quantisation the releases of an engine have, and which go together.

mod gptq;

pub use self::gptq::{Form, Gptq};
use crate::plan::engine::release_table::{ReleaseTable, Standing};

/// What is known of an engine's methods of quantisation, as its own functions answered for devices of
/// NVIDIA (`tests/setup/vllm-quantizations`, `tests/setup/sglang-quantizations`).
#[derive(Debug, Clone, Copy)]
pub struct Quantizations {
    table: ReleaseTable,
}

/// What the releases make of a model and a method that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// They go together, or nothing is known of it.
    Taken,
    /// The release refuses them; one that is not known: the newest that was read does.
    Refused,
    /// Every release that was read refuses them.
    AlwaysRefused,
    /// Taken only where deprecated methods are allowed.
    Deprecated,
}

/// The method of which the table speaks for those that no release has.
const UNKNOWN: &str = "?";

impl Quantizations {
    /// What the table that is written so says.
    pub(super) const fn new(text: &'static str) -> Self {
        Self { table: ReleaseTable::new(text) }
    }

    /// The table.
    #[must_use]
    pub fn table(self) -> ReleaseTable {
        self.table
    }

    /// Whether the table speaks of models of that method.
    #[must_use]
    pub fn knows(self, own: &str) -> bool {
        self.table.entries().any(|entry| entry.name.split(['<', '!']).next() == Some(own))
    }

    /// Whether a word of `--quantization` is one of any release, or goes with a model in one.
    #[must_use]
    pub fn has_word(self, asked: &str) -> bool {
        self.table.entries().any(|entry| {
            let pair = entry.name.split('!').next().unwrap_or_default();
            pair.split_once('<').map_or(pair, |(_, asked)| asked) == asked
        })
    }

    /// What `version` makes of a model of the method `own` (absent: it is not quantised) when `asked`
    /// is asked for (absent: nothing is). A version that is not known counts as the newest.
    #[must_use]
    pub fn fit(self, own: Option<&str>, asked: Option<&str>, version: Option<&[u32]>) -> Fit {
        let stands_for = match own {
            // They are told apart by more than the method.
            Some(own) if own.starts_with("modelopt") => return Fit::Taken,
            Some(own) if !self.knows(own) => UNKNOWN,
            Some(own) if !self.has_pairs(own) && asked.is_some_and(|asked| asked != own) => {
                return Fit::Taken;
            }
            Some(own) if !self.has_pairs(own) => return self.of(own, version),
            Some(own) => own,
            None => "",
        };
        let pair = format!("{stands_for}<{}", asked.unwrap_or_default());
        let fit = self.of(&pair, version);
        let deprecated = format!("{pair}!deprecated");
        if fit != Fit::Taken && self.standing(&deprecated, version) == Standing::Here {
            Fit::Deprecated
        } else {
            fit
        }
    }

    /// Whether `version` refuses to compute such a pair with numbers of that type.
    #[must_use]
    pub fn refuses_numbers(
        self,
        own: Option<&str>,
        asked: Option<&str>,
        dtype: &str,
        version: Option<&[u32]>,
    ) -> bool {
        let dtype = if dtype == "half" { "float16" } else { dtype };
        let (own, asked) = (own.unwrap_or_default(), asked.unwrap_or_default());
        self.standing(&format!("{own}<{asked}!{dtype}"), version) == Standing::Here
    }

    /// Whether `version` has that method, or a word for it.
    #[must_use]
    pub fn has_method(self, method: &str, version: Option<&[u32]>) -> bool {
        self.of(method, version) == Fit::Taken
    }

    /// The last release that was read and has that method.
    #[must_use]
    pub fn last_with(self, method: &str) -> Option<&'static str> {
        let marks = self.table.entry(method)?.marks;
        self.table.releases().nth(marks.rfind('+')?)
    }

    /// The last release that was read and computes a model of that form of a method.
    #[must_use]
    pub fn last_that_computes(self, form: &Form) -> Option<&'static str> {
        self.last_with(&format!("{}<", form.name))
    }

    fn has_pairs(self, own: &str) -> bool {
        self.table
            .entries()
            .any(|entry| entry.name.strip_prefix(own).is_some_and(|rest| rest.starts_with('<')))
    }

    fn of(self, name: &str, version: Option<&[u32]>) -> Fit {
        let is_in_any = self.table.entry(name).is_some_and(|entry| entry.marks.contains('+'));
        match self.standing(name, version) {
            Standing::Here | Standing::Unknown => Fit::Taken,
            Standing::Missing if is_in_any => Fit::Refused,
            Standing::Missing => Fit::AlwaysRefused,
        }
    }

    fn standing(self, name: &str, version: Option<&[u32]>) -> Standing {
        let newest = super::release_table::numbers(self.table.newest());
        let version = version.filter(|version| !self.table.is_older_than(version));
        let entry = self.table.entry(name);
        self.table.standing(version.unwrap_or(&newest), |release| {
            entry.is_some_and(|entry| entry.is_in(release))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::Engine;
    use crate::plan::engine::release_table::numbers;

    fn fit(engine: Engine, own: &str, asked: &str, version: &str) -> Fit {
        let known = engine.command_line().quantizations.unwrap();
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let version = some(version).map(|version| numbers(&version));
        known.fit(some(own).as_deref(), some(asked).as_deref(), version.as_deref())
    }

    #[test]
    fn a_model_of_one_method_is_not_taken_for_one_of_another() {
        use Fit::{AlwaysRefused, Deprecated, Refused, Taken};
        for (own, asked, version, expected) in [
            ("gptq", "gptq_marlin", "0.12.0", Taken),
            ("gptq", "marlin", "0.12.0", Taken),
            ("gptq", "auto_gptq", "0.12.0", Refused),
            ("gptq", "auto_gptq", "0.32.0", Taken),
            ("gptq", "awq", "0.12.0", AlwaysRefused),
            ("gptq", "awq_marlin", "0.33.0", AlwaysRefused),
            ("awq", "gptq", "0.12.0", AlwaysRefused),
            ("awq", "awq_marlin", "0.20.2", Taken),
            ("compressed-tensors", "fp8", "0.12.0", AlwaysRefused),
            ("", "awq", "0.12.0", AlwaysRefused),
            ("", "gptq", "", AlwaysRefused),
            ("", "fp8", "0.12.0", Taken),
            ("", "bitsandbytes", "0.27.1", Taken),
            ("", "bitsandbytes", "0.28.0", Refused),
            ("", "bitsandbytes", "", Refused),
            ("bitsandbytes", "", "0.12.0", Taken),
            ("bitsandbytes", "", "0.30.0", Refused),
            ("bitsandbytes", "", "99.0.0", Refused),
            ("hqq", "", "0.18.1", Refused),
            ("zzz", "", "0.12.0", AlwaysRefused),
            ("zzz", "humming", "0.33.0", Taken),
            ("fbgemm_fp8", "", "0.12.0", Taken),
            ("fbgemm_fp8", "", "0.33.0", Deprecated),
            ("modelopt", "fp8", "0.12.0", Taken),
            ("modelopt_fp4", "awq", "", Taken),
            ("mxfp8", "", "0.12.0", Refused),
            ("mxfp8", "", "0.33.0", Taken),
        ] {
            assert_eq!(fit(Engine::Vllm, own, asked, version), expected, "{own}<{asked} {version}");
        }
        for (own, asked, version, expected) in [
            ("gptq", "gptq", "0.5.15", Taken),
            ("gptq", "gptq", "0.5.23", Refused),
            ("gptq", "", "0.5.23", Taken),
            ("fp8", "awq", "0.5.10.post1", AlwaysRefused),
            ("compressed-tensors", "w8a8_int8", "0.5.2", Taken),
            ("", "awq", "0.5.15", AlwaysRefused),
            ("", "fp8", "0.5.15", Taken),
        ] {
            assert_eq!(
                fit(Engine::Sglang, own, asked, version),
                expected,
                "{own}<{asked} {version}"
            );
        }
    }

    #[test]
    fn the_numbers_that_a_method_computes_with_are_those_of_its_release() {
        let known = Engine::Vllm.command_line().quantizations.unwrap();
        let refuses = |asked, dtype, version: &str| {
            known.refuses_numbers(Some("awq"), asked, dtype, Some(&numbers(version)))
        };
        assert!(refuses(Some("awq"), "bfloat16", "0.12.0"));
        assert!(!refuses(Some("awq"), "bfloat16", "0.32.0"));
        assert!(!refuses(Some("awq"), "half", "0.12.0"));
        assert!(!refuses(None, "bfloat16", "0.12.0"));
        assert!(!refuses(Some("awq_marlin"), "bfloat16", "0.12.0"));
    }
}
