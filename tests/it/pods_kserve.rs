//! KServe's container `storage-initializer` in Pods on real runtimes, as its webhook makes it of the shipped
//! file: its arguments and variables, an empty volume at `/mnt/models`, user 1000, 256 MiB of memory.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Stdio;

use fake_hub::{Builder, FakeHub, Made};
use serde_json::json;

use crate::docker_stack::wait_for;
use crate::fetch_killed::unfinished;
use crate::kubernetes_files::storage_initializer;
use crate::pods::{FILE, HOSTED, Pods, model};

const CONTAINER: &str = "storage-initializer";

/// Where KServe has the models.
const MOUNT: &str = "/mnt/models";

/// What a model of the hub is called where all of it is brought.
const WHOLE: &str = "hf://acme/tiny-GGUF";

/// A file that comes for long enough to be seen coming.
const LARGE: (&str, u64) = ("weights.bin", 24 << 20);

/// The hub with the model, and a large file beside it.
fn builder() -> Builder {
    let large = Made::new(b"", LARGE.1, 7);
    FakeHub::builder().file(HOSTED.0, FILE, model()).made(HOSTED.0, LARGE.0, large)
}

fn hub(fault: &str) -> FakeHub {
    builder().fault(fault.parse().unwrap()).start().unwrap()
}

/// A model's volume as the kubelet makes it: empty, and everybody may write there.
fn empty(pods: Pods) -> Pods {
    let models = pods.path("models");
    fs_err::remove_dir_all(&models).unwrap();
    fs_err::create_dir(&models).unwrap();
    fs_err::set_permissions(&models, Permissions::from_mode(0o777)).unwrap();
    pods
}

/// The Pod of a predictor, whose engine opens `file` of its model.
fn manifest(pods: &Pods, hub: &FakeHub, pairs: &[&str], file: &str) -> String {
    manifest_on(pods, pods, hub, (pairs, file, 60))
}

/// The same, on the volume of another; a store may be silent for so many seconds.
fn manifest_on(
    pods: &Pods,
    of: &Pods,
    hub: &FakeHub,
    (pairs, file, silence): (&[&str], &str, u32),
) -> String {
    let mut first = storage_initializer(pairs);
    let variables = [
        ("HF_ENDPOINT", hub.url()),
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1".to_owned()),
        ("PREFLIGHT_SILENCE", format!("{silence}s")),
        ("PREFLIGHT_TIMEOUT", "5m".to_owned()),
    ];
    let own = first["env"].as_array_mut().unwrap();
    own.extend(variables.map(|(name, value)| json!({"name": name, "value": value})));
    first["image"] = "localhost/preflight:test".into();
    first["imagePullPolicy"] = "Never".into();
    first["securityContext"]["runAsUser"] = 1000.into();
    let mounts = first["volumeMounts"].as_array_mut().unwrap();
    mounts.push(json!({"name": "last-words", "mountPath": "/dev/termination-log"}));
    let path = |pods: &Pods, name: &str| pods.path(name).display().to_string();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pods.name,
            "annotations": {"io.podman.annotations.init.container.type": "always"},
        },
        "spec": {
            "hostNetwork": true,
            "restartPolicy": "Never",
            "initContainers": [first],
            "containers": [{
                "name": "kserve-container",
                "image": "ghcr.io/ggml-org/llama.cpp:server",
                "imagePullPolicy": "Never",
                "args": [
                    "-m", format!("{MOUNT}/{file}"), "--host", "127.0.0.1", "--port",
                    pods.port.to_string(), "-c", "256",
                ],
                "volumeMounts": [
                    {"name": "kserve-provision-location", "mountPath": MOUNT, "readOnly": true},
                ],
            }],
            "volumes": [
                {
                    "name": "kserve-provision-location",
                    "hostPath": {"path": path(of, "models"), "type": "Directory"},
                },
                {"name": "last-words", "hostPath": {"path": path(pods, "last-words"), "type": "File"}},
            ],
        },
    })
    .to_string()
}

/// Plays it, and its engine serves what has been brought.
fn serves(pods: &Pods, manifest: &str) {
    let play = pods.play_alone(manifest);
    assert_eq!(play.code, 0, "{}\n{}", play.stderr, pods.logs(CONTAINER));
    assert_is_ready(pods, "1 of 1 lane");
}

fn assert_is_ready(pods: &Pods, lanes: &str) {
    assert_eq!(pods.last_words(), format!("preflight: ready: {lanes}\n"));
    assert_eq!(pods.inspect(CONTAINER, ".HostConfig.Memory"), (256 << 20).to_string());
    pods.assert_serves();
}

/// That the model and the file beside it are there, of the user that the container has.
fn assert_whole(pods: &Pods, below: &str) {
    let folder = pods.path("models").join(below);
    assert!(fs_err::read(folder.join(FILE)).unwrap() == model());
    let mut expected = Made::new(b"", LARGE.1, 7).reader(0);
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut expected, &mut content).unwrap();
    assert!(fs_err::read(folder.join(LARGE.0)).unwrap() == content);
    for name in [FILE, LARGE.0] {
        let stat = fs_err::metadata(folder.join(name)).unwrap();
        assert_eq!((stat.uid(), stat.mode() & 0o777), (1000, 0o644), "{name}");
    }
    assert_eq!(unfinished(&pods.path("models")), [""; 0]);
}

#[test]
fn the_model_comes_whole_and_the_next_pod_asks_nobody() {
    for pods in Pods::on_each("kserve").into_iter().map(empty) {
        let hub = builder().start().unwrap();
        let manifest = manifest(&pods, &hub, &[WHOLE, MOUNT], FILE);
        serves(&pods, &manifest);
        assert_whole(&pods, "");
        pods.down();
        let asked = hub.requests().len();
        serves(&pods, &manifest);
        assert_eq!(hub.requests().len(), asked);
    }
}

#[test]
fn a_gated_model_a_wrong_hash_and_a_stalled_store_keep_the_engine_from_starting() {
    for pods in Pods::on_each("kserve-fails").into_iter().map(empty) {
        let weights = format!("{}/{}", HOSTED.0, LARGE.0);
        for (fault, code, finding) in [
            (format!("gated:{}", HOSTED.0), 12, "error[token-missing]"),
            (format!("corrupt:{weights}"), 11, "error[download-corrupt]"),
            (format!("stall=1000*99:{weights}"), 13, "error[download-stalled]"),
        ] {
            let hub = hub(&fault);
            let what: (&[&str], &str, u32) = (&[WHOLE, MOUNT], FILE, 1);
            let play = pods.play_alone(&manifest_on(&pods, &pods, &hub, what));
            let said = pods.refused(&play, CONTAINER, code);
            assert!(said.contains(finding), "{said}");
            pods.was_never_started("kserve-container");
            assert!(!pods.path("models").join(LARGE.0).exists(), "{fault}");
            hub.release();
            pods.down();
            pods.write("last-words", b"", 0o666);
        }
        // What has come by then is of use.
        let hub = builder().start().unwrap();
        serves(&pods, &manifest(&pods, &hub, &[WHOLE, MOUNT], FILE));
        assert_whole(&pods, "");
    }
}

#[test]
fn a_container_that_was_killed_is_continued_by_the_next() {
    for pods in Pods::on_each("kserve-killed").into_iter().map(empty) {
        let hub = hub(&format!("stall=1000000*99:{}/{}", HOSTED.0, LARGE.0));
        let manifest = manifest(&pods, &hub, &[WHOLE, MOUNT], FILE);
        let mut playing = pods.playing(&manifest);
        let mut play = playing.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        hub.wait_until_stalled(1);
        let model = pods.path("models").join(FILE);
        wait_for("the first file", || model.exists().then_some(()));
        let inode = fs_err::metadata(&model).unwrap().ino();
        let kill = pods.run(&["kill", &pods.container(CONTAINER)]);
        assert_eq!(kill.code, 0, "{}", kill.stderr);
        assert_eq!(play.wait().unwrap().code(), Some(125));
        assert_eq!(pods.inspect(CONTAINER, ".State.ExitCode"), "137");
        pods.was_never_started("kserve-container");
        assert!(!pods.path("models").join(LARGE.0).exists());
        hub.release();
        pods.down();
        pods.write("last-words", b"", 0o666);
        serves(&pods, &manifest);
        assert_whole(&pods, "");
        let now = fs_err::metadata(&model).unwrap().ino();
        assert_eq!(now, inode, "what has its name is not brought again");
    }
}

#[test]
fn two_pairs_come_into_their_folders() {
    for pods in Pods::on_each("kserve-pairs").into_iter().map(empty) {
        let adapter = |builder: Builder| builder.file("acme/adapter", "adapter_config.json", "{}");
        let hub = adapter(builder()).start().unwrap();
        let pairs = [WHOLE, "/mnt/models/base", "hf://acme/adapter:main", "/mnt/models/adapter"];
        let file = format!("base/{FILE}");
        let play = pods.play_alone(&manifest(&pods, &hub, &pairs, &file));
        assert_eq!(play.code, 0, "{}\n{}", play.stderr, pods.logs(CONTAINER));
        assert_is_ready(&pods, "2 of 2 lanes");
        assert_whole(&pods, "base");
        let adapter = pods.path("models/adapter/adapter_config.json");
        assert_eq!(fs_err::read_to_string(adapter).unwrap(), "{}");
    }
}

#[test]
fn two_pods_on_one_volume_bring_it_once_and_both_serve() {
    let (first, second) = (Pods::on_each("kserve-one"), Pods::on_each("kserve-other"));
    for (one, other) in first.into_iter().map(empty).zip(second) {
        let hub = hub(&format!("stall=1000:{}/{}", HOSTED.0, LARGE.0));
        let what: (&[&str], &str, u32) = (&[WHOLE, MOUNT], FILE, 60);
        let start = |pods: &Pods| {
            let mut playing = pods.playing(&manifest_on(pods, &one, &hub, what));
            playing.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut plays = [start(&one), {
            hub.wait_until_stalled(1);
            start(&other)
        }];
        wait_for("the other to wait", || {
            other.logs(CONTAINER).contains("held by preflight").then_some(())
        });
        hub.release();
        for (play, pods) in plays.iter_mut().zip([&one, &other]) {
            assert_eq!(play.wait().unwrap().code(), Some(0), "{}", pods.logs(CONTAINER));
            assert_is_ready(pods, "1 of 1 lane");
        }
        assert_whole(&one, "");
        assert!(hub.served() < 2 * LARGE.1, "{}: it came once", hub.served());
    }
}
