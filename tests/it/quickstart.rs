//! The README's main job, and what it says when a model of it is damaged.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use crate::sandbox::{Sandbox, repository};

const GGUF: &str = "models/gguf/tiny-Q4_K_M.gguf";
const SHARD: &str = "models/vllm/tiny/bf16/model-00002-of-00003.safetensors";

/// A user who owns nothing here.
const NOBODY: u32 = 65_534;

#[test]
fn both_lanes_of_the_quickstart_are_ready() {
    let run = Sandbox::quickstart().run(&["compose.yaml"]);
    insta::assert_snapshot!(run.stderr, @r#"
    preflight: ready: 2 of 2 lanes
    "#);
    insta::assert_snapshot!(run.stdout, @r#"
    LANE    SERVICE             ENGINE     MODEL                                    SIZE       VERDICT
    reader  inference-llamacpp  llama.cpp  llama, Q4_K_M, context 2048              793.2 KiB  ready
    coder   inference-vllm      vLLM       LlamaForCausalLM, bfloat16, context 256  284.7 KiB  ready
    "#);
    assert_eq!(run.code, Some(0));
}

#[test]
fn the_quickstart_is_the_same_from_the_root_of_the_repository() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["examples/quickstart"]);
    let output = command.current_dir(repository()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.ends_with(b"\n"));
}

#[test]
fn a_gguf_file_that_lacks_one_byte_is_named_with_its_tensor_and_its_fix() {
    let sandbox = Sandbox::quickstart();
    let path = sandbox.path().join(GGUF);
    let file = fs_err::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(fs_err::metadata(&path).unwrap().len() - 1).unwrap();
    let run = sandbox.run(&["compose.yaml"]);
    insta::assert_snapshot!(run.stderr, @r#"
    preflight: not ready: exit 11, files corrupt or not loadable; 1 of 2 lanes ready
      reader: file-truncated: `/models/gguf/tiny-Q4_K_M.gguf` has 812223 of at least 812224 bytes: the data of tensor `blk.1.ffn_up.weight` ends at byte 812224 (compose.yaml:14:17, [DIR]/models/gguf/tiny-Q4_K_M.gguf); fix: download `[DIR]/models/gguf/tiny-Q4_K_M.gguf` again
    "#);
    assert_eq!(run.code, Some(11));
    assert!(run.stdout.contains("error[file-truncated]"), "{}", run.stdout);
}

#[test]
fn a_shard_that_is_not_there_makes_the_lane_incomplete() {
    let sandbox = Sandbox::quickstart();
    fs_err::remove_file(sandbox.path().join(SHARD)).unwrap();
    let run = sandbox.run(&["compose.yaml"]);
    insta::assert_snapshot!(run.stderr, @r#"
    preflight: not ready: exit 10, files missing or incomplete; 1 of 2 lanes ready
      coder: shard-missing: 1 of the 3 files of weights in `/models/vllm/tiny/bf16` is missing: `model-00002-of-00003.safetensors` (compose.yaml:24:22, [DIR]/models/vllm/tiny/bf16/model-00002-of-00003.safetensors); fix: put it at `[DIR]/models/vllm/tiny/bf16/model-00002-of-00003.safetensors`, or correct the path that the service is given
    "#);
    assert_eq!(run.code, Some(10));
    assert!(run.stdout.contains("error[shard-missing]"), "{}", run.stdout);
}

#[test]
fn a_model_that_this_user_may_not_read_is_a_matter_of_rights() {
    let sandbox = Sandbox::quickstart();
    let path = sandbox.path().join(GGUF);
    let open = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(sandbox.path(), open).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = sandbox.command(&["compose.yaml"]);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    let run = sandbox.told(&output);
    assert_eq!(run.code, Some(16), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("error[unreadable]"), "{}", run.stdout);
    assert!(run.stdout.contains("chmod"), "{}", run.stdout);
}

#[test]
fn a_run_by_hand_writes_nothing() {
    let sandbox = Sandbox::quickstart();
    let names = |sandbox: &Sandbox| -> Vec<_> {
        let entries = walkdir::WalkDir::new(sandbox.path()).sort_by_file_name();
        entries.into_iter().map(|entry| entry.unwrap().into_path()).collect()
    };
    fs_err::remove_file(sandbox.path().join(SHARD)).unwrap();
    let before = names(&sandbox);
    sandbox.run(&["compose.yaml"]);
    assert_eq!(names(&sandbox), before);
}
