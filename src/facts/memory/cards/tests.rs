use serde_json::json;

use super::*;

fn hardware(service: &serde_json::Value) -> Hardware {
    Hardware::of_document(&json!({"services": {"a": service}}), "a")
}

fn files() -> Hardware {
    hardware(&json!({"devices": ["/dev/kfd", "/dev/dri"]}))
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

/// A host with two cards of NVIDIA, one of AMD, and one in its processor.
fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let information = |model: &str, uuid: &str| {
        format!("Model: \t\t {model}\nIRQ:   \t\t 41\nGPU UUID: \t {uuid}\nBus Location: \t 0\n")
    };
    let nvidia = "proc/driver/nvidia/gpus";
    let text = information("NVIDIA GeForce RTX 4090", "GPU-aa01");
    write(root.path(), &format!("{nvidia}/0000:01:00.0/information"), &text);
    let text = information("NVIDIA GeForce RTX 4090", "GPU-ab02");
    write(root.path(), &format!("{nvidia}/0000:41:00.0/information"), &text);
    for (node, vram, gtt, vendor) in [
        ("renderD128", 512_u64 << 20, 16_u64 << 30, "unknown"),
        ("renderD129", 24 << 30, 32 << 30, "samsung"),
    ] {
        let file = |name: &str| format!("sys/class/drm/{node}/device/{name}");
        write(root.path(), &file("mem_info_vram_total"), &format!("{vram}\n"));
        write(root.path(), &file("mem_info_gtt_total"), &format!("{gtt}\n"));
        write(root.path(), &file("mem_info_vram_vendor"), &format!("{vendor}\n"));
    }
    write(root.path(), "sys/class/drm/renderD130/device/vendor", "0x8086\n");
    root
}

fn told(cards: &HostCards) -> Vec<(String, u64, SizeSource)> {
    let devices = cards.devices().into_iter();
    devices.map(|it| (it.key, it.memory >> 20, it.source)).collect()
}

#[test]
fn what_drivers_say_of_cards_is_read() {
    let root = host();
    let cards = HostCards::gather(None, Some(root.path()));
    assert_eq!(
        told(&cards),
        [
            ("0".to_owned(), 24 << 10, SizeSource::Name),
            ("1".to_owned(), 24 << 10, SizeSource::Name),
            ("renderD128".to_owned(), 512 + (16 << 10), SizeSource::Sysfs),
            ("renderD129".to_owned(), 24 << 10, SizeSource::Sysfs),
        ]
    );
    assert_eq!(told(&HostCards::gather(None, None)), []);
}

#[test]
fn what_is_declared_is_all_that_counts() {
    let root = host();
    let declared: Cards = "80GB".parse().unwrap();
    let cards = HostCards::gather(Some(&declared), Some(root.path()));
    assert_eq!(told(&cards), [("0".to_owned(), 80 << 10, SizeSource::Declared)]);
}

#[test]
fn a_card_is_found_by_its_index_its_uuid_or_its_file() {
    let root = host();
    let cards = HostCards::gather(None, Some(root.path()));
    let named = |name: &str| Gpu::Named(name.to_owned());
    let numbered = Gpu::Numbered { number: 0, of: crate::project::gpus::Handed::All };
    let requests = hardware(&json!({"gpus": [{"count": 1}]}));
    for (gpu, hardware, expected) in [
        (Gpu::Index(1), &requests, Some("1")),
        (Gpu::Index(2), &requests, None),
        (Gpu::Index(1), &files(), Some("renderD129")),
        (named("GPU-ab02"), &requests, Some("1")),
        (named("GPU-ab"), &requests, Some("1")),
        (named("GPU-a"), &requests, None),
        (named("MIG-1"), &requests, None),
        (named("/dev/dri/renderD129"), &files(), Some("renderD129")),
        (numbered, &requests, None),
    ] {
        assert_eq!(cards.key(&gpu, hardware), expected, "{gpu:?}");
    }
}

#[test]
fn an_index_is_no_card_that_is_declared_by_its_uuid_among_others() {
    let card = crate::cards::Card::of(24 << 30);
    let named = |uuids: &[&str]| {
        let cards = uuids.iter().map(|uuid| ((*uuid).to_owned(), card.clone()));
        HostCards::gather(Some(&Cards::Named(cards.collect())), None)
    };
    let requests = hardware(&json!({"gpus": [{"count": 1}]}));
    assert_eq!(named(&["GPU-a", "GPU-b"]).key(&Gpu::Index(0), &requests), None);
    assert_eq!(named(&["GPU-a"]).key(&Gpu::Index(0), &requests), Some("GPU-a"));
}

#[test]
fn a_card_that_is_declared_is_found_by_what_its_driver_calls_it() {
    let root = host();
    let requests = hardware(&json!({"gpus": [{"count": 1}]}));
    let named = |name: &str| Gpu::Named(name.to_owned());
    let listed = |text: &str| HostCards::gather(Some(&text.parse().unwrap()), Some(root.path()));
    let two = listed("24GB,80GB");
    assert_eq!(two.key(&named("GPU-ab02"), &requests), Some("1"));
    assert_eq!(two.key(&named("GPU-ab"), &requests), Some("1"));
    assert_eq!(two.key(&named("GPU-a"), &requests), None);
    // Those are of another host.
    assert_eq!(listed("3x24GB").key(&named("GPU-ab02"), &requests), None);
    let by_uuid = |uuids: &[&str]| {
        let card = crate::cards::Card::of(24 << 30);
        let cards = uuids.iter().map(|uuid| ((*uuid).to_owned(), card.clone()));
        HostCards::gather(Some(&Cards::Named(cards.collect())), Some(root.path()))
    };
    let cards = by_uuid(&["GPU-ab02", "GPU-aa01"]);
    assert_eq!(cards.key(&Gpu::Index(0), &requests), Some("GPU-aa01"));
    assert_eq!(cards.key(&Gpu::Index(1), &requests), Some("GPU-ab02"));
    assert_eq!(cards.key(&Gpu::Index(2), &requests), None);
    assert_eq!(by_uuid(&["GPU-c1", "GPU-c2"]).key(&Gpu::Index(0), &requests), None);
}

#[test]
fn how_many_there_are_is_known_from_the_drivers_where_nobody_else_says_so() {
    let root = host();
    let cards = HostCards::gather(None, Some(root.path()));
    let requests = hardware(&json!({"gpus": [{"count": -1}]}));
    let two = HostGpus { count: Some(2), alike: true };
    assert_eq!(cards.seen_by(&requests, HostGpus::default()), two);
    let docker = HostGpus { count: Some(4), alike: false };
    assert_eq!(cards.seen_by(&requests, docker), docker);
    assert_eq!(cards.seen_by(&files(), docker), HostGpus { count: Some(2), alike: false });
    let declared = HostCards::gather(Some(&"3x24GB".parse().unwrap()), None);
    let three = HostGpus { count: Some(3), alike: true };
    assert_eq!(declared.seen_by(&files(), three), three);
}
