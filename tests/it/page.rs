//! The HTML report: what is on it, and what a genuine browser says to it, which `PREFLIGHT_TEST_CHROMEDRIVER`
//! names; without it the pages are only written, unless `PREFLIGHT_TEST_REQUIRE_ALL=1`.
//! `PREFLIGHT_TEST_WRITE=1` renews what the pages look like.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::hub_stack::{hub, stack};
use crate::judge::named;
use crate::sandbox::{Sandbox, repository};

const JUDGE: &str = include_str!("page/judge.py");

/// Clients, three lanes, a port on which nobody listens, a folder that is not there, a model that is not there.
const BROKEN: &str = r#"
services:
  webui:
    image: ghcr.io/open-webui/open-webui:v0.6.41
    environment:
      OPENAI_API_BASE_URLS: http://chat:8001/v1;http://reader:8080/v1
      OPENAI_API_KEYS: none;none
    depends_on: [chat, reader]
  indexer:
    image: acme/indexer:1
    environment:
      EMBED_URL: http://embed:80
  chat:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/vllm/tiny/bf16 --gpu-memory-utilization 0.6
    gpus: [{count: 1}]
    volumes: ["./models:/models:ro"]
  reader:
    image: ghcr.io/ggml-org/llama.cpp:server
    command: -m /models/gguf/tiny-Q4_K_M.gguf --host 0.0.0.0
    volumes: ["./modles:/models:ro"]
  embed:
    image: ghcr.io/huggingface/text-embeddings-inference:cpu-1.8.3
    command: --model-id /models/embeddings/a-rather-long-name-of-an-embedding-model-v2-base-code
    volumes: ["./models:/models:ro"]
"#;

const TWO_ON_A_CARD: &str = r#"
services:
  chat:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/vllm/tiny/bf16 --gpu-memory-utilization 0.6
    gpus: [{count: 1}]
    volumes: ["./models:/models:ro"]
  coder:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/vllm/tiny/bf16
    gpus: [{count: 1}]
    volumes: ["./models:/models:ro"]
"#;

/// Names that try to become markup.
const HOSTILE: &str = r#"
services:
  "chat":
    image: vllm/vllm-openai:v0.12.0
    command: ["--model", "/models/<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"]
    labels: {preflight.lane: "</title><script>alert(3)</script>"}
    gpus: all
    volumes: ["./models:/models:ro"]
"#;

/// What is wrong with it in each way that the judge knows.
const BAD: &str = r##"<!DOCTYPE html><html lang="en"><body style="background:#fff;color:#bbb">
<p style="width:40px;overflow:hidden;white-space:nowrap">cut off text</p>
<p style="width:3000px">wide</p><a href="#nowhere">link</a>
<section><h2>no name</h2></section><img src="missing.png" alt="">
<svg width="50" height="50"><g class="node"><rect width="10" height="10" fill="#fff"/><text y="9">long text</text></g></svg>
</body></html>"##;

/// What was seen of a page in one way to look at it.
#[derive(Deserialize)]
struct Look {
    complaints: Vec<String>,
    seen: String,
}

/// Writes a page, and says what the run exits with.
fn page(sandbox: &Sandbox, name: &str, arguments: &[&str]) -> Option<i32> {
    let output = format!("html={name}.html");
    let run =
        sandbox.run(&[arguments, &["-p", "stack", "--no-docker", "-q", "-o", &output]].concat());
    sandbox.assert_silent(text(sandbox, name).as_bytes());
    run.code
}

fn text(sandbox: &Sandbox, name: &str) -> String {
    fs_err::read_to_string(sandbox.path().join(format!("{name}.html"))).unwrap()
}

/// What a browser says to pages; absent without one.
fn judged(folder: &Path, pages: &[&str]) -> Option<BTreeMap<String, Look>> {
    let driver = named("PREFLIGHT_TEST_CHROMEDRIVER")?;
    let mut command = Command::new("python3");
    command.arg("-c").arg(JUDGE).arg(driver).arg("chromium").arg(folder).args(pages);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Whether two pictures are the same but for what fonts and times make of them.
fn is_alike(seen: &str, known: &str) -> bool {
    let level = |cell: char| i64::from(cell.to_digit(16).unwrap_or(99));
    let cells = || seen.chars().zip(known.chars());
    let apart = cells().filter(|(one, other)| (level(*one) - level(*other)).abs() > 1).count();
    seen.len() == known.len() && apart * 40 < known.len()
}

#[test]
fn a_page_shows_the_stack_and_points_at_what_is_broken_in_it() {
    let sandbox = Sandbox::quickstart().file("compose.yaml", BROKEN);
    assert_eq!(page(&sandbox, "page", &["--gpus", "24GB"]), Some(16));
    let page = text(&sandbox, "page");
    let (head, body) = page.split_once("<body>").unwrap();
    assert!(head.contains("default-src 'none'"), "{head}");
    let folder = sandbox.path().display().to_string();
    let body = body.replace(&folder, "/srv/stack").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\dT[^<]* ms", "[time]");
    settings.bind(|| insta::assert_snapshot!(body));
}

#[test]
fn a_page_says_how_much_a_fetch_would_bring() {
    let hub = hub(&[]);
    let sandbox = stack(&hub);
    assert_eq!(page(&sandbox, "page", &["fetch", "--dry-run"]), Some(0));
    let page = text(&sandbox, "page");
    for said in ["to fetch, ", " to fetch</text>", "would fetch "] {
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[test]
fn names_of_others_are_no_markup() {
    let sandbox = Sandbox::quickstart().file("compose.yaml", HOSTILE);
    page(&sandbox, "page", &[]);
    let page = text(&sandbox, "page");
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.contains("{{ 7 * 7 }}"), "{page}");
}

#[test]
fn a_run_that_could_not_be_done_is_a_page_as_well() {
    let sandbox = Sandbox::new().file("compose.yaml", "services: [\n");
    assert_eq!(page(&sandbox, "page", &[]), Some(2));
    let page = text(&sandbox, "page");
    assert!(page.contains("Why there is no report") && page.contains("compose.yaml:"), "{page}");
}

#[test]
fn a_browser_shows_all_of_a_page_wide_and_narrow_light_and_dark() {
    let sandbox = Sandbox::quickstart()
        .file("broken.yaml", BROKEN)
        .file("two.yaml", TWO_ON_A_CARD)
        .file("hostile.yaml", HOSTILE);
    assert_eq!(page(&sandbox, "good", &["compose.yaml"]), Some(0));
    assert_eq!(page(&sandbox, "broken", &["-f", "broken.yaml", "--gpus", "24GB"]), Some(16));
    assert_eq!(page(&sandbox, "two", &["fit", "-f", "two.yaml", "--gpus", "24GB"]), Some(21));
    page(&sandbox, "hostile", &["-f", "hostile.yaml"]);
    let pages = ["good", "broken", "two", "hostile"];
    let Some(looks) = judged(sandbox.path(), &pages) else { return };
    assert_eq!(looks.len(), pages.len() * 4);
    let is_renewed = std::env::var_os("PREFLIGHT_TEST_WRITE").is_some();
    for (name, look) in looks {
        assert_eq!(look.complaints, Vec::<String>::new(), "{name}");
        let known = repository().join("tests/data/page").join(format!("{name}.txt"));
        // A folder of the run is named in it, which is as long as it happens to be.
        if name.starts_with("hostile") {
            continue;
        }
        if is_renewed {
            fs_err::write(&known, &look.seen).unwrap();
        }
        let known = fs_err::read_to_string(known).unwrap();
        assert!(is_alike(&look.seen, &known), "{name} looks otherwise:\n{}", look.seen);
    }
}

#[test]
fn the_browser_sees_what_is_wrong_with_a_page() {
    let sandbox = Sandbox::new().file("bad.html", BAD);
    let Some(looks) = judged(sandbox.path(), &["bad"]) else { return };
    let said = looks["bad-400-light"].complaints.join("\n");
    let kinds = ["cut off", "out of the page", "is 3", "contrast", "leads nowhere", "has no name"];
    for kind in kinds.iter().chain(&["out of its box", "console"]) {
        assert!(said.contains(kind), "{kind}:\n{said}");
    }
}
