//! The picture of a terminal at the head of the README: recorded from a real run.
//!
//! `PREFLIGHT_TEST_WRITE_DOCS=1` records it anew.

use crate::documentation::keep;
use crate::sandbox::Sandbox;
use crate::terminal::Session;

/// As wide as the text of the page that shows it is read well.
const COLUMNS: u16 = 100;

const STACK: &str = r#"services:
  webui:
    image: ghcr.io/open-webui/open-webui:v0.6.41
    depends_on: [chat, reader]
    environment:
      OPENAI_API_BASE_URLS: http://chat:8080/v1;http://reader:8080/v1
  chat:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/vllm/tiny/bf16
    gpus: all
    volumes: ["./models:/models:ro"]
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: --model /models/gguf/tiny-Q4_K_M.gguf --ctx-size 2048
    volumes: ["./models:/models:ro"]
"#;

/// The lines of a terminal, which begins a new one where a line is full.
fn wrapped(text: &str) -> String {
    let (mut shown, mut column, mut is_escape) = (String::new(), 0, false);
    for letter in text.chars() {
        is_escape |= letter == '\u{1b}';
        if letter == '\n' {
            column = 0;
        } else if !is_escape {
            if column == COLUMNS {
                shown.push('\n');
                column = 0;
            }
            column += 1;
        }
        is_escape &= letter != 'm';
        shown.push(letter);
    }
    shown
}

#[test]
fn the_picture_in_the_readme_is_a_real_run() {
    let sandbox = Sandbox::quickstart().file("compose.yaml", STACK);
    let model = sandbox.path().join("models/gguf/tiny-Q4_K_M.gguf");
    fs_err::OpenOptions::new().write(true).open(model).unwrap().set_len(512_224).unwrap();
    let command = sandbox.command(&["--color", "always"]);
    let (code, shown) = Session::start(command, COLUMNS).end();
    assert_eq!(code, Some(17), "{shown}");
    let shown = shown.replace(&sandbox.path().display().to_string(), "/srv/stack");
    let told = format!("$ preflight\n{}$ echo $?\n17", wrapped(&shown));
    let picture = anstyle_svg::Term::new().render_svg(&told);
    keep("docs/terminal.svg", &(picture.trim_end().to_owned() + "\n"));
}
