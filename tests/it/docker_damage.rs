//! `docker compose up` with a damaged file, and with a disk that is too small.

use crate::docker_stack::{MODEL, MODEL_PATH, SOURCE, Stack, docker, files_below, outcome};

#[test]
fn a_truncated_file_stops_the_engine() {
    let Some(stack) = Stack::new("truncated", None) else { return };
    stack.put(MODEL, MODEL_PATH);
    let file = fs_err::OpenOptions::new().write(true).open(stack.path(MODEL_PATH)).unwrap();
    let size = file.metadata().unwrap().len();
    file.set_len(size / 2).unwrap();
    stack.refuses(11, "error[file-truncated]");
}

#[test]
fn a_disk_that_is_too_small_is_said_and_nothing_is_half_written() {
    let Some(stack) = Stack::new("disk", Some(SOURCE)) else { return };
    // The hub mounts it too: a tmpfs is gone as soon as no container holds it.
    stack.edit("compose.yaml", |text| {
        let mount = "      - ./hub:/hub:ro\n";
        let volume =
            "volumes:\n  small:\n    driver_opts: {type: tmpfs, device: tmpfs, o: size=512k}\n";
        format!("{}\n{volume}", text.replace(mount, &format!("{mount}      - small:/small\n")))
    });
    stack.set_environment(&[("MODELS_PATH", "small")]);
    stack.start_hub();
    stack.refuses(14, "error[disk-space-short]");
    let copy = stack.path("copy");
    let inside = format!("{}:/small", stack.container("hub"));
    let copied = outcome(docker(["cp", &inside]).arg(&copy));
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    let left = files_below(&copy);
    let models = left.iter().filter(|file| file.to_string_lossy().contains("gguf"));
    assert_eq!(models.count(), 0, "left behind: {left:?}");
}
