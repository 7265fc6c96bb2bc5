use super::*;
use crate::findings::Policy;
use crate::path::ServicePath;
use crate::plan::lanes::Lane;
use crate::project::Mount;
use crate::source_map::{Spanned, Variable, VariableSource};

/// A bind that Docker makes a folder for, of which nothing says that it is a file, and that is missing.
fn bind(service: &str, target: &str) -> BindFacts {
    let source = HostPath::new("/srv/x");
    let mount = Mount {
        source: MountSource::Bind { path: source.clone(), create_host_path: true },
        target: ServicePath::new(target),
        read_only: true,
        place: Place::nowhere(),
    };
    BindFacts {
        service: service.to_owned(),
        need: Need::Success,
        mount,
        written: source.to_string(),
        source,
        inside: ServicePath::new(target),
        volume: None,
        file: None,
        holds_model: false,
        found: Look::Absent,
        near: None,
        missing_above: None,
        empty: false,
    }
}

fn file(service: &str, sign: FileSign) -> BindFacts {
    BindFacts { file: Some(sign), ..bind(service, "/check/x") }
}

/// The same, of which Docker makes nothing.
fn strict(mut bind: BindFacts) -> BindFacts {
    bind.mount.source = MountSource::Bind { path: bind.source.clone(), create_host_path: false };
    bind
}

fn folder(bind: BindFacts, empty: bool) -> BindFacts {
    BindFacts { found: Look::Seen(FileKind::Directory), empty, ..bind }
}

fn judged(binds: Vec<BindFacts>) -> Vec<Finding> {
    let mut findings = Findings::new(Policy::default());
    let facts = LaneFacts { binds, ..LaneFacts::of(Lane::named("reader"), Role::Hand) };
    judge(&facts, &mut findings);
    findings.into_vec()
}

/// What is said of one source, in one line; empty for nothing.
fn said(binds: Vec<BindFacts>) -> String {
    let found = judged(binds);
    assert!(found.len() < 2, "{found:?}");
    let line = |it: &Finding| format!("{}: {}; {}", it.severity, it.message, it.fix);
    found.first().map(line).unwrap_or_default()
}

#[test]
fn a_file_that_is_missing_is_to_be_put_there_and_never_made_as_a_folder() {
    for sign in [FileSign::Name, FileSign::Use] {
        assert_eq!(
            said(vec![file("vllm", sign)]),
            "error: `/srv/x` does not exist on the host: Docker makes a folder of that name, and \
             `/check/x` is then a folder in `vllm`; put the file there, or correct the path"
        );
    }
}

#[test]
fn a_folder_that_docker_makes_is_as_good_as_one_that_is_there() {
    assert_eq!(said(vec![bind("vllm", "/cache")]), "");
}

#[test]
fn what_docker_does_not_make_has_to_be_there() {
    let cannot = "error: `/srv/x` does not exist on the host, and Docker does not make it: the \
                  container of `vllm` cannot be created; ";
    let made = "correct the path, or make the folder: `mkdir -p /srv/x`";
    assert_eq!(said(vec![strict(bind("vllm", "/cache"))]), format!("{cannot}{made}"));
    let put = "put the file there, or correct the path";
    assert_eq!(said(vec![strict(file("vllm", FileSign::Name))]), format!("{cannot}{put}"));
}

#[test]
fn a_folder_in_place_of_a_file_is_told_by_its_emptiness_or_by_the_use_of_the_file() {
    let left = "error: `/srv/x` is an empty folder, as Docker makes one for a file that is missing: \
                `/check/x` is no file in `vllm`; remove the folder, `rmdir /srv/x`, and put the file \
                there";
    assert_eq!(said(vec![folder(file("vllm", FileSign::Name), true)]), left);
    assert_eq!(said(vec![folder(file("vllm", FileSign::Use), true)]), left);
    assert_eq!(
        said(vec![folder(file("vllm", FileSign::Use), false)]),
        "error: `/srv/x` is a folder, and `vllm` needs a file at `/check/x`; correct the path, or \
         put the file there in place of the folder"
    );
    // A folder may be called as it likes, if there is something in it.
    assert_eq!(said(vec![folder(file("vllm", FileSign::Name), false)]), "");
    assert_eq!(said(vec![folder(bind("vllm", "/cache"), true)]), "");
}

#[test]
fn the_device_of_a_volume_is_named_with_the_variable_that_it_was_made_of() {
    let variable = Variable { name: "MODELS_PATH".to_owned(), set_by: VariableSource::Environment };
    let place = Place { variables: vec![variable], ..Place::nowhere() };
    let mut device = bind("vllm", "/models");
    device.mount.source = MountSource::Volume { name: "p_models".to_owned(), subpath: None };
    device.mount.place = place.clone();
    device.volume = Some(Spanned::new("models".to_owned(), place));
    device.holds_model = true;
    assert_eq!(
        said(vec![device]),
        "error: `/srv/x`, the device of the volume `models`, does not exist on the host: Docker \
         cannot mount it, and no service that has the volume starts; correct `MODELS_PATH`, so \
         that the device of the volume `models` is a folder that is there"
    );
}

#[test]
fn a_service_that_only_has_to_be_started_before_it_keeps_no_lane_down() {
    let started = |bind: BindFacts| BindFacts { need: Need::Start, ..bind };
    let missing = said(vec![started(file("redis", FileSign::Name))]);
    assert!(missing.starts_with("warning: "), "{missing}");
    // One that cannot even be created does.
    let refused = said(vec![started(strict(bind("redis", "/data")))]);
    assert!(refused.starts_with("error: "), "{refused}");
}

#[test]
fn one_source_is_one_finding_whoever_mounts_it() {
    let mut elsewhere = file("vllm", FileSign::Use);
    elsewhere.source = HostPath::new("/srv/y");
    let found = judged(vec![file("gate", FileSign::Name), file("vllm", FileSign::Use), elsewhere]);
    let services: Vec<_> = found.iter().map(|finding| finding.service.as_deref()).collect();
    assert_eq!(services, [None, Some("vllm")]);
    assert!(found[0].message.ends_with("is then a folder in `gate`"), "{}", found[0].message);
}

#[test]
fn what_cannot_be_seen_is_not_missing() {
    let unseen = Look::Unknown("preflight has not mounted it".to_owned());
    assert_eq!(said(vec![BindFacts { found: unseen, ..file("vllm", FileSign::Use) }]), "");
}
