//! The variables that stand for flags of `llama-server`, which it reads as it reads those.

use super::values;
use crate::plan::engine::arguments::Numbers;
use crate::plan::engine::arguments::values::Judged;
use crate::plan::engine::flag_table::{FlagTable, Known};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::Standing;
use crate::plan::engine::words::Variable;
use crate::plan::engine::{Complaint, Refusal};

/// What the variables take in each build.
static VARIABLES: FlagTable = FlagTable::new(include_str!("variable-values.txt"));

/// Variables that end build 11669 whatever they are set to, since the flags that they stood for do
/// nothing but that; build 10585 still took them. And what stands in their place.
const REMOVED: [(&str, &str); 2] = [
    ("LLAMA_ARG_DRAFT_MAX", "LLAMA_ARG_SPEC_DRAFT_N_MAX"),
    ("LLAMA_ARG_DRAFT_MIN", "LLAMA_ARG_SPEC_DRAFT_N_MIN"),
];

/// Notes which variables have a value that ends the server.
pub(super) fn judge(reading: &mut Reading<'_>) {
    let release = reading.release();
    let build = release.as_deref().and_then(|release| release.first().copied());
    for (name, instead) in REMOVED {
        let Variable::Set(word) = reading.environment.variable(name) else { continue };
        if build.is_none_or(|build| build > 10585) {
            let refusal = Refusal {
                why: format!(
                    "`{name}` is set, and newer builds of llama.cpp exit over it: it has been removed"
                ),
                fix: format!("set `{instead}` in its place"),
                is_certain: build == Some(11669),
            };
            reading.complain(Complaint::Refused(refusal), &word.place);
        }
    }
    for name in reading.environment.names() {
        let name = name.as_str();
        let Variable::Set(word) = reading.environment.variable(name) else { continue };
        if word.unknown.is_some() || !reads(name, release.as_deref()) {
            continue;
        }
        let Known { form: Some(form), standing } = VARIABLES.known(name, release.as_deref()) else {
            continue;
        };
        let judged = Judged { by: name, numbers: Numbers::Beginning, standing, may_differ: false };
        let complaint = values::of_variable(name, &word, build);
        if let Some(complaint) = complaint.or_else(|| judged.refused(form, &word.text)) {
            reading.complain(complaint, &word.place);
        }
    }
}

/// Those of `names` that the build reads; where it is not known, those that the newest does.
pub(super) fn read_by<'a>(names: &[&'a str], reading: &Reading<'_>) -> Vec<&'a str> {
    let release = reading.release();
    names.iter().copied().filter(|name| reads(name, release.as_deref())).collect()
}

fn reads(name: &str, release: Option<&[u32]>) -> bool {
    match VARIABLES.known(name, release).standing {
        Standing::Here => true,
        Standing::Missing => false,
        // Between two of which one reads it, and before the first.
        Standing::Unknown => match release {
            Some(release) if !is_newer(release) => true,
            Some(_) | None => VARIABLES.is_in_newest(name),
        },
    }
}

fn is_newer(release: &[u32]) -> bool {
    !VARIABLES.covers(release) && !VARIABLES.precedes(release)
}
