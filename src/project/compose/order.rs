//! The order in which services can start.

use std::collections::HashMap;

/// The services in rounds: those of a round wait for services of earlier rounds only, and keep the
/// order in which they are given. Services that wait for themselves, however far around, and those
/// that wait for such, are in no round. Edges to services that are not given do not count.
pub(super) fn rounds<'a>(services: &[(&'a str, Vec<&'a str>)]) -> Vec<Vec<&'a str>> {
    let indices: HashMap<&str, usize> =
        services.iter().enumerate().map(|(index, (name, _))| (*name, index)).collect();
    let mut waiting = vec![0_usize; services.len()];
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); services.len()];
    for (service, (_, edges)) in services.iter().enumerate() {
        for target in edges.iter().filter_map(|target| indices.get(target)) {
            waiting[service] += 1;
            dependants[*target].push(service);
        }
    }
    let mut rounds = Vec::new();
    let mut free: Vec<usize> =
        (0..services.len()).filter(|&service| waiting[service] == 0).collect();
    while !free.is_empty() {
        let mut next = Vec::new();
        for &dependant in free.iter().flat_map(|&service| &dependants[service]) {
            waiting[dependant] -= 1;
            if waiting[dependant] == 0 {
                next.push(dependant);
            }
        }
        next.sort_unstable();
        rounds.push(free.iter().map(|&service| services[service].0).collect());
        free = next;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(services: &[(&str, &[&str])], expected: &[&[&str]]) {
        let services: Vec<_> =
            services.iter().map(|(name, edges)| (*name, edges.to_vec())).collect();
        assert_eq!(rounds(&services), expected);
    }

    #[test]
    fn services_start_after_those_that_they_wait_for() {
        check(&[("a", &["c"]), ("b", &[]), ("c", &["b", "x"])], &[&["b"], &["c"], &["a"]]);
        check(&[("a", &[]), ("b", &["a", "a"])], &[&["a"], &["b"]]);
        check(&[("a", &["b"]), ("b", &["a"]), ("c", &["a"]), ("d", &[])], &[&["d"]]);
        check(&[("a", &["a"])], &[]);
    }
}
