//! Configs and secrets that Compose copies into a container: what the genuine engine reads of them, and
//! what preflight says before, by hand and as init container.

use crate::docker_stack::{MODEL, MODEL_PATH, Outcome, Stack, outcome};

/// Where the command of `llama` ends.
const LAST_WORD: &str = r#""256"]"#;

const TEMPLATE: &str = "{% for m in messages %}{{ m.content }}{% endfor %}";

/// The stack of one lane, whose engine gets `words` more and `keys`, beside the resources `top`.
fn stack(name: &str, words: &str, keys: &str, top: &str) -> Option<Stack> {
    let stack = Stack::new(name, None)?;
    stack.put(MODEL, MODEL_PATH);
    stack.edit("compose.yaml", |text| {
        text.replace(LAST_WORD, &format!("\"256\", {words}]\n    {keys}")) + top
    });
    Some(stack)
}

fn assert_ready(run: &Outcome) {
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

/// Preflight says `said` by hand and as init container, and without it Docker says `docker`.
fn is_foreseen(stack: &Stack, code: u8, said: &str, docker: &str) {
    let run = stack.by_hand(&[]);
    assert_eq!(run.code, i32::from(code), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains(said), "`{said}` is not in:\n{}", run.stdout);
    stack.refuses(code, said);
    stack.compose(&["down"]);
    let up = stack.compose(&["up", "-d", "--no-deps", "llama"]);
    assert_eq!(up.code, 1, "{}", up.stderr);
    assert!(up.stderr.contains(docker), "`{docker}` is not in:\n{}", up.stderr);
    stack.compose(&["down"]);
}

#[test]
fn a_template_and_a_key_that_stand_in_the_project_are_there_at_the_first_start() {
    let top = format!(
        "\nconfigs:\n  chat: {{content: {TEMPLATE:?}}}\nsecrets:\n  key: {{environment: API_KEY}}\n"
    );
    let words = "--chat-template-file, /etc/chat.jinja, --api-key-file, /run/secrets/key";
    let keys = "configs: [{source: chat, target: /etc/chat.jinja}]\n    secrets: [key]";
    let Some(stack) = stack("copied", words, keys, &top) else { return };
    stack.set_environment(&[("API_KEY", "sekrit-of-the-engine")]);
    let run = stack.by_hand(&[]);
    assert_ready(&run);
    stack.up();
    stack.assert_llama_is_healthy();
    let report = stack.logs("preflight");
    assert!(report.contains("ready: 1 of 1"), "{report}");
    for text in [&run.stdout, &report] {
        assert!(!text.contains("sekrit-of-the-engine"), "{text}");
    }
}

#[test]
fn what_only_the_caller_s_shell_holds_is_taken_on_trust_by_an_init_container() {
    let top = "\nsecrets:\n  key: {environment: API_KEY}\n";
    let words = "--api-key-file, /run/secrets/key";
    let Some(stack) = stack("shell", words, "secrets: [key]", top) else { return };
    let run = stack.by_hand(&[]);
    assert_eq!(run.code, 16, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("error[file-not-copied]: `API_KEY` is not set"), "{}", run.stdout);
    let up = stack.up_fails();
    assert!(up.contains("environment variable \"API_KEY\" required by secret"), "{up}");
    stack.assert_started(&["hub", "preflight"]);
    stack.compose(&["down"]);

    let mut up = stack.compose_command(&["up", "-d", "--wait"]);
    let up = outcome(up.env("API_KEY", "sekrit-of-the-engine"));
    assert_eq!(up.code, 0, "{}\n{}", up.stderr, stack.logs("preflight"));
    stack.assert_llama_is_healthy();
    let report = stack.logs("preflight");
    assert!(report.contains("note[taken-on-trust]"), "{report}");
}

#[test]
fn a_preset_in_the_project_is_read_there_and_its_lines_are_its_places() {
    let top = "\nconfigs:\n  presets:\n    content: |\n      [tiny]\n      model = \
               ${PRESET:-/models/gguf/tiny-Q4_K_M.gguf}\n      ctx-size = 256\n";
    let words = "--models-preset, /presets.ini";
    let keys = "configs: [{source: presets, target: /presets.ini}]";
    let Some(stack) = stack("preset", words, keys, top) else { return };
    stack.edit("compose.yaml", |text| text.replace("-m, /models/gguf/tiny-Q4_K_M.gguf, ", ""));
    assert_ready(&stack.by_hand(&[]));
    stack.up();
    stack.assert_llama_is_healthy();
    stack.compose(&["down"]);

    stack.set_environment(&[("PRESET", "/models/gguf/tyni-Q4_K_M.gguf")]);
    let text = fs_err::read_to_string(stack.path("compose.yaml")).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("PRESET")).unwrap();
    let place = format!("compose.yaml:{line}:");
    let run = stack.by_hand(&[]);
    assert!(run.stdout.contains(&place), "`{place}` is not in:\n{}{}", run.stdout, run.stderr);
}

#[test]
fn compose_copies_nothing_to_where_nothing_can_be_written() {
    let top = format!("\nconfigs:\n  chat: {{content: {TEMPLATE:?}}}\n");
    let words = "--chat-template-file, /models/chat.jinja";
    let keys = "configs: [{source: chat, target: /models/chat.jinja}]";
    let Some(stack) = stack("below", words, keys, &top) else { return };
    is_foreseen(&stack, 16, "`/models` is mounted read-only there", "read-only");
    stack.edit("compose.yaml", |text| {
        text.replace("/models/chat.jinja", "/chat.jinja")
            .replace("    ports:\n", "    read_only: true\n    ports:\n")
    });
    is_foreseen(
        &stack,
        17,
        "`llama` is read-only, and its config `chat`",
        "`file` is the sole supported option",
    );
}

#[test]
fn of_an_empty_text_no_file_is_made() {
    let top = "\nconfigs:\n  chat: {content: \"${CHAT}\"}\n";
    let words = "--chat-template-file, /chat.jinja";
    let keys = "configs: [{source: chat, target: /chat.jinja}]";
    let Some(stack) = stack("empty", words, keys, top) else { return };
    stack.set_environment(&[("CHAT", "")]);
    let run = stack.by_hand(&[]);
    assert_eq!(run.code, 16, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("of none Compose makes no file in `llama`"), "{}", run.stdout);
    // Compose takes an empty `content` for a file without a name: the folder of the project.
    stack.refuses(16, "needs a file at `/chat.jinja`");
    stack.compose(&["down"]);
    stack.compose(&["up", "--no-deps", "llama"]);
    assert!(stack.logs("llama").contains("Is a directory"), "{}", stack.logs("llama"));
}
