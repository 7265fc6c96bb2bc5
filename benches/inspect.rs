//! How long it takes to look at 50 created containers: `cargo bench --bench inspect`, with the engine
//! that `DOCKER_HOST` names.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "prints what was measured")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use preflight::options::DockerOptions;
use preflight::project::docker;

/// Containers of the project.
const CONTAINERS: usize = 50;

/// Looks that are measured.
const ROUNDS: usize = 20;

/// What one look may take.
const WANTED: Duration = Duration::from_millis(300);

/// Created containers of a project of their own, and the image that they are of; they go when this
/// is dropped.
struct Project {
    name: String,
    image: String,
    ids: Vec<String>,
}

#[expect(clippy::disallowed_methods, reason = "the engine is the caller's")]
fn main() {
    if !docker(&["version"]).0 {
        println!("there is no Docker Engine");
        return;
    }
    let project = Project::create();
    let options = DockerOptions {
        host: std::env::var("DOCKER_HOST").ok(),
        ..DockerOptions::default_socket()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let seen = runtime.block_on(docker::observe(&options, Some(&project.name))).unwrap();
            assert_eq!(seen.siblings.len(), CONTAINERS);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let (best, median, worst) = (times[0], times[ROUNDS / 2], times[ROUNDS - 1]);
    println!(
        "{CONTAINERS} containers: best {best:.1?}, median {median:.1?}, worst {worst:.1?}, wanted \
         {WANTED:?}"
    );
}

impl Project {
    fn create() -> Self {
        let name = format!("preflight-bench-{}", std::process::id());
        let mut project = Self { image: format!("{name}:empty"), ids: Vec::new(), name };
        let mut import = Command::new("docker");
        import.args(["import", "-", &project.image]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut import = import.spawn().unwrap();
        // The end of a tar archive, and nothing before it.
        import.stdin.take().unwrap().write_all(&[0; 1024]).unwrap();
        assert!(import.wait().unwrap().success());
        for number in 0..CONTAINERS {
            let of_project = format!("com.docker.compose.project={}", project.name);
            let of_service = format!("com.docker.compose.service=lane{number}");
            let volume = format!("{}:/cache", project.name);
            let (created, id) = docker(&[
                "create",
                "--label",
                &of_project,
                "--label",
                &of_service,
                "--volume",
                "/:/models:ro",
                "--volume",
                &volume,
                "--memory",
                "64m",
                &project.image,
                "/engine",
            ]);
            assert!(created);
            project.ids.push(id.trim().to_owned());
        }
        project
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let ids = self.ids.iter().map(String::as_str);
        docker(&["rm", "--force"].into_iter().chain(ids).collect::<Vec<_>>());
        docker(&["volume", "rm", &self.name]);
        docker(&["image", "rm", &self.image]);
    }
}

/// Whether the command succeeds, and what it prints.
fn docker(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("docker").args(arguments).stderr(Stdio::null()).output();
    output.map_or((false, String::new()), |output| {
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    })
}
