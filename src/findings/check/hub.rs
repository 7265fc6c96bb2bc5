//! What the hub's answers and the disk mean for a lane that has something to fetch.

mod failure;
mod gone;
mod other;
mod rules;
#[cfg(test)]
mod tests;
mod withheld;

use std::path::{Path, PathBuf};

use self::failure::failure;
pub use self::other::OTHER;
pub(super) use self::rules::NOT_WRITABLE;
pub use self::withheld::WITHHELD;

use crate::amount::{count, size};
use crate::facts::hub::{Download, RemoteFile};
use crate::facts::{CacheFacts, CacheState, DiskFacts, LaneFacts, Pinning};
use crate::findings::check::cache::revision_words;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings};
use crate::plan::engine::{Engine, Part, Pins};
use crate::source_map::Place;

/// Whether the source could be had: every reason that [`HubError`] knows, of probe and fetch.
pub static SOURCE: Check = Check {
    rules: &[
        &rules::OFFLINE,
        &rules::TOKEN_MISSING,
        &rules::TOKEN_REJECTED,
        &rules::TOKEN_NOT_SENT,
        &rules::MODEL_GATED,
        &rules::ACCESS_FORBIDDEN,
        &rules::MODEL_NOT_FOUND,
        &rules::REVISION_NOT_FOUND,
        &rules::FILE_NOT_IN_REPO,
        &rules::RATE_LIMITED,
        &rules::HUB_UNREACHABLE,
        &rules::UNSAFE_NAME,
        &rules::DOWNLOAD_CORRUPT,
        &rules::DOWNLOAD_STALLED,
        &rules::DOWNLOAD_TIMED_OUT,
        &rules::DISK_FULL,
        &rules::LOCKED_BY_OTHER,
        &NOT_WRITABLE,
        &rules::SYMLINK_LEAVES_FOLDER,
    ],
    run: Run::Hub(source),
};

/// Whether what is missing fits.
pub static DISK: Check = Check { rules: &[&rules::DISK_SPACE_SHORT], run: Run::Hub(disk) };

/// Whether the next fetch will bring the same files.
pub static PIN: Check = Check { rules: &[&rules::REVISION_NOT_PINNED], run: Run::Hub(pin) };

/// What a dry run would bring.
pub static PLANNED: Check = Check { rules: &[&rules::WOULD_FETCH], run: Run::Hub(planned) };

/// What is not brought because nothing loads it.
pub static LEFT_OUT: Check = Check { rules: &[&rules::FILES_LEFT_OUT], run: Run::Hub(left_out) };

fn source(facts: &LaneFacts, findings: &mut Findings) {
    let failure =
        |error| gone::told(facts, error, withheld::told(facts, error, failure(error))).anywhere();
    if let Some(Err(error)) = &facts.source.probe {
        findings.push(about(facts, failure(error)));
    }
    let others = facts.cached.iter().filter(|cached| cached.cached.part != Part::Model);
    for cached in others {
        if let Some(Err(error)) = &cached.probe {
            let finding = failure(error).lane(&facts.lane.name).at(&cached.cached.place);
            findings.push(finding.with("source", &cached.cached.repository));
        }
    }
    if let Some(Err(error)) = &facts.source.fetch {
        let finding = about(facts, failure(error));
        let caused = matches!(facts.source.probe, Some(Err(_))) || shortfall(facts).is_some();
        findings.push(if caused { finding.consequence() } else { finding });
    }
}

fn disk(facts: &LaneFacts, findings: &mut Findings) {
    let Some((short, disk)) = shortfall(facts) else { return };
    let lane = &facts.lane.name;
    let message = if disk.needed == disk.needed_by_all {
        format!(
            "`{lane}` needs {} more on its disk, and {} are free",
            size(disk.needed),
            size(disk.available)
        )
    } else {
        format!(
            "`{lane}` and the lanes that share its disk need {} more, and {} are free",
            size(disk.needed_by_all),
            size(disk.available)
        )
    };
    let fewer = match &facts.lane.delivery {
        Some(_) => "fewer sources at once",
        None => "fewer lanes at once with `--lane`",
    };
    let fix =
        format!("free {} ({short} bytes) on the disk of the models, or fetch {fewer}", size(short));
    let finding = Finding::new(&rules::DISK_SPACE_SHORT, message, fix)
        .with("needed_bytes", disk.needed)
        .with("needed_by_all_lanes_bytes", disk.needed_by_all)
        .with("available_bytes", disk.available)
        .with("short_bytes", short);
    findings.push(about(facts, finding));
}

fn pin(facts: &LaneFacts, findings: &mut Findings) {
    let Some(Ok(listing)) = &facts.source.probe else { return };
    if listing.source.is_pinned() || matches!(facts.source.pinning, Pinning::Pinned(_)) {
        return;
    }
    // Nothing is brought here that another day could bring otherwise: it is told that the engine will.
    if facts.lane.in_cache() && is_left_to_engine(facts) {
        return;
    }
    let mut pinned = listing.source.clone();
    pinned.revision = Some(listing.commit.clone());
    let message = format!(
        "`{}` follows `{}`, so that another day can bring other files",
        listing.source,
        listing.source.revision()
    );
    let fix = if facts.lane.in_cache() {
        let pins = facts.lane.engine.map(|engine| engine.command_line().pins);
        if !matches!(pins, None | Some(Pins::Revision { .. } | Pins::RevisionOrCache)) {
            return;
        }
        let words = revision_words(facts, &listing.commit);
        format!("add `{words}` to the command, which is what it is today")
    } else {
        format!("write `{pinned}`, which is what it is today")
    };
    findings.push(about(facts, Finding::new(&rules::REVISION_NOT_PINNED, message, fix)));
}

/// Whether the lane's engine downloads the model itself, and nobody before it.
fn is_left_to_engine(facts: &LaneFacts) -> bool {
    let model = facts.cached.iter().find(|cached| cached.cached.part == Part::Model);
    let is_missing = |cached: &CacheFacts| cached.state != CacheState::Held;
    !facts.lane.services.is_empty()
        && model.is_some_and(|cached| is_missing(cached) && cached.fill.is_none())
}

fn planned(facts: &LaneFacts, findings: &mut Findings) {
    let (Some(downloads), Some(Ok(listing))) = (&facts.source.planned, &facts.source.probe) else {
        return;
    };
    let bytes = sum(downloads.iter().map(|download| &download.file));
    let message = format!(
        "a fetch would bring {} of `{}`, {}",
        count(downloads.len(), "file"),
        listing.source,
        size(bytes)
    );
    let fix = format!("run `{}` to bring them", facts.lane.fetch_command(""));
    let mut finding = Finding::new(&rules::WOULD_FETCH, message, fix)
        .with("commit", &listing.commit)
        .with("bytes", bytes);
    if let Some(disk) = &facts.source.disk {
        finding = finding.with("available_bytes", disk.available);
    }
    let mut folder = None;
    for download in downloads {
        let file = &download.file;
        let to = folder_of(download);
        if folder.as_ref() != Some(&to) {
            finding = finding.with("to", to.display());
            folder = Some(to);
        }
        finding = finding.with("file", format!("{} ({})", file.path, size(file.size)));
    }
    findings.push(about(facts, finding));
}

/// The folder that a file is brought into, as far as its name in the repository is kept; else the file.
fn folder_of(download: &Download) -> PathBuf {
    let path = download.found_at().path();
    let names = Path::new(&download.file.path);
    let above = path.ancestors().nth(names.components().count()).filter(|_| path.ends_with(names));
    above.unwrap_or(path).to_path_buf()
}

fn left_out(facts: &LaneFacts, findings: &mut Findings) {
    let (false, Some(Ok(listing))) = (facts.source.left_out.is_empty(), &facts.source.probe) else {
        return;
    };
    let bytes = sum(facts.source.left_out.iter());
    let who = facts.lane.engine.map_or("its engine", Engine::name);
    let message = format!(
        "{} of `{}`, {}, {} left out: {who} does not load {}",
        count(facts.source.left_out.len(), "file"),
        listing.source.repository(),
        size(bytes),
        if facts.source.left_out.len() == 1 { "is" } else { "are" },
        if facts.source.left_out.len() == 1 { "it" } else { "them" },
    );
    let fix = "to have them all the same, name what you want with `include` under the lane";
    let mut finding = Finding::new(&rules::FILES_LEFT_OUT, message, fix).with("saved_bytes", bytes);
    for file in &facts.source.left_out {
        finding = finding.with("file", format!("{} ({})", file.path, size(file.size)));
    }
    findings.push(about(facts, finding));
}

fn sum<'a>(files: impl Iterator<Item = &'a RemoteFile>) -> u64 {
    files.fold(0, |sum, file| sum.saturating_add(file.size))
}

/// Bytes that are missing, if the disk is too small for what has to be fetched.
fn shortfall(facts: &LaneFacts) -> Option<(u64, &DiskFacts)> {
    let disk = facts.source.disk.as_ref().filter(|disk| disk.needed > 0)?;
    let short = disk.needed_by_all.max(disk.needed).checked_sub(disk.available)?;
    (short > 0).then_some((short, disk))
}

/// Names the lane and points at its source, or at the lane where nothing states the source.
fn about(facts: &LaneFacts, finding: Finding) -> Finding {
    let source = facts.lane.source.as_ref();
    let stated = source.map(|source| &source.place).filter(|place| place.span.is_some());
    let place: &Place = stated.unwrap_or(&facts.lane.place);
    let finding = finding.lane(facts.lane.name.clone()).at(place);
    match source {
        Some(source) => finding.with("source", &source.value),
        None => finding,
    }
}
