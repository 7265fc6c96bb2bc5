//! Which variables an engine does not read: told by Compose files, and judged by the genuine
//! llama-server and by vLLM's own check of its environment.
//!
//! The server is named by `PREFLIGHT_TEST_LLAMA_SERVER`. `PREFLIGHT_TEST_VLLM_SOURCES` names the
//! folder that `tests/setup/vllm-sources` prints, and `PREFLIGHT_TEST_PYTHON` what reads it. What is
//! not named is left out, unless `PREFLIGHT_TEST_REQUIRE_ALL=1`.

use std::collections::BTreeSet;
use std::process::Command;

use preflight::plan::engine::Engine;

use crate::gguf_oracle::server;
use crate::safetensors_oracle::python;
use crate::sandbox::Sandbox;

/// What is said of variables in the project: `severity: message / fix`, one line each.
fn told(compose: &str) -> Vec<String> {
    let sandbox = Sandbox::new().file("compose.yaml", compose);
    let sandbox = sandbox.file("settings.env", "VLLM_MAX_MODEL_LEN=4096\nVLLM_EMPTY=\n");
    let run = sandbox.run(&["verify"]);
    let blocks = run.stdout.split("\n\n");
    let is_ours = |block: &&str| block.contains("[variable-unknown-to-engine]: ");
    let line = |block: &str| {
        let title = block.lines().next().unwrap_or_default();
        let help = block.lines().find_map(|line| line.trim().strip_prefix("= help: "));
        format!("{title} / {}", help.unwrap_or_default())
            .replace("[variable-unknown-to-engine]", "")
    };
    blocks.filter(is_ours).map(line).collect()
}

/// The service `llm`, and what the file says beside it.
fn check(service: &str, beside: &str, expected: &[&str]) {
    let compose =
        format!("services:\n  llm:\n    volumes: ['./models:/models:ro']\n{service}{beside}");
    assert_eq!(told(&compose), expected, "{compose}");
}

const VLLM: &str = "    image: vllm/vllm-openai:v0.12.0\n    command: --model /models/a\n";

const LENGTH: &str = "warning: vLLM 0.12.0 does not read `VLLM_MAX_MODEL_LEN` / \
    add `--max-model-len 4096` to the `command` of service `llm`, and remove `VLLM_MAX_MODEL_LEN`";

#[test]
fn a_setting_that_is_not_read_is_told_with_what_is_meant() {
    check(
        &format!(
            "{VLLM}    environment:\n      \
             VLLM_GPU_MEMORY_UTILIZATION: 0.45\n      VLLM_ENFORCE_EAGER: 'true'\n      \
             VLLM_ENABLE_PREFIX_CACHING: 0\n      VLLM_ADMIN_TOKEN: secret\n      \
             VLLM_USE_V1: 1\n      VLLM_LOGGING_LEVELS: INFO\n      VLLM_PORT: 1\n      \
             HF_HUB_OFFLINE: 1\n      VLLM_SEED:\n      VLLM_SWAP_SPACE: ''\n"
        ),
        "",
        &[
            "warning: vLLM 0.12.0 does not read `VLLM_GPU_MEMORY_UTILIZATION` / add \
             `--gpu-memory-utilization 0.45` to the `command` of service `llm`, and remove \
             `VLLM_GPU_MEMORY_UTILIZATION`",
            "warning: vLLM 0.12.0 does not read `VLLM_ENFORCE_EAGER` / add `--enforce-eager` to the \
             `command` of service `llm`, and remove `VLLM_ENFORCE_EAGER`",
            "warning: vLLM 0.12.0 does not read `VLLM_ENABLE_PREFIX_CACHING` / remove \
             `VLLM_ENABLE_PREFIX_CACHING`: `--enable-prefix-caching` in the `command` would turn it \
             on",
            "warning: vLLM 0.12.0 does not read `VLLM_ADMIN_TOKEN` / remove `VLLM_ADMIN_TOKEN`, or \
             correct its name",
            "warning: vLLM 0.12.0 does not read `VLLM_USE_V1` any more; 0.11.0 did / remove \
             `VLLM_USE_V1`",
            "warning: vLLM 0.12.0 does not read `VLLM_LOGGING_LEVELS` / write `VLLM_LOGGING_LEVEL` \
             in place of `VLLM_LOGGING_LEVELS`",
        ],
    );
    check(&format!("{VLLM}    env_file: settings.env\n"), "", &[LENGTH]);
    check(
        &format!("{} --max-model-len 128\n    env_file: settings.env\n", VLLM.trim_end()),
        "",
        &[
            "warning: vLLM 0.12.0 does not read `VLLM_MAX_MODEL_LEN` / remove `VLLM_MAX_MODEL_LEN`: \
           `--max-model-len` of the command is what counts",
        ],
    );
}

#[test]
fn what_the_command_a_script_or_the_file_uses_is_not_told() {
    let image = "    image: vllm/vllm-openai:v0.12.0\n    env_file: settings.env\n";
    let shell = "    entrypoint: [sh, -c]\n    command: ['vllm serve /models/a --max-model-len $$VLLM_MAX_MODEL_LEN']\n";
    check(&format!("{image}{shell}"), "", &[]);
    let script = "    entrypoint: [/start.sh]\n    command: vllm serve /models/a\n";
    check(&format!("{image}{script}"), "", &[]);
    let expanded = "    command: --model /models/a --max-model-len ${VLLM_MAX_MODEL_LEN:-4096}\n";
    check(&format!("{image}{expanded}"), "", &[]);
    check(
        &format!("{VLLM}    env_file: settings.env\n"),
        "  app:\n    image: acme/app\n    command: run --limit ${VLLM_MAX_MODEL_LEN:-1}\n",
        &[],
    );
}

#[test]
fn what_another_service_has_as_well_is_told_only_if_it_is_plainly_a_setting() {
    let environment = |value: &str| {
        format!(
            "    environment: {{VLLM_HOST: llm, VLLM_BASE_URL: x, VLLM_MAX_MODEL_LEN: {value}}}\n"
        )
    };
    let app = format!("  app:\n    image: acme/app\n{}", environment("1"));
    check(&format!("{VLLM}{}", environment("4096")), &app, &[LENGTH]);
    let others = [
        "warning: vLLM 0.12.0 does not read `VLLM_HOST` / add `--host llm` to the `command` of \
         service `llm`, and remove `VLLM_HOST`",
        "warning: vLLM 0.12.0 does not read `VLLM_BASE_URL` / remove `VLLM_BASE_URL`, or correct \
         its name",
    ];
    check(&format!("{VLLM}{}", environment("4096")), "", &[others[0], others[1], LENGTH]);
}

#[test]
fn an_image_of_ones_own_may_have_plugins_and_scripts() {
    let environment = "    environment: {VLLM_MAX_MODEL_LEN: 4096, VLLM_NO_SUCH_THING: 1}\n";
    let fix = LENGTH.split(" / ").nth(1).unwrap();
    let says = "no release of vLLM up to 0.33.0 reads `VLLM_MAX_MODEL_LEN`";
    let note = format!("note: {says}, unless something in the image does / {fix}");
    let other = "note: no release of vLLM up to 0.33.0 reads `VLLM_NO_SUCH_THING`, unless something in \
                 the image does / remove `VLLM_NO_SUCH_THING`, or correct its name";
    check(
        &format!("    image: acme/vllm\n    command: vllm serve /models/a\n{environment}"),
        "",
        &[&note, other],
    );
    let warning = format!("warning: {says} / {fix}");
    check(
        &format!(
            "    image: acme/vllm\n    entrypoint: [vllm, serve]\n    command: /models/a\n\
             {environment}"
        ),
        "",
        &[&warning, other],
    );
}

#[test]
fn where_vllm_is_told_to_end_over_a_variable_it_is_an_error() {
    let command = VLLM.trim_end().replace("v0.12.0", "v0.19.1");
    check(
        &format!("{command} --fail-on-environ-validation\n    env_file: settings.env\n"),
        "",
        &[&LENGTH
            .replace("warning: vLLM 0.12.0", "error: vLLM 0.19.1")
            .replace("_LEN` /", "_LEN`, and it is told to end over that /")],
    );
}

#[test]
fn other_engines_are_told_as_well() {
    check(
        "    image: ghcr.io/ggml-org/llama.cpp:server\n    command: -m /models/a.gguf\n    \
         environment: {LLAMA_ARG_GPU_LAYERS: 99, LLAMA_ARG_CTX_SIZE: 4096, LLAMA_CTX: 1}\n",
        "",
        &["warning: no release of llama.cpp up to 11669 reads `LLAMA_ARG_GPU_LAYERS` / add \
           `--gpu-layers 99` to the `command` of service `llm`, and remove `LLAMA_ARG_GPU_LAYERS`"],
    );
    check(
        "    image: ghcr.io/huggingface/text-embeddings-inference:cpu-1.8\n    \
         command: --model-id /models/a\n    \
         environment: {MAX_BATCH_TOKEN: 1024, MAX_BATCH_REQUESTS: 4, APP_NAME: x}\n",
        "",
        &[
            "warning: TEI 1.8 does not read `MAX_BATCH_TOKEN` / write `MAX_BATCH_TOKENS` in place of \
           `MAX_BATCH_TOKEN`",
        ],
    );
    // No lane has that service, and it starts no engine.
    check("    image: acme/app\n    environment: {VLLM_MAX_MODEL_LEN: 4096}\n", "", &[]);
}

/// Whether the genuine server looks at the variable: what it holds is no number.
fn looks_at(server: &str, name: &str) -> bool {
    let mut command = Command::new(server);
    let output = command.args(["-m", "/nowhere.gguf"]).env(name, "x").output().unwrap();
    String::from_utf8_lossy(&output.stderr).contains(name)
}

#[test]
fn every_variable_that_llama_server_lists_is_known_and_no_other() {
    let Some(server) = server() else { return };
    let said = |flag: &str| {
        let output = Command::new(&server).arg(flag).output().unwrap();
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    let version = said("--version");
    let build = version.split("build ").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    let help = said("--help");
    let listed: BTreeSet<&str> = help
        .split("(env:")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(str::trim)
        .filter(|name| name.starts_with("LLAMA_ARG_"))
        .collect();
    assert!(listed.len() > 100, "{listed:?}");
    let version = format!("b{build}");
    let unread = |name: &str| Engine::LlamaCpp.unread_variable(name, Some(&version));
    for name in &listed {
        assert_eq!(unread(name), None, "{name}");
    }
    let known = Engine::LlamaCpp.command_line().known_variables.as_ref().unwrap();
    if known.table.newest() == build {
        let entries = known.table.entries().filter(|entry| entry.is_in(0));
        let variables = entries.map(|entry| entry.name).filter(|name| name.starts_with("LLAMA"));
        let stray: Vec<_> = variables
            .filter(|name| !listed.contains(name) && !name.starts_with("LLAMA_ARG_NO_"))
            .collect();
        assert!(stray.is_empty(), "{stray:?}");
        assert!(unread("LLAMA_ARG_MODEL_DRAFT").is_some());
    }
    for (name, is_read) in [
        ("LLAMA_ARG_CTX_SIZE", true),
        ("LLAMA_ARG_THREADS", true),
        ("LLAMA_ARG_CTX", false),
        ("LLAMA_ARG_PARALLEL", false),
    ] {
        assert_eq!(looks_at(&server, name), is_read, "{name}");
        assert_eq!(unread(name).is_none(), is_read, "{name}");
    }
}

/// Prints the variables that a release of vLLM has, and an empty line, and those of which it warns in
/// this environment. Its own function is run; what it asks of the package is its `envs` module.
const JUDGE: &str = r#"
import ast, importlib.util, os, pathlib, sys, types
folder = pathlib.Path(sys.argv[1]) / "vllm"
spec = importlib.util.spec_from_file_location("vllm.envs", folder / "envs.py")
envs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(envs)
package = types.ModuleType("vllm")
package.envs = envs
sys.modules |= {"vllm": package, "vllm.envs": envs}
print(*envs.environment_variables, sep="\n")
print()
class Logger:
    def warning(self, text, *values):
        print(*values)
for file in ("envs.py", "platforms/interface.py"):
    for node in ast.walk(ast.parse((folder / file).read_text())):
        if isinstance(node, ast.FunctionDef) and node.name == "validate_environ":
            node.decorator_list = []
            names = {"os": os, "logger": Logger(),
                     "environment_variables": envs.environment_variables}
            exec(compile(ast.Module([node], []), file, "exec"), names)
            names["validate_environ"](*[None, False][-len(node.args.args):])
"#;

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn vllm_warns_of_what_is_told_and_reads_the_rest() {
    let variable = |name: &str| {
        #[expect(clippy::disallowed_methods, reason = "a test is told where vLLM's sources are")]
        std::env::var(name).ok()
    };
    let Some(sources) = variable("PREFLIGHT_TEST_VLLM_SOURCES") else {
        let required = variable("PREFLIGHT_TEST_REQUIRE_ALL").as_deref() == Some("1");
        assert!(!required, "PREFLIGHT_TEST_VLLM_SOURCES is not set");
        println!("skipped: PREFLIGHT_TEST_VLLM_SOURCES does not name vLLM's sources");
        return;
    };
    let Some(python) = python() else { return };
    let release = sources.rsplit('-').next().unwrap();
    let set = [
        "VLLM_MAX_MODEL_LEN",
        "VLLM_GPU_MEMORY_UTILIZATION",
        "VLLM_ENFORCE_EAGER",
        "VLLM_USE_V1",
        "VLLM_LOGGING_LEVELS",
        "VLLM_LOGGING_LEVEL",
        "VLLM_API_KEY",
        "MAX_MODEL_LEN",
        "HF_HUB_OFFLINE",
    ];
    let output = Command::new(python)
        .args(["-c", JUDGE, &sources])
        .env_clear()
        .envs(set.map(|name| (name, "1")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let (known, warned) = said.split_once("\n\n").unwrap();
    let is_told = |name: &&str| Engine::Vllm.unread_variable(name, Some(release)).is_some();
    let wrong: Vec<_> = known.lines().filter(is_told).collect();
    assert!(known.lines().count() > 200 && wrong.is_empty(), "{wrong:?}");
    let told: BTreeSet<_> = set.into_iter().filter(|name| is_told(name)).collect();
    assert_eq!(told, warned.lines().collect());
    assert!(told.len() > 3, "{told:?}");
}
