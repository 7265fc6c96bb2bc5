//! What each reason means for which the hub did not give what was asked, and what to do about it.

use std::path::Path;
use std::time::Duration;

use super::rules;
use crate::facts::hub::HubError;
use crate::findings::{Finding, Rule};

const REVISION: &str = "name a branch, a tag or a commit of the repository (a source has `%2F` for a \
                        slash in its name); `main` is the default";

/// A finding for a reason; whom it is about is left open.
pub(super) fn failure(error: &HubError) -> Finding {
    let finding = Finding::new(rule(error), message(error), fix(error));
    if let HubError::Corrupt { expected, actual, .. } = error {
        return finding.with("expected", expected).with("actual", actual);
    }
    finding
}

fn rule(error: &HubError) -> &'static Rule {
    match error {
        HubError::Offline => &rules::OFFLINE,
        HubError::TokenMissing { .. } => &rules::TOKEN_MISSING,
        HubError::TokenNotSent { .. } => &rules::TOKEN_NOT_SENT,
        HubError::TokenRejected { .. } => &rules::TOKEN_REJECTED,
        HubError::Gated { .. } => &rules::MODEL_GATED,
        HubError::Forbidden { .. } => &rules::ACCESS_FORBIDDEN,
        HubError::RepositoryNotFound { .. } => &rules::MODEL_NOT_FOUND,
        HubError::RevisionNotFound { .. } => &rules::REVISION_NOT_FOUND,
        HubError::FileNotFound { .. } | HubError::FileGone { .. } => &rules::FILE_NOT_IN_REPO,
        HubError::RateLimited { .. } => &rules::RATE_LIMITED,
        HubError::Unreachable { .. }
        | HubError::Server { .. }
        | HubError::Untrusted { .. }
        | HubError::Certificates { .. } => &rules::HUB_UNREACHABLE,
        HubError::UnsafeName { .. } => &rules::UNSAFE_NAME,
        HubError::Corrupt { .. } => &rules::DOWNLOAD_CORRUPT,
        HubError::DiskFull { .. } => &rules::DISK_FULL,
        HubError::FileTooLarge { .. } => &rules::NOT_WRITABLE,
        HubError::NotWritable { .. } => &rules::NOT_WRITABLE,
        HubError::TimedOut { .. } => &rules::DOWNLOAD_TIMED_OUT,
        HubError::Locked { .. } => &rules::LOCKED_BY_OTHER,
        HubError::LinkLeaves { .. } => &rules::SYMLINK_LEAVES_FOLDER,
        HubError::Stalled { .. } | HubError::Crawls { .. } => &rules::DOWNLOAD_STALLED,
    }
}

fn message(error: &HubError) -> String {
    if matches!(error, HubError::Offline) {
        return "the files are missing and the hub may not be asked".to_owned();
    }
    if matches!(error, HubError::RepositoryNotFound { .. }) {
        return format!("{error}, or it is private and the token does not open it");
    }
    error.to_string()
}

fn fix(error: &HubError) -> String {
    let words = match error {
        HubError::Offline => {
            "run once without `--offline` (or `HF_HUB_OFFLINE`), or copy the files there"
        }
        HubError::TokenRejected { .. } => {
            "set `HF_TOKEN` to a token that has neither expired nor been revoked"
        }
        HubError::Forbidden { .. } => {
            "give the token the right to read this repository, in its owner's settings"
        }
        HubError::RevisionNotFound { .. } => REVISION,
        HubError::UnsafeName { .. } => {
            "do not use this repository, or leave the file out with `exclude`"
        }
        HubError::Corrupt { .. } => {
            "fetch again; if it stays, look for a proxy or a mirror that changes files"
        }
        HubError::FileTooLarge { .. } => {
            "raise the limit of preflight's own process (`ulimit -f`), or put the models on a file system \
             that has files of this size"
        }
        HubError::DiskFull { .. } => "free space on the disk of the models and fetch again",
        HubError::TimedOut { .. } => {
            "fetch again: it goes on where it ended; or allow more with `--timeout`"
        }
        HubError::Stalled { .. } | HubError::Crawls { .. } => {
            "fetch again; if it stays, look at the proxy or the connection"
        }
        HubError::TokenMissing { page, sent_on_to, .. } => {
            return token(page, sent_on_to.as_deref());
        }
        HubError::TokenNotSent { sent_on_to, .. } => return endpoint(sent_on_to),
        HubError::Gated { page, .. } => {
            return format!("ask for access at {page} with the account that owns the token");
        }
        HubError::RepositoryNotFound { repository } => return repository_or_token(repository),
        HubError::FileNotFound { similar, .. } => return other_name(similar),
        HubError::FileGone { path, .. } => return without(path),
        HubError::RateLimited { retry_after } => return patience(*retry_after),
        HubError::Unreachable { endpoint, .. } | HubError::Server { endpoint, .. } => {
            return format!(
                "check that `{endpoint}` answers from here (proxy, DNS, `HF_ENDPOINT`)"
            );
        }
        HubError::Untrusted { issuer_unknown, endpoint, .. } => {
            return trust(*issuer_unknown, endpoint);
        }
        HubError::Certificates { path, .. } => return certificates(path),
        HubError::NotWritable { path, .. } => return rights(path),
        HubError::Locked { path, .. } => return holder(path),
        HubError::LinkLeaves { path, .. } => {
            return format!("remove the link `{}`, or move the lane's folder", path.display());
        }
    };
    words.to_owned()
}

fn endpoint(sent_on_to: &str) -> String {
    format!(
        "set `HF_ENDPOINT={sent_on_to}`: a token is sent to the endpoint alone that it belongs to"
    )
}

fn repository_or_token(repository: &str) -> String {
    format!("correct `{repository}`, or set `HF_TOKEN` to a token that may read it")
}

fn without(path: &str) -> String {
    format!(
        "ask another endpoint (`HF_ENDPOINT`) or another revision, or leave `{path}` out with \
         `exclude`"
    )
}

fn certificates(path: &Path) -> String {
    format!(
        "let `SSL_CERT_FILE` name a file of certificates (PEM), which in a container has to be mounted \
         at `{}`, or unset it",
        path.display()
    )
}

fn rights(path: &Path) -> String {
    let folder = path.parent().unwrap_or(path).display();
    format!("let preflight's user write to `{folder}`, and mount it without `:ro`")
}

fn holder(path: &Path) -> String {
    format!(
        "look whether that process still works; once it has ended, `{}` is free by itself",
        path.display()
    )
}

fn token(page: &str, sent_on_to: Option<&str>) -> String {
    let too =
        sent_on_to.map(|it| format!(" and `HF_ENDPOINT={it}`, because the mirror sends on to it"));
    format!(
        "accept the terms at {page}, then set `HF_TOKEN` to a read token{} (a token is looked for in \
         `HF_TOKEN`, `HF_TOKEN_PATH`, `/run/secrets/hf_token` and where `hf auth login` puts it)",
        too.unwrap_or_default()
    )
}

fn trust(issuer_unknown: bool, endpoint: &str) -> String {
    if issuer_unknown {
        return "set `SSL_CERT_FILE` to a file with the certificate of the authority that signed it \
                (PEM); it is often one's own, or that of a proxy that looks inside"
            .to_owned();
    }
    format!(
        "check that `{endpoint}` is its name (`HF_ENDPOINT`) and that the clock is right here, or have \
         the certificate made anew"
    )
}

fn other_name(similar: &[String]) -> String {
    if similar.is_empty() {
        return "correct the file's name in the source".to_owned();
    }
    let names: Vec<_> = similar.iter().map(|name| format!("`{name}`")).collect();
    format!("the repository has {}", names.join(", "))
}

fn patience(retry_after: Option<Duration>) -> String {
    let wait = retry_after.map_or("five minutes".to_owned(), |it| format!("{} s", it.as_secs()));
    format!("wait {wait}, or set `HF_TOKEN`, which raises the limit")
}
