use super::*;
use crate::facts::Orders;
use crate::facts::Way;
use crate::facts::model::ModelFacts;
use crate::facts::nearby::{Likeness, Nearby};
use crate::findings::Policy;
use crate::findings::check::CHECKS;
use crate::look::{FileKind, Owner, Stat};
use crate::options::Task;
use crate::path::{HostPath, LocalPath, ServicePath};
use crate::plan::engine::{Engine, Invocation, Part};
use crate::plan::lanes::{Artifact, Lane, Origin, Plan, Settings, Traced};
use crate::project::docker::DockerError;
use crate::project::{Project, Service};
use crate::source::Source;
use crate::source_map::{Spanned, Variable};

fn bind(source: &str, place: Place) -> Mount {
    Mount {
        source: MountSource::Bind { path: HostPath::new(source), create_host_path: true },
        target: ServicePath::new("/models"),
        read_only: false,
        place,
    }
}

fn located(sight: Sight, mount: Option<Mount>) -> Located {
    Located {
        service: Some("engine".to_owned()),
        service_path: Some(ServicePath::new("/models/x.gguf")),
        host_path: mount.is_some().then(|| HostPath::new("/data/x.gguf")),
        sight,
        mount,
    }
}

fn visible() -> Sight {
    let path = |path: &str| LocalPath::new(path);
    let root = path("/models");
    Sight::Visible {
        path: path("/models/x.gguf"),
        root: root.clone(),
        mounted_at: root,
        read_only: false,
    }
}

fn folder() -> Look<Stat> {
    Look::Seen(Stat {
        kind: FileKind::Directory,
        size: 0,
        allocated: None,
        mode: 0o755,
        owner: Some(Owner { uid: 0, gid: 0 }),
        modified: None,
        created: None,
    })
}

fn root(writable: Writable) -> RootFacts {
    RootFacts {
        stat: folder(),
        empty: Look::Seen(false),
        fabricated: false,
        writable: Look::Seen(writable),
    }
}

/// A lane with a source whose one file is missing.
fn lane(located: Located, root: Option<RootFacts>) -> LaneFacts {
    let traced = Traced { value: located, from: Origin::Extension, place: Place::nowhere() };
    let artifact = Artifact { part: Part::Model, located: traced };
    let source: Source = "hf://acme/reader/x.gguf".parse().unwrap();
    let source = Traced { value: source, from: Origin::Extension, place: Place::nowhere() };
    let lane =
        Lane { artifacts: vec![artifact.clone()], source: Some(source), ..Lane::named("reader") };
    let facts = LaneFacts {
        artifacts: vec![ArtifactFacts {
            artifact,
            root,
            model: ModelFacts::Absent,
            way: Way::default(),
            starter: None,
            through: None,
        }],
        ..LaneFacts::of(lane, Role::Init)
    };
    ordered(facts, |orders| orders.may_fetch = true)
}

/// The same, with other orders.
fn ordered(mut facts: LaneFacts, change: impl FnOnce(&mut Orders)) -> LaneFacts {
    change(&mut facts.orders);
    facts
}

fn data() -> Located {
    located(visible(), Some(bind("/data", Place::nowhere())))
}

fn judged(facts: &LaneFacts) -> Vec<Finding> {
    let mut findings = Findings::new(Policy::default());
    mount(facts, &mut findings);
    findings.into_vec()
}

/// The one finding about a lane, or none: its id, and words of its message and fix.
fn check(facts: &LaneFacts, expected: Option<(&str, &[&str])>) {
    let found = judged(facts);
    let Some((id, words)) = expected else {
        assert!(found.is_empty(), "{found:?}");
        return;
    };
    assert_eq!(found.iter().map(|finding| finding.rule.id).collect::<Vec<_>>(), [id]);
    assert_eq!(found[0].lane.as_deref(), Some("reader"));
    assert_eq!(found[0].service.as_deref(), Some("engine"));
    let said = format!("{}; {}", found[0].message, found[0].fix);
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
}

#[test]
fn a_path_that_no_mount_reaches_is_said_with_the_mount_that_would() {
    let unmounted = lane(located(Sight::NotMounted, None), None);
    let words: &[&str] = &["no mount of `engine` reaches `/models/x.gguf`", "}:/models`"];
    check(&unmounted, Some(("model-path-not-mounted", words)));
}

#[test]
fn an_image_of_ones_own_that_was_not_looked_into_may_hold_the_model() {
    let own = |stock: bool| {
        let mut facts = lane(located(Sight::NotMounted, None), None);
        facts.lane.invocation = Some(Invocation { stock, ..Invocation::bare(Engine::Tei) });
        facts
    };
    check(&own(false), None);
    let refused = Some(("model-path-not-mounted", &[][..]));
    check(&own(true), refused);
    let mut looked_into = own(false);
    let (name, why) = ("tei-1".to_owned(), String::new());
    looked_into.artifacts[0].through = Some(Through::Container { name, why });
    check(&looked_into, refused);
    let mut elsewhere = own(false);
    let path = ServicePath::new("/data/x.gguf");
    elsewhere.artifacts[0].way.nearby = vec![Nearby { path, likeness: Likeness::SameName }];
    check(&elsewhere, refused);
}

#[test]
fn what_preflight_cannot_see_is_not_a_wrong_mount() {
    let mount = Some(bind("/data", Place::nowhere()));
    check(&lane(located(Sight::Hidden("elsewhere".to_owned()), mount), None), None);
}

#[test]
fn a_folder_that_is_not_there_is_said_with_the_variable_that_names_it() {
    let place = Place {
        variables: vec![Variable {
            name: "MODELS_PATH".to_owned(),
            set_by: VariableSource::Environment,
        }],
        ..Place::nowhere()
    };
    let absent = RootFacts { stat: Look::Absent, ..root(Writable::Yes) };
    let init = lane(located(visible(), Some(bind("/dta", place))), Some(absent));
    let facts = ordered(init.clone(), |orders| orders.role = Role::Hand);
    let words: &[&str] = &["`/dta` does not exist", "correct `MODELS_PATH`", "mkdir -p /dta"];
    check(&facts, Some(("mount-source-missing", words)));
    // An init container that writes above it makes it with the files.
    check(&init, None);
    check(&ordered(init, |orders| orders.may_fetch = false), Some(("mount-source-missing", words)));
}

#[test]
fn the_folder_to_make_is_never_the_file_that_is_missing() {
    let on_host = Located {
        host_path: Some(HostPath::new("/srv/models/gguf/x.gguf")),
        ..located(
            Sight::Visible {
                path: LocalPath::new("/m/gguf/x.gguf"),
                root: LocalPath::new("/m"),
                mounted_at: LocalPath::new("/m"),
                read_only: false,
            },
            None,
        )
    };
    let absent = RootFacts { stat: Look::Absent, ..root(Writable::Yes) };
    let words: &[&str] = &["mkdir -p /srv/models"];
    let facts = ordered(lane(on_host, Some(absent)), |orders| orders.role = Role::Hand);
    check(&facts, Some(("mount-source-missing", words)));
    assert!(judged(&facts)[0].fix.ends_with("`mkdir -p /srv/models`"));
}

#[test]
fn a_folder_that_docker_has_just_made_is_refused_unless_that_is_allowed() {
    let made = || Some(RootFacts { fabricated: true, ..root(Writable::Yes) });
    let words: &[&str] = &["`/data`", "create_root: true"];
    check(&lane(data(), made()), Some(("mount-source-fabricated", words)));
    check(&ordered(lane(data(), made()), |orders| orders.create_root = true), None);
}

#[test]
fn a_folder_that_cannot_be_written_matters_only_where_something_is_to_be_fetched() {
    for (writable, role, words) in [
        (Writable::MountReadOnly, Role::Init, "mount the models without `:ro`"),
        (Writable::DiskReadOnly, Role::Hand, "its file system is read-only"),
        (Writable::NotAllowed, Role::Init, "set `PREFLIGHT_UID`"),
        (Writable::NotAllowed, Role::Hand, "run preflight as the owner of `/data`"),
    ] {
        let facts = ordered(lane(data(), Some(root(writable))), |orders| orders.role = role);
        check(&facts, Some(("not-writable", &[words])));
        check(&ordered(facts.clone(), |orders| orders.may_fetch = false), None);
        let mut no_source = facts;
        no_source.lane.source = None;
        check(&no_source, None);
    }
    check(&lane(data(), Some(root(Writable::Yes))), None);
}

/// The findings about a project whose service `engine` mounts `theirs`, and preflight `ours`.
fn wired(role: Role, theirs: Mount, ours: Mount) -> Vec<(&'static str, Severity)> {
    let service = |name: &str, mount: Mount| Service {
        mounts: vec![mount],
        ..Service::named(Spanned::nowhere(name.to_owned()))
    };
    let located = located(visible(), Some(theirs.clone()));
    let mut reader = lane(located, None).lane;
    reader.services = vec!["engine".to_owned()];
    let project = Project {
        services: vec![service("preflight", ours), service("engine", theirs)],
        ..Project::empty()
    };
    let settings = Settings { fetch: true, create_root: false, gpus: None };
    let facts = ProjectFacts {
        role,
        task: Task::Check,
        project: &project,
        plan: &Plan {
            lanes: vec![reader.clone(), reader],
            settings,
            dialect: Default::default(),
            idle: Default::default(),
            wiring: Default::default(),
        },
        differences: &[],
        unreadable: None,
        elsewhere: None,
        observation: &Err(DockerError::Disabled),
        devices: &[],
        host: None,
    };
    let mut findings = Findings::new(Policy::default());
    wiring(&facts, &mut findings);
    findings.into_vec().iter().map(|finding| (finding.rule.id, finding.severity)).collect()
}

#[test]
fn a_variable_that_is_not_set_is_said_once_and_is_certain_only_by_hand() {
    let unset = || {
        let variable = Variable { name: "MODELS_PATH".to_owned(), set_by: VariableSource::Unset };
        bind("/gguf", Place { variables: vec![variable], ..Place::nowhere() })
    };
    let said = |role| wired(role, unset(), unset());
    assert_eq!(said(Role::Hand), [("variable-unset-in-path", Severity::Error)]);
    assert_eq!(said(Role::Init), [("variable-unset-in-path", Severity::Warning)]);
}

#[test]
fn preflight_and_the_service_that_show_different_folders_at_one_place_are_told_apart() {
    let at = |path: &str| bind(path, Place::nowhere());
    let differs = ("models-path-differs", Severity::Warning);
    assert_eq!(wired(Role::Hand, at("/data"), at("/dta")), [differs]);
    assert_eq!(wired(Role::Hand, at("/data"), at("/data/gguf")), [differs]);
    for theirs in ["/data", "/data/gguf"] {
        assert_eq!(wired(Role::Hand, at(theirs), at("/data")), [], "{theirs} is seen in /data");
    }
    // The shipped fragment, where nobody names a folder.
    assert_eq!(wired(Role::Hand, at("/data"), at("/dev/null")), []);
}

#[test]
fn every_rule_of_the_family_is_in_the_list() {
    let listed = |rule: &str| CHECKS.iter().flat_map(|it| it.rules).any(|known| known.id == rule);
    for rule in [&VARIABLE_UNSET, &MODELS_PATH_DIFFERS, &PATH_NOT_MOUNTED, &SOURCE_MISSING] {
        assert!(listed(rule.id), "{}", rule.id);
    }
}
