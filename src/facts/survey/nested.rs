//! Deliveries into the folder of another: they may lie in each other, as long as no file of the one
//! belongs where the other is brought to.

use super::bring::LaneDownloads;
use crate::facts::{Collision, LaneFacts};
use crate::file_name::split::SplitName;
use crate::options::Delivery;

/// What is brought to a place.
struct Claim {
    delivery: Delivery,
    /// In the repository; empty: it is not known.
    files: Vec<String>,
}

/// Notes of deliveries that cannot both be brought why they cannot.
pub(super) fn look(lanes: &mut [LaneDownloads<'_>]) {
    let claims: Vec<Option<Claim>> = lanes.iter().map(|lane| Claim::of(lane.facts)).collect();
    for (at_outer, outer) in claims.iter().enumerate() {
        for (at_inner, inner) in claims.iter().enumerate() {
            let (Some(outer), Some(inner)) = (outer, inner) else { continue };
            let Some(file) = outer.file_within(inner) else { continue };
            let collision = Collision {
                outer: outer.delivery.typed.0.clone(),
                file: file.to_owned(),
                inner: inner.delivery.typed.clone(),
            };
            for at in [at_outer, at_inner] {
                if let Some(lane) = lanes.get_mut(at) {
                    lane.facts.source.collision.get_or_insert(collision.clone());
                }
            }
        }
    }
}

impl Claim {
    fn of(facts: &LaneFacts) -> Option<Self> {
        let delivery = Delivery::clone(facts.lane.delivery.as_ref()?);
        let listed = facts.source.probe.as_ref().and_then(|probe| probe.as_ref().ok());
        let files = match (listed, facts.source.pinning.pin()) {
            (Some(listing), _) => listing.files.iter().map(|file| file.path.clone()).collect(),
            (None, Some(pin)) => pin.files.keys().cloned().collect(),
            (None, None) => Vec::new(),
        };
        Some(Self { delivery, files })
    }

    /// A file of this that belongs where `inner` is brought to; absent: there is none.
    fn file_within(&self, inner: &Self) -> Option<&str> {
        if self.delivery.source.path.is_some() {
            return None;
        }
        let place = inner.delivery.to.strip_prefix(&self.delivery.to).ok()?.to_str()?;
        let is_file = inner.delivery.source.path.is_some();
        let name = SplitName::of_gguf(place).filter(|name| is_file && name.is_first());
        let is_taken = |file: &&String| {
            *file == place
                || is_below(file, place)
                || is_below(place, file)
                || name.as_ref().is_some_and(|name| name.has_part(file))
        };
        self.files.iter().find(is_taken).map(String::as_str).filter(|_| !place.is_empty())
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(source: &str, to: &str, files: &[&str]) -> Claim {
        let delivery = Delivery::plain(source, to);
        Claim { delivery, files: files.iter().map(|file| (*file).to_owned()).collect() }
    }

    #[test]
    fn a_file_is_in_the_way_where_both_would_have_the_same_name_or_one_a_folder_of_the_other() {
        let files = ["config.json", "lora/a.json", "m-00002-of-00002.gguf"];
        let outer = claim("hf://a/base", "/m", &files);
        for (source, to, expected) in [
            ("hf://a/lora", "/m/lora", Some("lora/a.json")),
            ("hf://a/lora", "/m/lora/a.json/b", Some("lora/a.json")),
            ("hf://a/lora", "/m/config.json", Some("config.json")),
            ("hf://a/lora", "/m/lora2", None),
            ("hf://a/lora", "/m/lora/b", None),
            ("hf://a/lora", "/m2/lora", None),
            ("hf://a/lora", "/m", None),
            ("hf://a/b/x.json", "/m/lora/x.json", None),
            ("hf://a/b/a.json", "/m/lora/a.json", Some("lora/a.json")),
            ("hf://a/b/m-00001-of-00002.gguf", "/m/m-00001-of-00002.gguf", Some(files[2])),
            ("hf://a/b/m-00001-of-00003.gguf", "/m/m-00001-of-00003.gguf", None),
        ] {
            let inner = claim(source, to, &["a.json"]);
            assert_eq!(outer.file_within(&inner), expected, "{source} {to}");
            assert_eq!(inner.file_within(&outer), None, "{source} {to}");
        }
    }
}
