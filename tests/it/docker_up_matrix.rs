//! Every form of `up`, on a stack whose models a hub has and on ones where it lacks that of one lane:
//! what comes up, what is fetched, and what the whole costs beside an init container that does
//! nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::docker_stack::{MODEL, Outcome, SOURCE, Stack, say};

/// The service that is the only one called where one is, and the other one.
const ENGINES: [&str; 2] = ["llama", "other"];

/// The model of each, below the project's folder; the first is [`crate::docker_stack::MODEL_PATH`].
const MODELS: [&str; 2] = ["gguf/tiny-Q4_K_M.gguf", "gguf/other.gguf"];

/// The lane of which the hub has no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Neither,
    Other,
    Own,
}

/// A way to bring a stack up.
#[derive(Debug)]
struct Form {
    name: &'static str,
    /// What goes before, whatever comes of it.
    before: &'static [&'static [&'static str]],
    up: &'static [&'static str],
    /// How many containers of each of [`ENGINES`] it is about.
    about: [usize; 2],
    /// Whether preflight is started at all.
    waits: bool,
    /// Whether the other engine is behind a profile.
    profile: bool,
}

impl Form {
    /// `docker compose UP`, with nothing before it, about both engines.
    const fn new(name: &'static str, up: &'static [&'static str]) -> Self {
        Self { name, before: &[], up, about: [1, 1], waits: true, profile: false }
    }

    /// Whether one of the engines that are to come up has no model.
    fn is_stopped(&self, broken: Broken) -> bool {
        self.waits
            && match broken {
                Broken::Neither => false,
                Broken::Own => true,
                Broken::Other => self.about[1] > 0,
            }
    }

    /// The containers that have been started in the end, in order.
    fn started(&self, broken: Broken) -> Vec<&'static str> {
        let mut started = vec!["hub"];
        if !self.is_stopped(broken) {
            for (engine, count) in ENGINES.into_iter().zip(self.about) {
                started.extend(vec![engine; count]);
            }
        }
        started.extend(self.waits.then_some("preflight"));
        started.sort_unstable();
        started
    }

    /// The models that are there in the end, in order.
    fn fetched(&self, broken: Broken) -> Vec<&'static Path> {
        let lacks = [Broken::Own, Broken::Other];
        let fetched = (0..2)
            .filter(|&engine| self.waits && self.about[engine] > 0 && broken != lacks[engine]);
        let mut fetched: Vec<&Path> = fetched.map(|engine| Path::new(MODELS[engine])).collect();
        fetched.sort_unstable();
        fetched
    }
}

/// A stack of two engines, whose models only the hub has.
fn stack(form: &Form, broken: Broken, more: &str) -> Option<Stack> {
    let name = format!("up-{}-{broken:?}{more}", form.name.replace(' ', "-")).to_lowercase();
    let stack = Stack::new(&name, Some(SOURCE))?;
    let hub = |model: &str| format!("hub/acme/tiny-GGUF/{}", model.trim_start_matches("gguf/"));
    stack.put(MODEL, &hub(MODELS[1]));
    match broken {
        Broken::Neither => {}
        Broken::Own => fs_err::remove_file(stack.path(&hub(MODELS[0]))).unwrap(),
        Broken::Other => fs_err::remove_file(stack.path(&hub(MODELS[1]))).unwrap(),
    }
    let profiles = if form.profile { "    profiles: [spare]\n" } else { "" };
    stack.edit("compose.yaml", |text| {
        let lane = "    tiny:\n";
        let other_lane = "    other:\n      service: other\n      \
                          source: hf://acme/tiny-GGUF/other.gguf\n      \
                          path: /models/gguf/other.gguf\n";
        let service = format!(
            "\n  other:\n    image: llama.cpp:local\n    command: [-m, /models/gguf/other.gguf, \
             -c, \"256\"]\n{profiles}    depends_on:\n      preflight:\n        condition: \
             service_completed_successfully\n    volumes:\n      - \
             ${{MODELS_PATH:-./models}}:/models:ro\n"
        );
        text.replace(lane, &format!("{other_lane}{lane}")) + &service
    });
    Some(stack)
}

/// The form as it is typed; what came of it, and how long it took.
fn bring_up(stack: &Stack, form: &Form) -> (Outcome, Duration) {
    for before in form.before {
        stack.start_hub();
        stack.compose(before);
    }
    stack.start_hub();
    let start = Instant::now();
    let outcome = stack.compose(form.up);
    (outcome, start.elapsed())
}

fn check_cell(form: &Form, broken: Broken) {
    let Some(stack) = stack(form, broken, "") else { return };
    let (up, took) = bring_up(&stack, form);
    let cell = format!("{}, lacking: {broken:?}", form.name);
    let report = stack.logs("preflight");
    let stopped = form.is_stopped(broken);
    assert_eq!(up.code, i32::from(stopped), "{cell}\n{}\n{report}", up.stderr);
    let last = up.stderr.lines().last().unwrap_or_default();
    let refusal = "service \"preflight\" didn't complete successfully";
    assert_eq!(last.contains(refusal), stopped, "{cell}\n{}", up.stderr);
    assert_eq!(stack.started(), form.started(broken), "{cell}\n{report}");
    let models = stack.files("models").into_iter();
    let models: Vec<_> = models.filter(|path| path.extension() == Some("gguf".as_ref())).collect();
    assert_eq!(models, form.fetched(broken), "{cell}\n{report}");
    let skips = form.waits && form.about[1] == 0;
    let is_skipped = report.contains("skipped: not part of this `up`");
    assert_eq!(is_skipped, skips, "{cell}\n{report}");
    say(&format!(
        "{cell}: exit {}, started {}, models there: {}, {:.1} s",
        up.code,
        stack.started().join(" "),
        models.len(),
        took.as_secs_f64()
    ));
}

/// How long the form takes with an init container that does nothing.
fn time_of_nothing(form: &Form) {
    let Some(stack) = stack(form, Broken::Neither, "-idle") else { return };
    let image = "    image: ${PREFLIGHT_IMAGE:-preflight:local}\n";
    stack.edit("preflight.yaml", |text| {
        text.replace(image, &format!("{image}    command: [--version]\n"))
    });
    let (up, took) = bring_up(&stack, form);
    assert_eq!(up.code, 0, "{}\n{}", form.name, up.stderr);
    say(&format!("{}, beside one that does nothing: {:.1} s", form.name, took.as_secs_f64()));
}

/// Each in a stack of its own, at the same time.
fn check(form: &Form) {
    std::thread::scope(|scope| {
        for broken in [Broken::Neither, Broken::Other, Broken::Own] {
            scope.spawn(move || check_cell(form, broken));
        }
        scope.spawn(|| time_of_nothing(form));
    });
}

#[test]
fn up_of_all_is_about_every_lane() {
    check(&Form::new("all", &["up", "-d"]));
}

#[test]
fn up_of_one_service_is_about_its_lane_alone() {
    check(&Form { about: [1, 0], ..Form::new("one", &["up", "-d", "llama"]) });
}

#[test]
fn up_with_a_profile_is_about_its_services_too() {
    let up = &["--profile", "spare", "up", "-d"];
    check(&Form { profile: true, ..Form::new("profile", up) });
}

#[test]
fn up_without_the_profile_leaves_its_lane_alone() {
    check(&Form { profile: true, about: [1, 0], ..Form::new("no profile", &["up", "-d"]) });
}

#[test]
fn up_with_a_scale_is_about_what_is_scaled_to_more_than_nothing() {
    let up = &["up", "-d", "--scale", "llama=2", "--scale", "other=0"];
    check(&Form { about: [2, 0], ..Form::new("scale", up) });
}

#[test]
fn up_without_dependencies_starts_no_preflight() {
    let up = &["up", "-d", "--no-deps", "llama"];
    check(&Form { about: [1, 0], waits: false, ..Form::new("no deps", up) });
}

#[test]
fn up_that_makes_a_container_anew_is_about_its_lane_alone() {
    let up = &["up", "-d", "--force-recreate", "llama"];
    let before: &[&[&str]] = &[&["up", "-d", "llama"]];
    check(&Form { about: [1, 0], before, ..Form::new("recreate", up) });
}

#[test]
fn a_second_up_is_about_the_same_as_the_first() {
    check(&Form { before: &[&["up", "-d"]], ..Form::new("second", &["up", "-d"]) });
}

#[test]
fn up_after_down_is_like_the_first() {
    let before: &[&[&str]] = &[&["up", "-d"], &["down", "--timeout", "0"]];
    check(&Form { before, ..Form::new("down", &["up", "-d"]) });
}

#[test]
fn create_and_start_are_like_up() {
    check(&Form { before: &[&["create"]], ..Form::new("create", &["start"]) });
}
