//! What the servers of Hugging Face share: clap reads their flags, and each flag has a variable of the
//! same name in capitals (TEI 0d124dc router/src/main.rs, TGI db931fc launcher/src/main.rs).

use crate::plan::engine::Part;
use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::reading::Reading;
use crate::plan::engine::vllm::known;

/// The flag, else its variable.
pub(super) fn setting(arguments: &Arguments, reading: &Reading<'_>, flag: &str) -> Option<Setting> {
    let variable = flag.trim_start_matches('-').replace('-', "_").to_ascii_uppercase();
    reading.setting(arguments, &[flag], &[&variable])
}

/// The model, the address and the type of numbers.
pub(super) fn read(arguments: &Arguments, reading: &mut Reading<'_>) {
    let revision = setting(arguments, reading, "--revision").and_then(|setting| known(&setting));
    let model = setting(arguments, reading, "--model-id");
    reading.path_or_repository(Part::Model, model, revision.as_deref());
    reading.port(setting(arguments, reading, "--port"));
    let host = setting(arguments, reading, "--hostname");
    reading.invocation.host = reading.text(host);
    let dtype = setting(arguments, reading, "--dtype");
    reading.invocation.dtype = reading.text(dtype);
}
