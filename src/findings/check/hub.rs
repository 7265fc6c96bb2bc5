//! What the hub's answers and the disk mean for a lane that has something to fetch.

mod other;
mod rules;

pub use other::OTHER;
pub(super) use rules::NOT_WRITABLE;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::amount::size;
use crate::facts::hub::{Download, HubError, RemoteFile};
use crate::facts::{DiskFacts, LaneFacts};
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
    let fix = format!(
        "free {} ({short} bytes) on the disk of the models, or fetch fewer lanes at once with \
         `--lane`",
        size(short)
    );
    let finding = Finding::new(&rules::DISK_SPACE_SHORT, message, fix)
        .with("needed_bytes", disk.needed)
        .with("needed_by_all_lanes_bytes", disk.needed_by_all)
        .with("available_bytes", disk.available)
        .with("short_bytes", short);
    findings.push(about(facts, finding));
}

fn pin(facts: &LaneFacts, findings: &mut Findings) {
    let Some(Ok(listing)) = &facts.source.probe else { return };
    if listing.source.is_pinned() || facts.source.pinning.pin().is_some() {
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
        if !matches!(pins, None | Some(Pins::Revision | Pins::RevisionOrCache)) {
            return;
        }
        format!("add `--revision {}` to the command, which is what it is today", listing.commit)
    } else {
        format!("write `{pinned}`, which is what it is today")
    };
    findings.push(about(facts, Finding::new(&rules::REVISION_NOT_PINNED, message, fix)));
}

fn planned(facts: &LaneFacts, findings: &mut Findings) {
    let (Some(downloads), Some(Ok(listing))) = (&facts.source.planned, &facts.source.probe) else {
        return;
    };
    let bytes = sum(downloads.iter().map(|download| &download.file));
    let message = format!(
        "a fetch would bring {} of `{}`, {}",
        count(downloads.len()),
        listing.source,
        size(bytes)
    );
    let fix = format!("run `preflight fetch --lane {}` to bring them", facts.lane.name);
    let mut finding = Finding::new(&rules::WOULD_FETCH, message, fix)
        .with("commit", &listing.commit)
        .with("bytes", bytes);
    if let Some(disk) = &facts.source.disk {
        finding = finding.with("available_bytes", disk.available);
    }
    for Download { file, destination, .. } in downloads {
        finding = finding.with("file", format!("{} ({})", destination.display(), size(file.size)));
    }
    findings.push(about(facts, finding));
}

fn left_out(facts: &LaneFacts, findings: &mut Findings) {
    let (false, Some(Ok(listing))) = (facts.source.left_out.is_empty(), &facts.source.probe) else {
        return;
    };
    let bytes = sum(facts.source.left_out.iter());
    let who = facts.lane.engine.map_or("its engine", Engine::name);
    let message = format!(
        "{} of `{}`, {}, {} left out: {who} does not load {}",
        count(facts.source.left_out.len()),
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

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
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

/// What went wrong with the hub or the disk, and what to do.
fn failure(error: &HubError) -> Finding {
    let message = error.to_string();
    match error {
        HubError::Offline => {
            let message = "the files are missing and the hub may not be asked";
            let fix = "run once without `--offline` (or `HF_HUB_OFFLINE`), or copy the files there";
            Finding::new(&rules::OFFLINE, message, fix)
        }
        HubError::TokenMissing { page, sent_on_to, .. } => {
            let too = sent_on_to
                .as_ref()
                .map(|it| format!(" and `HF_ENDPOINT={it}`, because the mirror sends on to it"));
            let fix = format!(
                "accept the terms at {page}, then set `HF_TOKEN` to a read token{} (a token is looked \
                 for in `HF_TOKEN`, `HF_TOKEN_PATH`, `/run/secrets/hf_token` and where `hf auth \
                 login` puts it)",
                too.unwrap_or_default()
            );
            Finding::new(&rules::TOKEN_MISSING, message, fix)
        }
        HubError::TokenNotSent { sent_on_to, .. } => {
            let fix = format!(
                "set `HF_ENDPOINT={sent_on_to}`: a token is sent to the endpoint alone that it belongs \
                 to"
            );
            Finding::new(&rules::TOKEN_NOT_SENT, message, fix)
        }
        HubError::TokenRejected { .. } => {
            let fix = "set `HF_TOKEN` to a token that has neither expired nor been revoked";
            Finding::new(&rules::TOKEN_REJECTED, message, fix)
        }
        HubError::Gated { page, .. } => {
            let fix = format!("ask for access at {page} with the account that owns the token");
            Finding::new(&rules::MODEL_GATED, message, fix)
        }
        HubError::Forbidden { .. } => {
            let fix = "give the token the right to read this repository, in its owner's settings";
            Finding::new(&rules::ACCESS_FORBIDDEN, message, fix)
        }
        HubError::RepositoryNotFound { repository } => {
            let message = format!("{message}, or it is private and the token does not open it");
            let fix =
                format!("correct `{repository}`, or set `HF_TOKEN` to a token that may read it");
            Finding::new(&rules::MODEL_NOT_FOUND, message, fix)
        }
        HubError::RevisionNotFound { .. } => {
            let fix = "name a branch, a tag or a commit of the repository (a source has `%2F` for a slash \
                       in its name); `main` is the default";
            Finding::new(&rules::REVISION_NOT_FOUND, message, fix)
        }
        HubError::FileNotFound { similar, .. } => {
            Finding::new(&rules::FILE_NOT_IN_REPO, message, file_fix(similar))
        }
        HubError::FileGone { path, .. } => {
            let fix = format!(
                "ask another endpoint (`HF_ENDPOINT`) or another revision, or leave `{path}` out with \
                 `exclude`"
            );
            Finding::new(&rules::FILE_NOT_IN_REPO, message, fix)
        }
        HubError::RateLimited { retry_after } => rate_limited(message, *retry_after),
        HubError::Unreachable { endpoint, .. } | HubError::Server { endpoint, .. } => {
            let fix =
                format!("check that `{endpoint}` answers from here (proxy, DNS, `HF_ENDPOINT`)");
            Finding::new(&rules::HUB_UNREACHABLE, message, fix)
        }
        HubError::Untrusted { issuer_unknown: false, endpoint, .. } => {
            let fix = format!(
                "check that `{endpoint}` is its name (`HF_ENDPOINT`) and that the clock is right here, or \
                 have the certificate made anew"
            );
            Finding::new(&rules::HUB_UNREACHABLE, message, fix)
        }
        HubError::Untrusted { issuer_unknown: true, .. } => {
            let fix = "set `SSL_CERT_FILE` to a file with the certificate of the authority that signed \
                       it (PEM); it is often one's own, or that of a proxy that looks inside";
            Finding::new(&rules::HUB_UNREACHABLE, message, fix)
        }
        HubError::Certificates { path, .. } => {
            let fix = format!(
                "let `SSL_CERT_FILE` name a file of certificates (PEM), which in a container has to be \
                 mounted at `{}`, or unset it",
                path.display()
            );
            Finding::new(&rules::HUB_UNREACHABLE, message, fix)
        }
        HubError::UnsafeName { .. } => {
            let fix = "do not use this repository, or leave the file out with `exclude`";
            Finding::new(&rules::UNSAFE_NAME, message, fix)
        }
        HubError::Corrupt { expected, actual, .. } => {
            let fix = "fetch again; if it stays, look for a proxy or a mirror that changes files";
            Finding::new(&rules::DOWNLOAD_CORRUPT, message, fix)
                .with("expected", expected)
                .with("actual", actual)
        }
        HubError::DiskFull { .. } => {
            let fix = "free space on the disk of the models and fetch again";
            Finding::new(&rules::DISK_FULL, message, fix)
        }
        HubError::NotWritable { path, .. } => {
            let folder = path.parent().unwrap_or(path).display();
            let fix =
                format!("let preflight's user write to `{folder}`, and mount it without `:ro`");
            Finding::new(&NOT_WRITABLE, message, fix)
        }
        HubError::TimedOut { .. } => {
            let fix = "fetch again: it goes on where it ended; or allow more with `--timeout`";
            Finding::new(&rules::DOWNLOAD_TIMED_OUT, message, fix)
        }
        HubError::Locked { path, .. } => {
            let fix = format!(
                "look whether that process still works; once it has ended, `{}` is free by itself",
                path.display()
            );
            Finding::new(&rules::LOCKED_BY_OTHER, message, fix)
        }
        HubError::LinkLeaves { path, .. } => {
            let fix = format!("remove the link `{}`, or move the lane's folder", path.display());
            Finding::new(&rules::SYMLINK_LEAVES_FOLDER, message, fix)
        }
        HubError::Stalled { .. } => {
            let fix = "fetch again; if it stays, look at the proxy or the connection";
            Finding::new(&rules::DOWNLOAD_STALLED, message, fix)
        }
    }
}

fn file_fix(similar: &[String]) -> String {
    if similar.is_empty() {
        return "correct the file's name in the source".to_owned();
    }
    let names: Vec<_> = similar.iter().map(|name| format!("`{name}`")).collect();
    format!("the repository has {}", names.join(", "))
}

fn rate_limited(message: String, retry_after: Option<Duration>) -> Finding {
    let fix = match retry_after {
        Some(wait) => {
            format!("wait {} s, or set `HF_TOKEN`, which raises the limit", wait.as_secs())
        }
        None => "wait five minutes, or set `HF_TOKEN`, which raises the limit".to_owned(),
    };
    Finding::new(&rules::RATE_LIMITED, message, fix)
}
