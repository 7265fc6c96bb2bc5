use super::*;

fn read(json: &serde_json::Value) -> Container {
    let response: ContainerInspectResponse = serde_json::from_value(json.clone()).unwrap();
    container(response).unwrap()
}

#[test]
fn an_answer_without_an_id_is_no_container() {
    for json in [serde_json::json!({}), serde_json::json!({"Id": ""})] {
        assert!(container(serde_json::from_value(json).unwrap()).is_none());
    }
}

#[test]
fn a_container_that_says_nothing_has_the_defaults_of_docker() {
    let container = read(&serde_json::json!({"Id": "abc", "Name": "/demo-vllm-1"}));
    assert_eq!((container.id.as_str(), container.name.as_str()), ("abc", "demo-vllm-1"));
    assert_eq!(container.restart, "no");
    assert_eq!(container.user, "");
    assert_eq!(container.service, None);
    assert_eq!(container.state.health, None);
}

#[test]
fn a_variable_without_an_equals_sign_is_taken_out_of_the_environment() {
    let entries = ["A=1", "B", "C=", "D=x=y"].map(str::to_owned);
    let read: Vec<_> = environment(&entries).into_iter().collect();
    let expected = [("A", Some("1")), ("B", None), ("C", Some("")), ("D", Some("x=y"))];
    assert_eq!(
        read,
        expected.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).to_vec()
    );
}

#[test]
fn the_depends_on_label_is_read_edge_by_edge() {
    for (text, expected) in [
        ("", vec![]),
        (
            "preflight:service_completed_successfully:false,db:service_healthy:true",
            vec![("preflight", "service_completed_successfully"), ("db", "service_healthy")],
        ),
        ("db:service_started", vec![("db", "service_started")]),
        ("db", vec![("db", "service_started")]),
        ("db::", vec![("db", "service_started")]),
        (",,:service_healthy,", vec![]),
    ] {
        let edges = dependencies(text);
        let edges: Vec<_> =
            edges.iter().map(|edge| (edge.service.as_str(), edge.condition.as_str())).collect();
        assert_eq!(edges, expected, "{text}");
    }
}

#[test]
fn mounts_keep_what_docker_resolved() {
    let anonymous = "a".repeat(64);
    let container = read(&serde_json::json!({
        "Id": "abc",
        "HostConfig": {
            "Binds": ["/srv/models:/models:ro"],
            "VolumesFrom": ["def"],
            "Tmpfs": {"/scratch/": "size=1m", "/t": ""},
            "Mounts": [
                {"Type": "bind", "Source": "/srv/strict", "Target": "/strict"},
                {"Type": "bind", "Source": "/srv/made", "Target": "/made",
                 "BindOptions": {"CreateMountpoint": true}},
                {"Type": "volume", "Source": "demo_cache", "Target": "/cache",
                 "VolumeOptions": {"Subpath": "hub"}},
            ],
        },
        "Mounts": [
            {"Type": "bind", "Source": "/srv/models/", "Destination": "/models", "RW": false},
            {"Type": "bind", "Source": "/srv/strict", "Destination": "/strict", "RW": true},
            {"Type": "bind", "Source": "/srv/made", "Destination": "/made", "RW": true},
            {"Type": "volume", "Name": "demo_cache", "Destination": "/cache", "RW": true,
             "Source": "/var/lib/docker/volumes/demo_cache/_data", "Driver": "local"},
            {"Type": "volume", "Name": anonymous, "Destination": "/data", "RW": true},
            {"Type": "tmpfs", "Source": "", "Destination": "/t", "RW": true},
            {"Type": "image", "Source": "x", "Destination": "/image", "RW": false},
        ],
    }));
    let bind = |path: &str, create_host_path| MountSource::Bind {
        path: HostPath::new(path),
        create_host_path,
    };
    let expected = [
        ("/cache", MountSource::Volume { name: "demo_cache".into(), subpath: Some("hub".into()) }),
        ("/data", MountSource::Anonymous),
        ("/image", MountSource::Other("image".to_owned())),
        ("/made", bind("/srv/made", true)),
        ("/models", bind("/srv/models", true)),
        ("/scratch", MountSource::Tmpfs),
        ("/strict", bind("/srv/strict", false)),
        ("/t", MountSource::Tmpfs),
    ];
    let read: Vec<_> = container
        .mounts
        .iter()
        .map(|mount| (mount.target.to_string(), mount.source.clone()))
        .collect();
    assert_eq!(read, expected.map(|(target, source)| (target.to_owned(), source)).to_vec());
    assert!(container.mounts.iter().any(|mount| mount.read_only));
    assert_eq!(container.volumes_from, ["def"]);
}

#[test]
fn a_volume_stands_for_a_host_folder_only_if_it_binds_one() {
    for (driver, options, expected) in [
        ("local", vec![("type", "none"), ("o", "bind"), ("device", "/srv/m/")], Some("/srv/m")),
        ("local", vec![("o", "ro,bind"), ("device", "/srv/m")], Some("/srv/m")),
        ("local", vec![("type", "nfs"), ("o", "addr=nas,rw"), ("device", ":/models")], None),
        ("local", vec![("o", "bind"), ("device", "./models")], None),
        ("local", vec![("device", "/srv/m")], None),
        ("other", vec![("o", "bind"), ("device", "/srv/m")], None),
        ("local", vec![], None),
    ] {
        let volume = Volume {
            driver: driver.to_owned(),
            options: options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Volume::default()
        };
        assert_eq!(volume_device(&volume), expected.map(HostPath::new), "{options:?}");
    }
}

#[test]
fn the_end_of_the_last_probe_is_kept() {
    let long = format!("{}é{}", "x".repeat(3000), "y".repeat(1023));
    let container = read(&serde_json::json!({
        "Id": "abc",
        "RestartCount": 4,
        "State": {
            "Status": "running", "OOMKilled": false, "ExitCode": 0, "Error": "",
            "Health": {"Status": "unhealthy", "FailingStreak": 3, "Log": [
                {"ExitCode": 1, "Output": "first"}, {"ExitCode": 7, "Output": long},
            ]},
        },
    }));
    assert_eq!(container.state.restart_count, 4);
    let health = container.state.health.unwrap();
    assert_eq!(health.status, "unhealthy");
    assert_eq!(health.last_output, "y".repeat(1023));
}

#[test]
fn a_container_without_a_health_check_has_no_health() {
    for health in [serde_json::json!(null), serde_json::json!({"Status": "none"})] {
        let container = read(&serde_json::json!({"Id": "abc", "State": {"Health": health}}));
        assert_eq!(container.state.health, None);
    }
}
