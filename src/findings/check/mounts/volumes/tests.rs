use serde_json::json;

use super::*;
use crate::findings::check::container::tests::Stack;
use crate::path::ServicePath;
use crate::project::VolumeKind;
use crate::project::docker::Observation;
use crate::source_map::{SourceMap, Span};

fn options(options: &[(&str, &str)]) -> BTreeMap<String, String> {
    options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn bind(device: &str) -> BTreeMap<String, String> {
    options(&[("type", "none"), ("o", "bind"), ("device", device)])
}

/// What is said of the volume `demo_weights` of a lane's service, which the file has with `written`
/// and Docker with `found`.
fn check(
    role: Role,
    written: &BTreeMap<String, String>,
    found: Look<BTreeMap<String, String>>,
    external: bool,
    expected: Option<&str>,
) {
    let mut stack = Stack::new(role);
    stack.lane("coder", &["llama"], true);
    stack.service("llama").mounts.push(Mount {
        source: MountSource::Volume { name: "demo_weights".to_owned(), subpath: None },
        target: ServicePath::new("/models"),
        read_only: true,
        place: Place::nowhere(),
    });
    let source = SourceMap::default().add(std::path::Path::new("compose.yaml"), "x".to_owned());
    let place = Place::at(Span { source, start: 0, end: 1 });
    let volume = Volume {
        name: "demo_weights".to_owned(),
        external,
        device: None,
        kind: VolumeKind::Engine,
        place,
    };
    stack.project.volumes.insert("weights".to_owned(), volume);
    stack.project.document = json!({"volumes": {"weights": {"driver_opts": written}}});
    let found =
        found.map(|options| DockerVolume { driver: "local".to_owned(), options, device: None });
    let mut observation = Observation::of(Vec::new());
    observation.volumes.insert("demo_weights".to_owned(), found);
    stack.observation = Ok(observation);
    let told = stack.found(&CHECK).into_vec();
    let told: Vec<String> =
        told.iter().map(|it| format!("{} {}; {}", it.rule.id, it.message, it.fix)).collect();
    assert!(told.len() < 2, "{told:?}");
    match (told.first(), expected) {
        (Some(told), Some(expected)) => assert!(told.contains(expected), "{told}"),
        (told, expected) => assert_eq!(told.map(String::as_str), expected),
    }
}

#[test]
fn a_relative_device_is_an_error_whether_the_volume_exists_or_not() {
    for device in ["./models", "models"] {
        let fix = Some("write `device: ${PWD}/models`");
        check(Role::Hand, &bind(device), Look::Absent, false, fix);
        check(Role::Init, &bind(device), Look::Unknown(String::new()), false, fix);
        let fix = Some("`docker volume rm demo_weights`");
        check(Role::Init, &bind("/models"), Look::Seen(bind(device)), false, fix);
    }
    let nfs = options(&[("type", "nfs"), ("o", "addr=nas"), ("device", ":/export")]);
    check(Role::Hand, &nfs, Look::Absent, false, None);
    check(Role::Hand, &bind("/models"), Look::Absent, false, None);
}

#[test]
fn an_external_volume_has_to_exist() {
    let none = BTreeMap::new();
    let fix = Some("`docker volume create demo_weights`");
    check(Role::Hand, &none, Look::Absent, true, fix);
    check(Role::Hand, &none, Look::Absent, false, None);
    check(Role::Hand, &none, Look::Seen(none.clone()), true, None);
    check(Role::Hand, &none, Look::Unknown(String::new()), true, None);
}

#[test]
fn options_that_were_changed_are_told_where_the_caller_s_variables_are_known() {
    let (old, new) = (bind("/old"), bind("/new"));
    let said =
        Some("volume-differs-from-file the volume `demo_weights` was made with other options");
    check(Role::Hand, &new, Look::Seen(old.clone()), false, said);
    check(Role::Hand, &new, Look::Seen(BTreeMap::new()), false, said);
    check(Role::Hand, &new, Look::Seen(new.clone()), false, None);
    check(Role::Init, &new, Look::Seen(old.clone()), false, None);
    check(Role::Hand, &new, Look::Seen(old), true, None);
}
