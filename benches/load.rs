//! How long a project of 100 services takes to load, beside `docker compose config` on the same
//! files: `cargo bench --bench load`.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "prints what was measured")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use preflight::options::ProjectOptions;
use preflight::project::Project;
use preflight::project::compose;
use preflight::source_map::SourceMap;

/// Loads before the clock counts.
const WARM_UP: usize = 20;

/// Loads that are measured.
const ROUNDS: usize = 200;

/// Runs of `docker compose` that are measured.
const ORACLE_ROUNDS: usize = 10;

/// Projects that are included, each with files and variables of its own.
const GROUPS: usize = 5;

/// Services of one of them.
const SERVICES: usize = 16;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("stack");
    let files = files();
    for (name, text) in &files {
        let path = root.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let lines: usize = files.iter().map(|(_, text)| text.lines().count()).sum();
    let services = load(&root).services.len();
    println!("{services} services, {} files, {lines} lines", files.len());
    told("preflight", &measured(WARM_UP, ROUNDS, || load(&root)));
    if oracle(&root) {
        told("docker compose config", &measured(1, ORACLE_ROUNDS, || oracle(&root)));
    } else {
        println!("docker compose config: not installed, or it refuses the project");
    }
}

fn load(root: &Path) -> Project {
    let options = ProjectOptions {
        environment: IndexMap::from([("HOME".to_owned(), "/home/somebody".to_owned())]),
        working_directory: root.to_path_buf(),
        ..ProjectOptions::default()
    };
    compose::load(&options, &mut SourceMap::default()).unwrap()
}

fn oracle(root: &Path) -> bool {
    let mut command = Command::new("docker");
    command.args(["compose", "config", "--format", "json"]).current_dir(root);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The times of `rounds` calls, shortest first.
fn measured<T>(warm_up: usize, rounds: usize, mut work: impl FnMut() -> T) -> Vec<Duration> {
    for _ in 0..warm_up {
        std::hint::black_box(work());
    }
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            let result = std::hint::black_box(work());
            let elapsed = start.elapsed();
            drop(result);
            elapsed
        })
        .collect();
    times.sort_unstable();
    times
}

fn told(what: &str, times: &[Duration]) {
    let of = |part: usize| times[(times.len() - 1) * part / 10].as_secs_f64() * 1000.0;
    println!("{what}: median {:.1} ms, 90 % within {:.1} ms, best {:.1} ms", of(5), of(9), of(0));
}

/// Every file of the project, by its name.
fn files() -> Vec<(String, String)> {
    let mut files = vec![
        ("compose.yaml".to_owned(), main_file()),
        ("compose.override.yaml".to_owned(), override_file()),
        (".env".to_owned(), "MODELS_PATH=./models\nTAG=v1\nPORT=8000\n".to_owned()),
    ];
    for base in ["vllm", "llama", "tei"] {
        files.push((format!("base/{base}.yaml"), base_file(base)));
    }
    for index in 0..4 {
        let text = (0..20).map(|line| format!("SETTING_{line}=${{TAG}}-{index}\n")).collect();
        files.push((format!("env/{index}.env"), text));
    }
    for group in 0..GROUPS {
        files.push((format!("groups/{group}/compose.yaml"), group_file(group)));
        files.push((format!("groups/{group}/.env"), format!("GROUP={group}\nSIZE={group}g\n")));
    }
    files
}

fn main_file() -> String {
    let mut text = "name: large\ninclude:\n".to_owned();
    for group in 0..GROUPS {
        writeln!(text, "  - groups/{group}/compose.yaml").unwrap();
    }
    text.push_str("x-health: &health\n  interval: 30s\n  retries: 3\n  timeout: 1m30s\n");
    text.push_str("volumes:\n  cache:\nservices:\n");
    for index in 0..20 {
        let (base, file) = (["vllm", "llama", "tei"][index % 3], index % 4);
        write!(
            text,
            "  main-{index}:
    extends: {{file: base/{base}.yaml, service: {base}}}
    command: --model /models/main-{index} --port ${{PORT:-8000}}
    env_file:
      - env/{file}.env
    environment:
      NAME: main-{index}
      TAG: ${{TAG:?set TAG}}
    volumes:
      - ${{MODELS_PATH:-./models}}/main-{index}:/models:ro
      - cache:/cache
    ports: ['{}:8000']
    healthcheck:
      <<: *health
      test: [CMD, curl, -f, http://localhost:8000/health]
",
            9000 + index
        )
        .unwrap();
    }
    text
}

fn override_file() -> String {
    let mut text = "services:\n".to_owned();
    for index in 0..20 {
        write!(
            text,
            "  main-{index}:
    environment:
      - LOG_LEVEL=debug
    volumes:
      - /srv/models:/models:ro
"
        )
        .unwrap();
    }
    text
}

fn base_file(name: &str) -> String {
    format!(
        "services:
  {name}:
    image: registry.example/{name}:${{TAG}}
    restart: unless-stopped
    ipc: host
    shm_size: 8g
    environment:
      HF_HOME: /models/hub
      BASE: {name}
    volumes:
      - ./templates:/templates:ro
    deploy:
      resources:
        reservations:
          devices:
            - driver: nvidia
              count: 1
              capabilities: [gpu]
"
    )
}

fn group_file(group: usize) -> String {
    let mut text = "volumes:\n".to_owned();
    writeln!(text, "  data-{group}:\n    driver: local\nservices:").unwrap();
    for index in 0..SERVICES {
        let name = format!("group-{group}-{index}");
        write!(
            text,
            "  {name}:
    image: registry.example/engine:${{TAG}}
    command: ['--model', '/models/{name}.gguf', '--port', '8000']
    user: '1000:1000'
    shm_size: ${{SIZE:-1g}}
    environment:
      - GROUP=${{GROUP}}
      - NAME={name}
      - HF_HUB_OFFLINE=1
    volumes:
      - type: bind
        source: ./models
        target: /models
        read_only: true
      - data-{group}:/data
    healthcheck:
      test: curl -f http://localhost:8000/health || exit 1
      interval: 10s
    labels:
      com.example.group: '{group}'
"
        )
        .unwrap();
    }
    text
}
