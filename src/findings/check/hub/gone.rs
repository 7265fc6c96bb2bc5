//! Whether a delivery was begun at a commit that the hub no longer has.

use crate::facts::hub::HubError;
use crate::facts::{LaneFacts, Pinning};
use crate::findings::Finding;

/// A failure to find the commit, where nobody has asked for it but an earlier run.
pub(super) fn told(facts: &LaneFacts, error: &HubError, finding: Finding) -> Finding {
    let (HubError::RevisionNotFound { revision, .. }, Pinning::Delivered(pin)) =
        (error, &facts.source.pinning)
    else {
        return finding;
    };
    if *revision != pin.commit || pin.source.is_pinned() {
        return finding;
    }
    let message = format!(
        "`{}` no longer has the commit {revision}, at which this delivery was begun",
        pin.source.repository()
    );
    let fix = format!(
        "run `{}`, which brings the newest commit of `{}` in its place",
        facts.lane.fetch_command("--update "),
        pin.source.revision()
    );
    Finding { message, fix, ..finding }
}
