//! Whether preflight asks the hub that the project names.

use super::rules;
use crate::facts::LaneFacts;
use crate::facts::hub::HubError;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings};

/// Whether what was asked is what the lane's engine will ask.
pub static OTHER: Check = Check { rules: &[&rules::OTHER_HUB_ASKED], run: Run::Hub(other) };

fn other(facts: &LaneFacts, findings: &mut Findings) {
    let (Some(hub), asked) = (&facts.lane.hub, &facts.source.endpoint) else { return };
    if !was_asked(facts) || hub.endpoint == *asked {
        return;
    }
    let (variable, endpoint) = (&hub.variable, &hub.endpoint);
    let named = match &hub.service {
        Some(service) => format!("`{variable}` of service `{service}`"),
        None => format!("`{variable}` in the project's env file"),
    };
    let message = format!("{named} names the hub `{endpoint}`, and preflight has asked `{asked}`");
    let fix = format!(
        "if preflight is to ask there, set `HF_ENDPOINT={endpoint}` in its own environment: it takes \
         no hub from a project, because its token would go along"
    );
    let finding = Finding::new(&rules::OTHER_HUB_ASKED, message, fix);
    let finding = finding.lane(&facts.lane.name).at(&hub.place);
    findings.push(match &hub.service {
        Some(service) => finding.service(service),
        None => finding,
    });
}

/// Whether a request was made for one of the lane's repositories.
pub(super) fn was_asked(facts: &LaneFacts) -> bool {
    let of_caches = facts.cached.iter().map(|cached| &cached.probe);
    let probes = of_caches.chain([&facts.source.probe]).flatten();
    probes.into_iter().any(|probe| !matches!(probe, Err(HubError::Offline)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Policy;
    use crate::options::Role;
    use crate::plan::lanes::{Lane, NamedHub};
    use crate::source_map::Place;

    fn told(endpoint: &str, service: Option<&str>, probe: Option<HubError>) -> Vec<String> {
        let hub = NamedHub {
            endpoint: endpoint.to_owned(),
            variable: "HF_ENDPOINT".to_owned(),
            service: service.map(str::to_owned),
            place: Place::nowhere(),
        };
        let lane = Lane { hub: Some(hub), ..Lane::named("coder") };
        let mut facts = LaneFacts::of(lane, Role::Hand);
        facts.source.endpoint = "https://huggingface.co".to_owned();
        facts.source.probe = probe.map(Err);
        let mut findings = Findings::new(Policy::default());
        other(&facts, &mut findings);
        findings.into_vec().into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn another_hub_is_told_where_a_hub_was_asked() {
        let gone = || Some(HubError::RepositoryNotFound { repository: "o/r".to_owned() });
        assert_eq!(
            told("https://mirror.example", Some("llm"), gone()),
            [
                "`HF_ENDPOINT` of service `llm` names the hub `https://mirror.example`, and preflight \
              has asked `https://huggingface.co`"
            ]
        );
        assert_eq!(
            told("https://mirror.example", None, gone()),
            [
                "`HF_ENDPOINT` in the project's env file names the hub `https://mirror.example`, and \
              preflight has asked `https://huggingface.co`"
            ]
        );
        let none: [&str; 0] = [];
        assert_eq!(told("https://huggingface.co", Some("llm"), gone()), none);
        assert_eq!(told("https://mirror.example", Some("llm"), None), none);
        assert_eq!(told("https://mirror.example", Some("llm"), Some(HubError::Offline)), none);
    }
}
