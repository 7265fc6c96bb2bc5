//! Lanes that are nothing but a source, and the place that it is brought to.

use std::collections::BTreeSet;

use super::{Artifact, Lane, Origin, Plan, Settings, Traced};
use crate::options::Delivery;
use crate::path::{HostPath, LocalPath};
use crate::plan::engine::Part;
use crate::project::Dialect;
use crate::project::mounts::{Located, Sight};
use crate::source_map::Place;

/// A plan with one lane for each delivery.
#[must_use]
pub fn of_deliveries(deliveries: &[Delivery]) -> Plan {
    let name = |delivery: &Delivery| match &delivery.source.path {
        Some(path) => format!("{}/{path}", delivery.source.repository()),
        None => delivery.source.repository(),
    };
    let lane = |delivery: &Delivery| {
        let own = name(delivery);
        let is_only = deliveries.iter().filter(|other| name(other) == own).count() == 1;
        // The same repository may go to two places.
        let own = if is_only { own } else { format!("{own} in {}", delivery.typed.1) };
        Lane {
            artifacts: vec![artifact(delivery)],
            source: Some(traced(delivery.source.clone())),
            include: delivery.include.clone(),
            exclude: delivery.exclude.clone(),
            delivery: Some(Box::new(delivery.clone())),
            ..Lane::named(own)
        }
    };
    Plan {
        lanes: deliveries.iter().map(lane).collect(),
        settings: Settings { fetch: true, create_root: true, gpus: None },
        dialect: Dialect::Compose,
        idle: BTreeSet::new(),
        wiring: Default::default(),
    }
}

fn artifact(delivery: &Delivery) -> Artifact {
    let ground = LocalPath::new(delivery.ground.as_path());
    let located = Located {
        service: None,
        service_path: None,
        host_path: Some(HostPath::new(delivery.to.as_path())),
        sight: Sight::Visible {
            path: LocalPath::new(delivery.to.as_path()),
            root: ground.clone(),
            mounted_at: ground,
            read_only: false,
        },
        mount: None,
    };
    Artifact { part: Part::Model, located: traced(located) }
}

fn traced<T>(value: T) -> Traced<T> {
    Traced { value, from: Origin::CommandLine, place: Place::nowhere() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_goes_to_two_places_is_two_lanes() {
        let names = |deliveries: &[Delivery]| -> Vec<String> {
            of_deliveries(deliveries).lanes.into_iter().map(|lane| lane.name).collect()
        };
        let one = Delivery::plain("hf://a/b@v1", "/m/1");
        let other = Delivery::plain("hf://a/b", "/m/2");
        let file = Delivery::plain("hf://a/b/x.gguf", "/m/x.gguf");
        assert_eq!(names(&[one.clone(), file.clone()]), ["a/b", "a/b/x.gguf"]);
        assert_eq!(names(&[one, other, file]), ["a/b in /m/1", "a/b in /m/2", "a/b/x.gguf"]);
    }
}
