//! Caches in which engines cannot put what they download.

use crate::facts::{CacheFacts, Ground, LaneFacts};
use crate::findings::check::hub::NOT_WRITABLE;
use crate::findings::check::model::reach::{Access, Who, owner_of};
use crate::findings::{Finding, Severity};
use crate::plan::engine::Earlier;
use crate::project::Words;

/// Why the engine of a lane cannot bring what its cache has not got; absent: it can, as far as is
/// known.
pub(super) fn judge(facts: &LaneFacts, cached: &CacheFacts) -> Option<Finding> {
    let ground = cached.ground.as_ref()?;
    let service = facts.lane.services.first()?;
    let name = &cached.cached.repository;
    let (why, fix) = refusal(ground, service, facts.orders.dialect.words())?;
    let message = format!(
        "`{name}` is missing in the cache of `{service}`, which cannot download it there: {why}"
    );
    let finding = Finding::new(&NOT_WRITABLE, message, fix);
    Some(finding.also(&ground.mount.place, "mounted here"))
}

/// Why the engine of a lane cannot bring what it has no mount for; absent: it can. An image of
/// somebody's own may hold it.
pub(super) fn without_mount(facts: &LaneFacts, cached: &CacheFacts) -> Option<Finding> {
    let place = cached.read_only_root.as_ref()?;
    let service = facts.lane.services.first()?;
    let (name, home) = (&cached.cached.repository, cached.cached.home()?);
    let message = format!(
        "`{service}` has to download `{name}` into `{home}` and cannot: its own file system is \
         read-only, and no mount reaches that folder"
    );
    let fix = (facts.orders.dialect.words().keep_cache)(service, super::target(&home));
    // What a script reads in may name another cache.
    let reads_in = |it: &Earlier| matches!(it.program.as_str(), "." | "source");
    let invocation = facts.lane.invocation.as_ref();
    let is_read =
        invocation.is_some_and(|it| it.unread.is_empty() && !it.before.iter().any(reads_in));
    let is_certain = facts.image_is_empty() && is_read;
    let severity = if is_certain { Severity::Error } else { Severity::Warning };
    let finding = Finding::new(&NOT_WRITABLE, message, fix).severity(severity);
    Some(finding.also(place, "read-only"))
}

fn refusal(ground: &Ground, service: &str, words: &Words) -> Option<(String, String)> {
    if ground.mount.read_only {
        let target = ground.mount.target.to_string();
        let why = format!("`{target}` is mounted read-only");
        let fix = (words.mount_writable)(&target, service);
        let fix = format!("{fix}, or bring it with `preflight fetch`");
        return Some((why, fix));
    }
    let user = &ground.starter.user.as_ref()?.value;
    let may = Who::of(&ground.starter).may_add_to(&ground.folder);
    let host = ground.host.as_ref().filter(|_| may == Access::No)?;
    let (mode, owner) = (ground.folder.mode, owner_of(&ground.folder));
    let why = format!("`{host}` has mode {mode:04o} and belongs to {owner}, and it runs as {user}");
    Some((why, format!("run `chown -R {user} '{host}'`")))
}
