//! Links, names and rights.

use super::*;
use crate::facts::Step;
use crate::look::{FileKind, Link, Owner};
use crate::source_map::Spanned;

fn step(path: &str, mode: u32) -> Step {
    let kind = if path.ends_with(".gguf") { FileKind::File } else { FileKind::Directory };
    let (path, listed, listed_rights) = (path.into(), false, false);
    let owner = Some(Owner { uid: 0, gid: 0 });
    Step { path, kind, listed, mode, owner, listed_rights }
}

fn run_as(user: &str, steps: Vec<Step>) -> Stack {
    let mut stack = Stack::new(GGUF);
    stack.way.steps = steps;
    let user = (!user.is_empty()).then(|| Spanned::nowhere(user.to_owned()));
    stack.starter = Some(Starter { user, groups: Vec::new(), root_reads_all: true });
    stack
}

#[test]
fn a_file_of_root_alone_is_not_for_another_user() {
    let file = || vec![step("/models", 0o755), step("/models/gguf/tiny-Q4_K_M.gguf", 0o600)];
    let message = "`/models/gguf/tiny-Q4_K_M.gguf` has mode 0600 and belongs to 0:0";
    let stack = run_as("1000:1000", file());
    stack.check(&format!(
        "error[unreadable-by-service-user] 16: {message}, and `inference` runs as 1000:1000"
    ));
    assert!(stack.findings()[0].fix.contains("chmod -R a+rX '/srv/models/gguf/tiny-Q4_K_M.gguf'"));
    run_as("0", file()).check("");
    run_as("vllm", file()).check(&format!(
        "note[unreadable-by-service-user] 16: {message}; whether the service's user may read it is \
         not known: what `user: vllm` may read is the image's affair"
    ));
    run_as("", file()).check(&format!(
        "note[unreadable-by-service-user] 16: {message}; whether the service's user may read it is \
         not known: the image decides which user that is"
    ));
}

#[test]
fn every_folder_above_a_file_has_to_let_the_user_pass() {
    let steps = vec![step("/models", 0o700), step("/models/gguf/tiny-Q4_K_M.gguf", 0o644)];
    run_as("1000:1000", steps).check(
        "error[unreadable-by-service-user] 16: `/models` has mode 0700 and belongs to 0:0, and \
         `inference` runs as 1000:1000",
    );
}

#[test]
fn a_link_out_of_the_mounts_is_said_before_the_missing_file() {
    let mut stack = Stack::new("gguf/other.gguf");
    stack.way.leaving =
        vec![Link { path: "/models/gguf/other.gguf".into(), target: "/mnt/big/x.gguf".into() }];
    let findings = stack.findings();
    assert_eq!(
        line(&findings[0]),
        "error[symlink-leaves-mount] 16: `/models/gguf/other.gguf` is a link to `/mnt/big/x.gguf`, \
         which no mount of the service reaches"
    );
    assert!(findings[0].fix.starts_with("mount `/mnt/big` at the same place"));
    assert!(findings[1].rule.id == "files-missing" && findings[1].consequence);
}

#[test]
fn a_link_to_nothing_is_named() {
    let mut stack = Stack::new("gguf/other.gguf");
    stack.way.dangling =
        Some(Link { path: "/models/gguf/other.gguf".into(), target: "gone".into() });
    stack.check(
        "error[files-missing] 10: the model `/models/gguf/other.gguf` is behind the link \
         `/models/gguf/other.gguf` to `gone`, where nothing is",
    );
}

#[test]
fn a_name_that_is_nearly_right_is_said() {
    let mut stack = Stack::new("gguf/TINY-q4-k-m.gguf");
    stack.way.similar = model::similar_beside(&LocalView, &stack.at());
    let findings = stack.findings();
    assert_eq!(
        line(&findings[0]),
        "error[name-differs-in-case] 16: `/models/gguf/TINY-q4-k-m.gguf` is not there, and \
         `tiny-Q4_K_M.gguf` is beside it"
    );
    assert!(findings[1].consequence);
    let stack = Stack::new(FOLDER);
    fs_err::rename(stack.file("config.json"), stack.file("Config.json")).unwrap();
    assert_eq!(
        line(&stack.findings()[0]),
        "error[name-differs-in-case] 16: `/models/vllm/tiny/bf16/config.json` is not there, and \
         `Config.json` is beside it"
    );
}

#[test]
fn a_download_that_never_ended_is_said_where_the_file_is_missing() {
    for leftover in [
        "other.gguf.incomplete",
        "other.gguf.aria2",
        "other.gguf.part",
        "other.gguf.crdownload",
        "other.gguf.downloadInProgress",
        "other.gguf-partial",
        ".other.gguf.aB3dEf",
        ".cache/huggingface/download/other.gguf.0123.incomplete",
        ".cache/huggingface/download/MkyQEVHHWJ39XDhSJgpI3jgbKRk=.0123.incomplete",
    ] {
        let mut stack = Stack::new("gguf/other.gguf");
        let path = stack.at().with_file_name(leftover);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, "").unwrap();
        stack.way.leftovers = model::leftovers_beside(&LocalView, &stack.at());
        assert_eq!(stack.way.leftovers, [leftover]);
        let found = stack.findings().remove(0);
        assert_eq!(found.rule.id, "files-missing");
        assert!(found.message.contains("has not ended: `"), "{}", found.message);
    }
}

#[test]
fn zeros_inside_a_model_ask_for_its_hash() {
    let stack = Stack::new(GGUF);
    let mut bytes = fs_err::read(stack.at()).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0);
    let stack = stack.write("", bytes);
    stack.check(
        "warning[zeros-in-data] 11: `/models/gguf/tiny-Q4_K_M.gguf` holds nothing but zeros in 4 of \
         the 8 places that were sampled",
    );
    assert!(stack.findings()[0].fix.contains("verify --deep"));
}
