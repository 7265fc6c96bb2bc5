//! Where the services of a project are, by their names.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::Service;

/// Remembers where services were when one was looked for at first. Of projects with thousands of services
/// every one is looked for many times.
#[derive(Debug, Clone, Default)]
pub struct ByName(OnceLock<HashMap<String, usize>>);

impl ByName {
    /// The service of that name, wherever it is by now.
    pub(super) fn find<'s>(&self, services: &'s [Service], name: &str) -> Option<&'s Service> {
        let is_it = |service: &&Service| service.name.value == name;
        let places = self.0.get_or_init(|| {
            let names = services.iter().map(|service| service.name.value.clone());
            // The first of that name counts.
            names.enumerate().rev().map(|(place, name)| (name, place)).collect()
        });
        let known = places.get(name).and_then(|place| services.get(*place)).filter(is_it);
        known.or_else(|| services.iter().find(is_it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source_map::Spanned;

    #[test]
    fn a_service_is_found_where_it_is_whatever_has_become_of_the_others() {
        let service = |name: &str| Service::named(Spanned::nowhere(name.to_owned()));
        let by_name = ByName::default();
        let find = |services: &[Service], name: &str| {
            by_name.find(services, name).map(|service| service.name.value.clone())
        };
        let mut services = vec![service("a"), service("b")];
        assert_eq!(find(&services, "b").as_deref(), Some("b"));
        services.remove(0);
        services.push(service("c"));
        for (name, expected) in [("a", None), ("b", Some("b")), ("c", Some("c"))] {
            assert_eq!(find(&services, name).as_deref(), expected, "{name}");
        }
    }
}
