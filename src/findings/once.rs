//! What is the same of several lanes, said once.

use std::collections::HashMap;

use super::{Finding, Label};

/// `findings` in their order, with those that differ in nothing but the lane put together where the
/// first of them is. Each keeps every place that led to it.
#[must_use]
pub fn once(findings: Vec<Finding>) -> Vec<Finding> {
    let mut told: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut alike: HashMap<(&str, String), Vec<usize>> = HashMap::new();
    for finding in findings {
        let known = alike.entry((finding.rule.id, finding.message.clone())).or_default();
        match known.iter().find(|index| is_same(&told[**index], &finding)) {
            Some(index) => add(&mut told[*index], finding),
            None => {
                known.push(told.len());
                told.push(finding);
            }
        }
    }
    told
}

/// Whether two findings are about lanes, and say the same of them.
fn is_same(one: &Finding, other: &Finding) -> bool {
    let of_two_lanes = match (&one.lane, &other.lane) {
        (Some(_), Some(lane)) => !one.is_about(lane),
        (Some(_) | None, None) | (None, Some(_)) => false,
    };
    let is_there =
        one.service == other.service && one.place == other.place && one.evidence == other.evidence;
    of_two_lanes
        && (is_there || (one.anywhere && other.anywhere))
        && one.rule.id == other.rule.id
        && one.severity == other.severity
        && one.message == other.message
        && one.fix == other.fix
        && one.consequence == other.consequence
        && one.lowered == other.lowered
        && one.ruling == other.ruling
        && one.hides_values == other.hides_values
}

fn add(known: &mut Finding, other: Finding) {
    known.other_lanes.extend(other.lane);
    if known.place != other.place {
        let text =
            other.service.as_ref().map_or("and here".to_owned(), |it| format!("`{it}` here"));
        known.related.push(Label { place: other.place, text });
    }
    known.service.take_if(|service| Some(&*service) != other.service.as_ref());
    for seen in other.evidence {
        if !known.evidence.contains(&seen) {
            known.evidence.push(seen);
        }
    }
    if known.related == other.related {
        return;
    }
    for label in other.related {
        if !known.related.contains(&label) {
            known.related.push(label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;
    use crate::findings::{Rule, Severity};
    use crate::source_map::Place;

    static RULE: Rule = Rule::error("mount-source-missing", ExitCode::Mount, "");

    fn of(lane: &str) -> Finding {
        let finding = Finding::new(&RULE, "`/data` does not exist", "make it");
        if lane.is_empty() { finding } else { finding.lane(lane) }
    }

    fn check(findings: Vec<Finding>, expected: &[&[&str]]) {
        let told = once(findings);
        let lanes: Vec<Vec<&String>> = told.iter().map(|it| it.lanes().collect()).collect();
        assert_eq!(lanes, expected);
    }

    #[test]
    fn what_is_the_same_of_several_lanes_is_one_finding() {
        check(vec![of("coder"), of("reader"), of("spare")], &[&["coder", "reader", "spare"]]);
    }

    #[test]
    fn whatever_else_differs_keeps_findings_apart() {
        let others = [
            of("reader").service("vllm"),
            of("reader").with("seen", "nothing"),
            of("reader").severity(Severity::Warning),
            of("reader").consequence(),
            Finding::new(&RULE, "`/other` does not exist", "make it").lane("reader"),
            Finding::new(&RULE, "`/data` does not exist", "correct it").lane("reader"),
        ];
        for other in others {
            check(vec![of("coder"), other], &[&["coder"], &["reader"]]);
        }
        // Of one lane, and of none, what is said twice was meant twice.
        check(vec![of("coder"), of("coder")], &[&["coder"], &["coder"]]);
        check(vec![of(""), of(""), of("coder")], &[&[], &[], &["coder"]]);
    }

    #[test]
    fn a_cause_that_is_the_same_anywhere_is_one_finding_with_every_place() {
        let of = |lane: &str, folder: &str| {
            of(lane).anywhere().service(format!("{lane}-llm")).with("folder", folder)
        };
        let told =
            once(vec![of("coder", "/data/a"), of("reader", "/data/b"), of("deep", "/data/a")]);
        let [one] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(one.lanes().collect::<Vec<_>>(), ["coder", "reader", "deep"]);
        assert_eq!(one.service, None);
        let folders: Vec<_> = one.evidence.iter().map(|(_, folder)| folder.as_str()).collect();
        assert_eq!(folders, ["/data/a", "/data/b"]);
    }

    #[test]
    fn every_place_that_led_there_is_kept_once() {
        let (here, there) = ("mounted here", "mounted there");
        let one = of("coder").also(&Place::nowhere(), here);
        let other = of("reader").also(&Place::nowhere(), here).also(&Place::nowhere(), there);
        let told = once(vec![one, other]);
        let texts: Vec<&str> = told[0].related.iter().map(|label| label.text.as_str()).collect();
        assert_eq!(texts, [here, there]);
    }
}
