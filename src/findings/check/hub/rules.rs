//! The rules of the hub family and what `preflight explain` says about them.

use crate::exit_code::ExitCode;
use crate::findings::Rule;

pub(super) static OFFLINE: Rule =
    Rule::error("offline", ExitCode::Network, include_str!("rules/offline.md"));

pub(super) static TOKEN_MISSING: Rule =
    Rule::error("token-missing", ExitCode::Access, include_str!("rules/token-missing.md"));

pub(super) static TOKEN_REJECTED: Rule =
    Rule::error("token-rejected", ExitCode::Access, include_str!("rules/token-rejected.md"));

pub(super) static TOKEN_NOT_SENT: Rule =
    Rule::error("token-not-sent", ExitCode::Access, include_str!("rules/token-not-sent.md"));

pub(super) static TOKEN_WITHHELD: Rule =
    Rule::warning("token-withheld", ExitCode::Access, include_str!("rules/token-withheld.md"));

pub(super) static MODEL_GATED: Rule =
    Rule::error("model-gated", ExitCode::Access, include_str!("rules/model-gated.md"));

pub(super) static ACCESS_FORBIDDEN: Rule =
    Rule::error("access-forbidden", ExitCode::Access, include_str!("rules/access-forbidden.md"));

pub(super) static MODEL_NOT_FOUND: Rule =
    Rule::error("model-not-found", ExitCode::Access, include_str!("rules/model-not-found.md"));

pub(super) static REVISION_NOT_FOUND: Rule =
    Rule::error("revision-not-found", ExitCode::Lane, include_str!("rules/revision-not-found.md"));

pub(super) static FILE_NOT_IN_REPO: Rule =
    Rule::error("file-not-in-repo", ExitCode::Lane, include_str!("rules/file-not-in-repo.md"));

pub(super) static RATE_LIMITED: Rule =
    Rule::error("rate-limited", ExitCode::Network, include_str!("rules/rate-limited.md"));

pub(super) static HUB_UNREACHABLE: Rule =
    Rule::error("hub-unreachable", ExitCode::Network, include_str!("rules/hub-unreachable.md"));

pub(super) static UNSAFE_NAME: Rule =
    Rule::error("unsafe-name", ExitCode::Corrupt, include_str!("rules/unsafe-name.md"));

pub(super) static DISK_SPACE_SHORT: Rule =
    Rule::error("disk-space-short", ExitCode::Disk, include_str!("rules/disk-space-short.md"));

pub(super) static REVISION_NOT_PINNED: Rule = Rule::note(
    "revision-not-pinned",
    ExitCode::Ready,
    include_str!("rules/revision-not-pinned.md"),
);

pub(super) static DOWNLOAD_CORRUPT: Rule =
    Rule::error("download-corrupt", ExitCode::Corrupt, include_str!("rules/download-corrupt.md"));

pub(super) static DOWNLOAD_STALLED: Rule =
    Rule::error("download-stalled", ExitCode::Network, include_str!("rules/download-stalled.md"));

pub(super) static DOWNLOAD_TIMED_OUT: Rule = Rule::error(
    "download-timed-out",
    ExitCode::Network,
    include_str!("rules/download-timed-out.md"),
);

pub(super) static DISK_FULL: Rule =
    Rule::error("disk-full", ExitCode::Disk, include_str!("rules/disk-full.md"));

pub(super) static LOCKED_BY_OTHER: Rule =
    Rule::error("locked-by-other", ExitCode::Locked, include_str!("rules/locked-by-other.md"));

pub(in crate::findings::check) static NOT_WRITABLE: Rule =
    Rule::error("not-writable", ExitCode::Mount, include_str!("rules/not-writable.md"));

pub(super) static SYMLINK_LEAVES_FOLDER: Rule = Rule::error(
    "symlink-leaves-folder",
    ExitCode::Mount,
    include_str!("rules/symlink-leaves-folder.md"),
);

pub(super) static OTHER_HUB_ASKED: Rule =
    Rule::note("other-hub-asked", ExitCode::Network, include_str!("rules/other-hub-asked.md"));

pub(super) static WOULD_FETCH: Rule =
    Rule::note("would-fetch", ExitCode::Ready, include_str!("rules/would-fetch.md"));

pub(super) static FILES_LEFT_OUT: Rule =
    Rule::note("files-left-out", ExitCode::Ready, include_str!("rules/files-left-out.md"));
