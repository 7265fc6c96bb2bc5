//! Keys that the JSON of a flag does not have: the classes that it is read into refuse them since 0.13.0
//! (config/utils.py `config`); 0.12.0 takes no notice of them.

use std::borrow::Cow;

use crate::plan::engine::arguments::{Arguments, Given};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::release_table::{ReleaseTable, Standing};
use crate::plan::engine::vllm::json;
use crate::plan::engine::vllm::listed::Listed;
use crate::plan::engine::words::Word;
use crate::plan::engine::{Complaint, Refusal};
use crate::suggest;

const KEYS: ReleaseTable = ReleaseTable::new(include_str!("keys.txt"));

/// Complains of keys that vLLM does not know.
pub(super) fn unknown(arguments: &Arguments, reading: &mut Reading<'_>) {
    let release = reading.release();
    for given in arguments.given() {
        let listed = Listed { table: KEYS, flag: &given.name };
        for (key, word) in keys(given) {
            let standing = listed.standing(&key, release.as_deref());
            if standing == Standing::Here {
                continue;
            }
            let flag = given.written.split('.').next().unwrap_or_default();
            let version = reading.invocation.version.as_deref().unwrap_or(KEYS.newest());
            let complaint = Complaint::Refused(Refusal {
                why: format!(
                    "`{flag}` has no key `{key}` in vLLM {version}, which exits because of it"
                ),
                fix: fix(&listed, &key, release.as_deref()),
                is_certain: standing == Standing::Missing && reading.invocation.stock,
            });
            reading.complain(complaint, &word.place);
        }
    }
}

/// The keys of the outermost object that a flag is given, and the words that they are in.
fn keys(given: &Given) -> Vec<(Cow<'_, str>, &Word)> {
    let known = given.values.iter().filter(|word| word.unknown.is_none());
    if let Some(key) = &given.key {
        let first = key.split('.').next().unwrap_or(key).trim_end_matches('+');
        return known.map(|word| (Cow::Borrowed(first), word)).collect();
    }
    let of = |word: &Word| -> Vec<String> {
        let object = json(&word.text).and_then(|value| Some(value.as_object()?.clone()));
        object.map(|object| object.keys().cloned().collect()).unwrap_or_default()
    };
    known.flat_map(|word| of(word).into_iter().map(move |key| (Cow::Owned(key), word))).collect()
}

fn fix(listed: &Listed<'_>, key: &str, release: Option<&[u32]>) -> String {
    let names = listed.names_of(release);
    match suggest::nearest(key, names.iter().copied()) {
        Some(near) => format!("write `{near}`, if that is what was meant"),
        None => format!("remove `{key}` from the value of `{}`", listed.flag),
    }
}
