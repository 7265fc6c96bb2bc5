//! Preflight with nothing but the socket: the files are seen inside the created containers.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use std::path::PathBuf;

use tempfile::TempDir;

use crate::docker_stack::{MODEL, Stack, may_change_owners};

/// A stack whose models are elsewhere, and whose init container has not mounted them.
struct Blind {
    stack: Stack,
    models: TempDir,
}

impl Blind {
    /// The model, as the host calls it.
    fn model(&self) -> PathBuf {
        self.models.path().join("gguf/tiny-Q4_K_M.gguf")
    }
}

fn blind(name: &str) -> Option<Blind> {
    let stack = Stack::new(name, None)?;
    stack.edit("preflight.yaml", |text| {
        let lines = text.lines().filter(|line| !line.ends_with(":/models"));
        lines.map(|line| format!("{line}\n")).collect()
    });
    let models = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .unwrap();
    stack.set_environment(&[("MODELS_PATH", models.path().to_str().unwrap())]);
    let blind = Blind { stack, models };
    blind.stack.put(MODEL, blind.model().to_str().unwrap());
    Some(blind)
}

#[test]
fn a_model_that_preflight_has_not_mounted_is_judged_by_its_header() {
    let Some(blind) = blind("eyes-good") else { return };
    let stack = &blind.stack;
    stack.up();
    let report = stack.logs("preflight");
    assert!(report.contains("ready: 1 of 1 lane"), "{report}");
    assert!(report.contains("llama, Q4_K_M, context 2048"), "{report}");
    assert!(report.contains("note[seen-through-engine]"), "{report}");
    stack.assert_llama_serves();
}

#[test]
fn a_missing_and_a_truncated_model_are_told_apart() {
    let Some(blind) = blind("eyes-damage") else { return };
    let stack = &blind.stack;
    let file = fs_err::OpenOptions::new().write(true).open(blind.model()).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    stack.refuses(11, "error[file-truncated]");
    fs_err::remove_file(blind.model()).unwrap();
    stack.refuses(10, "error[files-missing]");
}

#[test]
fn a_host_path_that_does_not_exist_is_named_and_not_made() {
    let Some(blind) = blind("eyes-path") else { return };
    let stack = &blind.stack;
    let wrong = blind.models.path().join("modles");
    stack.set_environment(&[("MODELS_PATH", wrong.to_str().unwrap())]);
    stack.refuses(16, "error[mount-source-missing]");
    assert!(!wrong.exists(), "looking made the folder");
}

#[test]
fn another_folder_that_looking_would_make_keeps_the_container_closed() {
    let Some(blind) = blind("eyes-doubt") else { return };
    let stack = &blind.stack;
    let cache = blind.models.path().join("cache");
    stack.edit("compose.yaml", |text| {
        let mount = format!(":/models:ro\n      - {}:/cache\n", cache.display());
        text.replace(":/models:ro\n", &mount)
    });
    stack.refuses(3, "which the host does not have");
    assert!(!cache.exists(), "looking made the folder");
    fs_err::create_dir(cache).unwrap();
    stack.up();
}

#[test]
fn rights_are_judged_by_the_owner_that_the_archive_names() {
    let Some(blind) = blind("eyes-rights") else { return };
    let stack = &blind.stack;
    if !may_change_owners() {
        return;
    }
    stack.edit("compose.yaml", |text| {
        text.replace(
            "    image: llama.cpp:local\n",
            "    image: llama.cpp:local\n    user: 1000:1000\n",
        )
    });
    let model = blind.model();
    fs_err::set_permissions(&model, std::fs::Permissions::from_mode(0o600)).unwrap();
    stack.refuses(16, "error[unreadable-by-service-user]");
    std::os::unix::fs::chown(&model, Some(1000), Some(1000)).unwrap();
    let folder = model.parent().unwrap();
    fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o750)).unwrap();
    stack.refuses(3, "whose it is cannot be seen from outside");
    fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    stack.up();
}

#[test]
fn links_are_followed_in_the_space_of_the_container() {
    let Some(blind) = blind("eyes-links") else { return };
    let stack = &blind.stack;
    let model = blind.model();
    let behind = model.with_file_name("behind.gguf");
    fs_err::rename(&model, &behind).unwrap();
    symlink("/models/gguf/behind.gguf", &model).unwrap();
    stack.up();
    let report = stack.logs("preflight");
    assert!(report.contains("ready: 1 of 1 lane"), "{report}");
    stack.compose(&["down", "--timeout", "0"]);
    fs_err::remove_file(&model).unwrap();
    symlink(&behind, &model).unwrap();
    stack.refuses(16, "error[symlink-leaves-mount]");
}

#[test]
fn a_model_inside_the_image_is_judged_there() {
    let Some(blind) = blind("eyes-image") else { return };
    let stack = &blind.stack;
    // Nothing is mounted: the path leads into the image, where a model is, and then is not.
    let image = stack.image_with_model("/baked/tiny.gguf");
    stack.edit("compose.yaml", |text| {
        let text = text.replace("    volumes:\n      - ${MODELS_PATH:-./models}:/models:ro\n", "");
        text.replace("llama.cpp:local", &image)
            .replace("/models/gguf/tiny-Q4_K_M.gguf", "/baked/tiny.gguf")
    });
    stack.up();
    let report = stack.logs("preflight");
    assert!(report.contains("ready: 1 of 1 lane"), "{report}");
    stack.edit("compose.yaml", |text| text.replace("/baked/tiny.gguf", "/baked/none.gguf"));
    stack.compose(&["down", "--timeout", "0"]);
    stack.refuses(16, "error[model-path-not-mounted]");
}
