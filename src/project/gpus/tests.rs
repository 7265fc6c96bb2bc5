use serde_json::{Value, json};

use super::{Gpu, Gpus, Handed, HostGpus, VisibleBy};
use crate::project::Hardware;

/// What a process sees: the number of its GPUs, and the first two of them.
fn seen(service: &Value, nvidia: Option<&str>, list: Option<&str>) -> String {
    seen_on(service, nvidia, list, HostGpus::default())
}

fn seen_on(service: &Value, nvidia: Option<&str>, list: Option<&str>, host: HostGpus) -> String {
    let hardware = Hardware::of_document(&json!({"services": {"vllm": service}}), "vllm");
    let by = VisibleBy { lists: [list, None, None], order: None };
    match Gpus::of(&hardware, nvidia, &by, host) {
        Gpus::None => "none".to_owned(),
        Gpus::Unknown(_) => "unknown".to_owned(),
        Gpus::Seen(visible) => {
            let count = visible.count.map_or("?".to_owned(), |count| count.to_string());
            let gpus = visible.taken(0, visible.count.unwrap_or(1));
            let gpus: Vec<String> = gpus.iter().map(told).collect();
            format!("{count}: {}", gpus.join(" "))
        }
    }
}

fn told(gpu: &Gpu) -> String {
    match gpu {
        Gpu::Index(index) => index.to_string(),
        Gpu::Named(name) => name.clone(),
        Gpu::Numbered { number, of: Handed::All } => format!("{number} of all"),
        Gpu::Numbered { number, of: Handed::These(gpus) } => format!("{number} of {}", gpus.len()),
    }
}

fn reserved(devices: &Value) -> Value {
    json!({"deploy": {"resources": {"reservations": {"devices": devices}}}})
}

fn request(what: &Value) -> Value {
    let mut request = json!({"driver": "nvidia", "capabilities": ["gpu"]});
    if let (Some(request), Some(what)) = (request.as_object_mut(), what.as_object()) {
        request.extend(what.clone());
    }
    reserved(&json!([request]))
}

#[test]
fn a_count_is_of_the_first_gpus_and_ids_are_those() {
    for (what, expected) in [
        (json!({"count": 1}), "1: 0"),
        (json!({"count": 2}), "2: 0 1"),
        (json!({"count": -1}), "?: 0 of all"),
        (json!({}), "?: 0 of all"),
        (json!({"count": 0}), "none"),
        (json!({"device_ids": ["3"]}), "1: 3"),
        (json!({"device_ids": ["3", "1"]}), "2: 1 3"),
        (json!({"device_ids": ["GPU-1", "GPU-1"]}), "1: GPU-1"),
    ] {
        assert_eq!(seen(&request(&what), None, None), expected, "{what}");
    }
}

#[test]
fn every_way_to_hand_in_gpus_is_read() {
    for (service, nvidia, expected) in [
        (json!({"gpus": [{"count": -1}]}), None, "?: 0 of all"),
        (json!({"gpus": [{"count": 2}]}), Some("3"), "2: 0 1"),
        (json!({"gpus": [{"driver": "cdi", "device_ids": ["nvidia.com/gpu=1"]}]}), None, "1: 1"),
        (json!({"devices": ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-1"]}), None, "2: 0 GPU-1"),
        (json!({"devices": ["nvidia.com/gpu=all"]}), None, "?: 0 of all"),
        (json!({"devices": ["amd.com/gpu=0"]}), None, "unknown"),
        (json!({"devices": ["/dev/kfd:/dev/kfd", "/dev/dri:/dev/dri"]}), None, "?: 0 of all"),
        (json!({"devices": ["/dev/kfd", "/dev/dri/renderD129"]}), None, "1: /dev/dri/renderD129"),
        (json!({"devices": ["/dev/kvm"]}), None, "none"),
        (json!({"runtime": "nvidia"}), Some("all"), "?: 0 of all"),
        (json!({"runtime": "nvidia"}), Some("1, 0"), "2: 0 1"),
        (json!({"runtime": "nvidia"}), Some("void"), "none"),
        (json!({"runtime": "nvidia"}), None, "unknown"),
        (json!({"runtime": "runc"}), Some("all"), "none"),
        (json!({}), Some("all"), "unknown"),
        (json!({}), None, "none"),
        (json!({"gpus": [{"count": 1}, {"device_ids": ["1"]}]}), None, "unknown"),
        (json!({"gpus": [{"count": 1}, {"device_ids": ["0"]}]}), None, "1: 0"),
    ] {
        assert_eq!(seen(&service, nvidia, None), expected, "{service} {nvidia:?}");
    }
}

#[test]
fn a_process_sees_what_its_variable_leaves_and_numbers_from_zero() {
    let of = |count: i64, list: &str| seen(&request(&json!({"count": count})), None, Some(list));
    for (count, list, expected) in [
        (1, "0", "1: 0"),
        // The container has one, whose number in it is 0.
        (1, "1", "0: "),
        (2, "1", "1: 1 of 2"),
        (2, "0,1", "2: 0 of 2 1 of 2"),
        (2, "0,5,1", "1: 0 of 2"),
        (2, "", "0: "),
        (2, "-1", "0: "),
        (2, "GPU-1", "1: GPU-1"),
        (2, "0,0", "unknown"),
        (2, "all", "unknown"),
        (-1, "1", "?: 1 of all"),
        (-1, "-1", "0: "),
    ] {
        assert_eq!(of(count, list), expected, "{count} {list}");
    }
    assert_eq!(seen(&request(&json!({"device_ids": ["1"]})), None, Some("1")), "0: ");
}

#[test]
fn a_host_of_equal_cards_has_one_order() {
    let host = HostGpus { count: Some(4), alike: true };
    let on = |service: &Value, list: Option<&str>| seen_on(service, None, list, host);
    assert_eq!(on(&request(&json!({"count": -1})), None), "4: 0 1 2 3");
    assert_eq!(on(&request(&json!({"count": -1})), Some("2")), "1: 2");
    assert_eq!(on(&request(&json!({"device_ids": ["3", "1"]})), Some("1")), "1: 3");
    let ordered = VisibleBy { lists: [Some("1"), None, None], order: Some("PCI_BUS_ID") };
    let hardware =
        Hardware::of_document(&json!({"services": {"a": {"gpus": [{"count": -1}]}}}), "a");
    let Gpus::Seen(visible) = Gpus::of(&hardware, None, &ordered, HostGpus::default()) else {
        panic!("none are seen");
    };
    assert_eq!(visible.taken(0, 1), [Gpu::Index(1)]);
}

#[test]
fn the_host_has_as_many_gpus_as_docker_has_found_indices() {
    let names =
        ["nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=GPU-8a", "nvidia.com/gpu=all"];
    assert_eq!(HostGpus::of_cdi(names.into_iter()).count, Some(2));
    assert_eq!(HostGpus::of_cdi(["amd.com/gpu=0"].into_iter()).count, None);
}
