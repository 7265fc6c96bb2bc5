//! Whether the hub was asked without the token that preflight has.

use super::other::was_asked;
use super::rules;
use crate::facts::LaneFacts;
use crate::facts::hub::HubError;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings};
use crate::project::stack::{Way, Withheld};

/// Whether a token stayed here because the project would have it read.
pub static WITHHELD: Check =
    Check { rules: &[&rules::TOKEN_WITHHELD], run: Run::Hub(token_withheld) };

fn token_withheld(facts: &LaneFacts, findings: &mut Findings) {
    let Some(withheld) = facts.source.withheld.as_ref().filter(|_| was_asked(facts)) else {
        return;
    };
    let asked = &facts.source.endpoint;
    let variable = &withheld.variable;
    let why = match &withheld.way {
        Way::Endpoint => format!("the project names the hub `{asked}`"),
        Way::Proxy => format!(
            "the project names the proxy that reads what `{asked}` is asked without encryption"
        ),
        Way::Certificates => {
            "the project names a proxy and the certificates that are believed".to_owned()
        }
        Way::Unseen(reason) => {
            format!("whether the project sets `{variable}` cannot be seen ({reason})")
        }
    };
    let message = format!("{why}, and the token is not from there: it was not sent");
    let finding = Finding::new(&rules::TOKEN_WITHHELD, message, fix(withheld));
    findings.push(finding.lane(&facts.lane.name).at(&withheld.place));
}

/// A failure for want of a token, where there is one that was not sent.
pub(super) fn told(facts: &LaneFacts, error: &HubError, finding: Finding) -> Finding {
    let for_want = matches!(
        error,
        HubError::TokenMissing { .. }
            | HubError::RepositoryNotFound { .. }
            | HubError::Forbidden { .. }
            | HubError::RateLimited { .. }
    );
    let Some(withheld) = facts.source.withheld.as_ref().filter(|_| for_want) else {
        return finding;
    };
    let message = if let HubError::TokenMissing { repository, .. } = error {
        format!("`{repository}` needs a token, and the one that is set was not sent")
    } else {
        finding.message
    };
    Finding {
        message,
        fix: format!("if it is for want of the token: {}", fix(withheld)),
        ..finding
    }
}

fn fix(Withheld { variable, way, .. }: &Withheld) -> String {
    let move_it = format!(
        "write `HF_TOKEN` into the same file as `{variable}`, or take `{variable}` out of the project \
         and set it where you set `HF_TOKEN`"
    );
    match way {
        Way::Endpoint | Way::Proxy | Way::Certificates => move_it,
        Way::Unseen(_) => format!(
            "mount the project's folder at `/project`, with all that its Compose files need, or write \
             `HF_TOKEN` and `{variable}` into its `.env`"
        ),
    }
}
