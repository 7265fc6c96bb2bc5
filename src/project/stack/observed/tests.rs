use std::path::PathBuf;

use super::*;
use crate::source_map::{SourceId, SourceMap, Span};

/// A place that can be told from others by its number.
fn place(start: usize) -> Place {
    Place::at(Span { source: source(), start, end: start + 1 })
}

fn source() -> SourceId {
    SourceMap::default().add(std::path::Path::new("compose.yaml"), String::new())
}

fn bind(path: &str, target: &str) -> Mount {
    mount(MountSource::Bind { path: HostPath::new(path), create_host_path: true }, target)
}

fn volume(name: &str, target: &str) -> Mount {
    mount(MountSource::Volume { name: name.to_owned(), subpath: None }, target)
}

fn mount(source: MountSource, target: &str) -> Mount {
    Mount { source, target: ServicePath::new(target), read_only: false, place: Place::nowhere() }
}

fn placed(mounts: impl IntoIterator<Item = Mount>) -> Vec<Mount> {
    let places = (100..).map(place);
    mounts.into_iter().zip(places).map(|(mount, place)| Mount { place, ..mount }).collect()
}

fn spanned(words: &[&str]) -> Vec<Spanned<String>> {
    let places = (1..).map(place);
    words.iter().zip(places).map(|(word, place)| Spanned::new((*word).to_owned(), place)).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn vllm() -> (Service, Container) {
    let service = Service::named(Spanned::new("vllm".to_owned(), place(0)));
    (service, Container::of_service("demo", "vllm"))
}

/// `what | file | container` of every difference between the two.
fn compare(project: Project, observation: &Observation) -> (Service, Vec<String>) {
    let (mut project, differences) = project.observed(observation);
    let told = differences.into_iter().map(|difference| {
        assert_eq!(difference.service, "vllm");
        assert!(difference.place.span.is_some(), "{difference:?}");
        format!("{} | {} | {}", difference.what, difference.file, difference.container)
    });
    (project.services.remove(0), told.collect())
}

fn check_mounts(file: Vec<Mount>, container: Vec<Mount>, expected: &[&str]) {
    let (mut service, mut created) = vllm();
    let targets: Vec<_> = container.iter().map(|mount| mount.target.clone()).collect();
    service.mounts = placed(file);
    created.mounts = container;
    let project = Project::of("demo", vec![service]);
    let (service, told) = compare(project, &Observation::of(vec![created]));
    assert_eq!(told, expected);
    let mut merged: Vec<_> = service.mounts.into_iter().map(|mount| mount.target).collect();
    merged.sort();
    assert_eq!(merged, targets, "exactly the container's mounts are kept");
}

#[test]
fn what_is_the_same_is_no_difference() {
    check_mounts(
        vec![bind("/srv/models/", "/models/"), volume("demo_cache", "/cache")],
        vec![volume("demo_cache", "/cache"), bind("/srv/models", "/models")],
        &[],
    );
}

#[test]
fn what_the_image_or_docker_adds_is_no_difference() {
    check_mounts(
        vec![mount(MountSource::Tmpfs, "/scratch")],
        vec![
            mount(MountSource::Anonymous, "/data"),
            bind("/var/run/docker.sock", "/var/run/docker.sock"),
        ],
        &[],
    );
}

#[test]
fn another_source_at_the_same_target_is_a_difference() {
    check_mounts(
        vec![bind("/srv/models", "/models")],
        vec![bind("/old/models", "/models")],
        &["mount /models | /srv/models | /old/models"],
    );
    check_mounts(
        vec![volume("demo_models", "/models")],
        vec![mount(MountSource::Anonymous, "/models")],
        &["mount /models | volume demo_models | an anonymous volume"],
    );
}

#[test]
fn mounts_of_one_side_alone_are_differences() {
    check_mounts(
        vec![bind("/srv/models", "/models")],
        vec![bind("/etc/extra", "/extra")],
        &["mount /models | /srv/models | nothing", "mount /extra | nothing | /etc/extra"],
    );
}

#[test]
fn mounts_that_were_taken_over_from_another_container_are_no_difference() {
    let (service, mut created) = vllm();
    created.mounts = vec![bind("/srv/models", "/models")];
    created.volumes_from = vec!["another".to_owned()];
    let project = Project::of("demo", vec![service]);
    let (service, told) = compare(project, &Observation::of(vec![created]));
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(service.mounts.len(), 1);
}

#[test]
fn a_mount_that_moved_is_one_difference() {
    check_mounts(
        vec![bind("/srv/models", "/models")],
        vec![bind("/srv/models", "/data")],
        &["mount /models | /srv/models at /models | /srv/models at /data"],
    );
}

#[test]
fn the_file_s_place_stays_with_the_container_s_mount() {
    let (mut service, mut created) = vllm();
    service.mounts = placed([bind("/srv/models", "/models")]);
    created.mounts = vec![bind("/old/models", "/models"), bind("/x", "/x")];
    let project = Project::of("demo", vec![service]);
    let (service, _) = compare(project, &Observation::of(vec![created]));
    assert_eq!(service.mounts[0], Mount { place: place(100), ..bind("/old/models", "/models") });
    assert_eq!(service.mounts[1].place, Place::nowhere());
}

#[test]
fn a_volume_that_binds_a_folder_is_that_folder() {
    for (device, expected) in [
        ("/srv/models", vec![]),
        ("/old", vec!["mount /models | /srv/models | volume demo_models on /old"]),
    ] {
        let (mut service, mut created) = vllm();
        service.mounts = placed([bind("/srv/models", "/models")]);
        created.mounts = vec![volume("demo_models", "/models")];
        let mut observation = Observation::of(vec![created]);
        observation.volume_devices.insert("demo_models".to_owned(), HostPath::new(device));
        let (_, told) = compare(Project::of("demo", vec![service]), &observation);
        assert_eq!(told, expected);
    }
}

#[test]
fn a_volume_keeps_the_folder_that_it_was_made_with() {
    let (mut service, mut created) = vllm();
    service.mounts = placed([volume("demo_models", "/models")]);
    created.mounts = vec![volume("demo_models", "/models")];
    let mut project = Project::of("demo", vec![service]);
    let device = Spanned::new(HostPath::new("/new"), place(7));
    let declared = Volume {
        name: "demo_models".to_owned(),
        external: false,
        device: Some(device),
        kind: VolumeKind::Engine,
        place: place(6),
    };
    project.volumes.insert("models".to_owned(), declared);
    let mut observation = Observation::of(vec![created]);
    observation.volume_devices.insert("demo_models".to_owned(), HostPath::new("/old"));

    let (project, differences) = project.observed(&observation);
    assert_eq!(differences.len(), 1);
    assert_eq!(differences[0].file, "volume demo_models on /new");
    assert_eq!(differences[0].container, "volume demo_models on /old");
    let device = project.volumes["models"].device.clone().unwrap();
    assert_eq!(device, Spanned::new(HostPath::new("/old"), place(7)));
}

/// The files lie in `/stack` here, and `docker compose` was called in `called_in`.
fn check_called_in(called_in: &str, file: &str, container: &str, same: bool) {
    let (mut service, mut created) = vllm();
    service.mounts = placed([bind(file, "/models")]);
    created.mounts = vec![bind(container, "/models")];
    created
        .labels
        .insert("com.docker.compose.project.working_dir".to_owned(), called_in.to_owned());
    let project = Project::of("demo", vec![service]);
    let (_, told) = compare(project, &Observation::of(vec![created]));
    assert_eq!(told.is_empty(), same, "{called_in} {file} {container}: {told:?}");
}

#[test]
fn relative_sources_are_compared_as_if_the_files_lay_where_compose_was_called() {
    check_called_in("/home/u/app", "/stack/models", "/home/u/app/models", true);
    check_called_in("/home/u/app", "/models", "/home/u/models", true);
    check_called_in("/home/u/app", "/srv/models", "/srv/models", true);
    check_called_in("/home/u/app", "/stack/models", "/home/u/app/other", false);
    check_called_in("/home/u/app", "/stack/models", "/host_mnt/home/u/app/models", true);
    check_called_in("C:\\app", "/stack/models", "/run/desktop/mnt/host/c/app/models", true);
    check_called_in("C:\\app", "/srv/models", "/run/desktop/mnt/host/c/app/models", false);
}

fn check_words(file: Option<&[&str]>, container: &[&str], expected: &[&str], places: &[usize]) {
    let (mut service, mut created) = vllm();
    service.command = file.map(spanned);
    created.command = owned(container);
    let project = Project::of("demo", vec![service]);
    let (service, told) = compare(project, &Observation::of(vec![created]));
    assert_eq!(told, expected);
    let command = service.command.unwrap();
    let (words, kept): (Vec<_>, Vec<_>) = command
        .into_iter()
        .map(|word| (word.value, word.place.span.map_or(0, |span| span.start)))
        .unzip();
    assert_eq!(words, container);
    assert_eq!(kept, places);
}

#[test]
fn the_command_of_the_container_wins_and_keeps_the_places_of_the_file() {
    check_words(Some(&["serve", "m"]), &["serve", "m"], &[], &[1, 2]);
    check_words(
        Some(&["serve", "m", "--len", "8192", "--eager"]),
        &["serve", "m", "--len", "4096", "--eager"],
        &["command | ... --len 8192 ... | ... --len 4096 ..."],
        &[1, 2, 3, 4, 5],
    );
    check_words(
        Some(&["serve", "m"]),
        &["serve", "m", "--chat template", ""],
        &["command | ... m | ... m '--chat template' ''"],
        &[1, 2, 2, 2],
    );
    check_words(
        Some(&["serve", "a", "a"]),
        &["serve", "a"],
        &["command | ... a a | ... a"],
        &[1, 2],
    );
}

#[test]
fn a_command_that_is_the_image_s_own_is_no_difference() {
    check_words(None, &["serve"], &[], &[0]);
    check_words(Some(&[]), &["serve"], &[], &[0]);
    check_words(None, &[], &[], &[]);
}

#[test]
fn image_and_user_are_compared_and_their_defaults_are_not() {
    for (image, created_image, user, created_user, expected) in [
        (Some("vllm/vllm:1"), "vllm/vllm:1", None, "65532", vec![]),
        (None, "demo-vllm", Some("1000"), "1000", vec![]),
        (Some("nginx"), "docker.io/library/nginx:latest", None, "", vec![]),
        (
            Some("vllm/vllm:2"),
            "vllm/vllm:1",
            Some("1000"),
            "",
            vec!["user | 1000 | nothing", "image | vllm/vllm:2 | vllm/vllm:1"],
        ),
    ] {
        let (mut service, mut created) = vllm();
        service.image = image.map(|image| Spanned::new(image.to_owned(), place(1)));
        service.user = user.map(|user| Spanned::new(user.to_owned(), place(2)));
        created.image = created_image.to_owned();
        created.user = created_user.to_owned();
        let project = Project::of("demo", vec![service]);
        let (service, told) = compare(project, &Observation::of(vec![created]));
        assert_eq!(told, expected);
        assert_eq!(service.user.map(|user| user.value).unwrap_or_default(), created_user);
    }
}

#[test]
fn the_container_s_environment_wins_and_keeps_the_places_of_the_file() {
    let (mut service, mut created) = vllm();
    let value = |value: &str, at| Spanned::new(Some(value.to_owned()), at);
    service.environment.insert("HF_HOME".to_owned(), value("/file", place(3)));
    service.environment.insert("GONE".to_owned(), value("1", place(4)));
    created.environment.insert("PATH".to_owned(), Some("/bin".to_owned()));
    created.environment.insert("HF_HOME".to_owned(), Some("/container".to_owned()));
    let project = Project::of("demo", vec![service]);
    let (service, told) = compare(project, &Observation::of(vec![created]));
    assert_eq!(
        told,
        ["variable HF_HOME | a value | another value", "variable GONE | a value | no value"]
    );
    let environment: Vec<_> = service.environment.into_iter().collect();
    assert_eq!(
        environment,
        [
            ("HF_HOME".to_owned(), value("/container", place(3))),
            ("PATH".to_owned(), value("/bin", Place::nowhere())),
        ]
    );
}

#[test]
fn the_own_container_counts_for_its_service_and_only_in_its_project() {
    for (project, expected) in [("demo", 1), ("other", 0)] {
        let (mut service, mut created) = vllm();
        service.mounts = placed([bind("/a", "/a")]);
        created.project = Some(project.to_owned());
        created.mounts = vec![bind("/b", "/a")];
        let mut observation = Observation::of(Vec::new());
        observation.myself = Some(created);
        let (_, differences) = Project::of("demo", vec![service]).observed(&observation);
        assert_eq!(differences.len(), expected, "{project}");
    }
}

#[test]
fn a_service_without_a_container_stays_as_written() {
    let (mut service, _) = vllm();
    service.mounts = placed([bind("/a", "/a")]);
    let mounts = service.mounts.clone();
    let other = Container::of_service("demo", "other");
    let (project, differences) =
        Project::of("demo", vec![service]).observed(&Observation::of(vec![other]));
    assert_eq!(differences, []);
    assert_eq!(project.services[0].mounts, mounts);
}

#[test]
fn a_project_is_known_through_its_containers_alone() {
    let (_, mut created) = vllm();
    created.command = owned(&["serve", "m"]);
    created.user = "1000".to_owned();
    created.labels.insert("preflight.lane".to_owned(), "coder".to_owned());
    created
        .labels
        .insert("com.docker.compose.project.working_dir".to_owned(), "/home/u/app".to_owned());
    let mut replica = created.clone();
    replica.id = "second".to_owned();
    let mut observation = Observation::of(vec![created, replica]);
    observation.myself = Some(Container::of_service("demo", "preflight"));
    observation.volume_devices.insert("demo_models".to_owned(), HostPath::new("/srv/models"));

    let project = Project::from_observation(&observation).unwrap();
    assert_eq!(project.name, "demo");
    assert_eq!(project.directory, HostPath::new("/home/u/app"));
    assert_eq!(project.files, Vec::<PathBuf>::new());
    let names: Vec<_> = project.services.iter().map(|service| &*service.name.value).collect();
    assert_eq!(names, ["preflight", "vllm"]);
    let vllm = project.service("vllm").unwrap();
    assert_eq!(vllm.command.as_ref().unwrap()[1], Spanned::nowhere("m".to_owned()));
    assert_eq!(vllm.labels["preflight.lane"].value, "coder");
    let device = project.volume("demo_models").unwrap().device.clone().unwrap();
    assert_eq!(device.value, HostPath::new("/srv/models"));
    assert_eq!(project.observed(&observation).1, [], "it does not differ from itself");
}

fn check_variables(file: &[(&str, Option<&str>)], container: &[(&str, &str)], expected: &[&str]) {
    let (mut service, mut created) = vllm();
    for ((name, value), place) in file.iter().zip((1..).map(place)) {
        let value = Spanned::new(value.map(str::to_owned), place);
        service.environment.insert((*name).to_owned(), value);
    }
    for (name, value) in container {
        created.environment.insert((*name).to_owned(), Some((*value).to_owned()));
    }
    let project = Project::of("demo", vec![service]);
    let (service, told) = compare(project, &Observation::of(vec![created]));
    assert_eq!(told, expected);
    assert_eq!(service.environment.len(), container.len(), "the container's are kept");
}

#[test]
fn a_variable_that_the_file_sets_differs_without_its_value() {
    check_variables(
        &[("A", Some("one")), ("B", Some("$x")), ("C", Some("")), ("D", Some("four"))],
        &[("A", "1"), ("B", "$x"), ("C", ""), ("PATH", "/bin")],
        &["variable A | a value | another value", "variable D | a value | no value"],
    );
}

#[test]
fn a_variable_that_is_taken_from_the_caller_is_no_difference() {
    check_variables(&[("A", None), ("B", None)], &[("A", "1")], &[]);
    let (mut service, created) = vllm();
    let set_by = crate::source_map::VariableSource::Compose;
    let variable = crate::source_map::Variable { name: "PWD".to_owned(), set_by };
    let written = Place { variables: vec![variable], ..place(1) };
    service.environment.insert("ROOT".to_owned(), Spanned::new(Some("/a".to_owned()), written));
    let project = Project::of("demo", vec![service]);
    assert_eq!(project.observed(&Observation::of(vec![created])).1, []);
}

#[test]
fn the_variables_of_preflight_itself_are_no_difference() {
    let (mut service, _) = vllm();
    service.name.value = "preflight".to_owned();
    service.environment.insert("HF_TOKEN".to_owned(), Spanned::nowhere(Some("x".to_owned())));
    let project = Project::of("demo", vec![service]);
    let created = Container::of_service("demo", "preflight");
    assert_eq!(project.observed(&Observation::of(vec![created])).1, []);
}

#[test]
fn without_a_compose_container_there_is_no_project() {
    let mut container = Container::of_service("demo", "x");
    container.project = None;
    container.service = None;
    let mut observation = Observation::of(Vec::new());
    assert!(Project::from_observation(&observation).is_none());
    observation.myself = Some(container);
    assert!(Project::from_observation(&observation).is_none());
}
