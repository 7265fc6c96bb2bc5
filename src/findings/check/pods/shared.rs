//! Whether what an engine opens is in a volume that somebody else in its Pod has as well.

use std::path::PathBuf;

use super::gate::beside;
use crate::exit_code::ExitCode;
use crate::facts::ProjectFacts;
use crate::findings::check::rule::{Check, Run};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::{Invocation, who_may_tell};
use crate::plan::lanes::Lane;
use crate::project::mounts::Located;
use crate::project::own_container::{OwnTask, task};
use crate::project::{Mount, MountSource, Project, Service, Stage};

/// The volumes that the containers of a Pod share.
pub static CHECK: Check = Check { rules: &[&NOT_SHARED], run: Run::Project(run) };

static NOT_SHARED: Rule =
    Rule::error("volume-not-shared", ExitCode::Mount, include_str!("rules/volume-not-shared.md"));

fn run(facts: &ProjectFacts<'_>, findings: &mut Findings) {
    for lane in facts.plan.lanes.iter().filter(|lane| lane.skipped.is_none()) {
        if let Some(finding) = Opened::of(facts.project, lane).and_then(|it| it.judge(facts)) {
            findings.push(finding.lane(&lane.name));
        }
    }
}

/// The model of a lane in a volume of its engine's Pod.
struct Opened<'a> {
    service: &'a Service,
    invocation: Option<&'a Invocation>,
    located: &'a Located,
    mount: &'a Mount,
    /// The volume's full name.
    volume: &'a str,
    /// In the volume.
    below: PathBuf,
}

impl<'a> Opened<'a> {
    fn of(project: &'a Project, lane: &'a Lane) -> Option<Self> {
        let located = &lane.model()?.located.value;
        let service = project.service(located.service.as_deref()?)?;
        // What is not written there may be added by whoever makes the Pod.
        service.pod.as_ref().filter(|pod| !pod.is_open)?;
        let mount = located.mount.as_ref()?;
        let volume = mount.source.volume()?;
        let path = located.service_path.as_ref()?;
        let is_below = |other: &Mount| other.target.as_path().starts_with(path.as_path());
        if service.mounts.iter().any(|other| other != mount && is_below(other)) {
            return None;
        }
        let behind = path.as_path().strip_prefix(mount.target.as_path()).ok()?;
        let below = within(mount)?.join(behind);
        let invocation = lane.invocation.as_ref();
        Some(Self { service, invocation, located, mount, volume, below })
    }

    fn judge(&self, facts: &ProjectFacts<'_>) -> Option<Finding> {
        let is_new = facts.project.volume(self.volume)?.kind.is_new();
        let others = || {
            let own = &self.service.name.value;
            beside(facts.project, self.service).filter(move |other| other.name.value != *own)
        };
        if is_new && self.is_only_opened(facts) && !others().any(|other| self.is_reached(other)) {
            return Some(self.nobody(others()));
        }
        let is_first = |other: &&Service| {
            self.service.edge_to_end_of(&other.name.value).is_some()
                && task(other) == Some(OwnTask::Judges)
                && !is_told_lanes(other)
        };
        let mut gates = others().filter(is_first).peekable();
        let gate = *gates.peek()?;
        gates.all(|gate| !self.is_seen(gate)).then(|| self.unseen(gate))
    }

    /// Whether its container brings nothing there by itself: all that is started is the engine, and it is
    /// told of no other place.
    fn is_only_opened(&self, facts: &ProjectFacts<'_>) -> bool {
        let said = &facts.project.document["services"][&self.service.name.value];
        let has_hook = !said["post_start"].is_null();
        let mut words = self.service.words().map(|word| word.value.as_str());
        let mut values = self.service.environment.values().filter_map(|it| it.value.as_deref());
        let is_url = |text: &str| text.contains("://");
        let is_read = self.invocation.is_some_and(|invocation| {
            let is_engine = invocation.stock || self.service.entrypoint.is_some();
            is_engine && invocation.unread.is_empty() && !invocation.in_shell
        });
        let is_told =
            !has_hook && is_read && self.service.texts.is_empty() && !self.may_be_told_more();
        is_told && !words.any(is_url) && !values.any(is_url)
    }

    /// Whether its engine may be told of another place by a variable that nobody sees.
    fn may_be_told_more(&self) -> bool {
        let Some(invocation) = self.invocation else { return true };
        let own = invocation.engine.command_line();
        let is_credential = |name: &str| ["TOKEN", "KEY"].iter().any(|it| name.contains(it));
        let may_bring = |name: &String| {
            own.variables.iter().any(|prefix| name.starts_with(prefix)) && !is_credential(name)
        };
        let may_be_said =
            own.told_by_variables && self.service.told_elsewhere.keys().any(may_bring);
        may_be_said || who_may_tell(self.service, invocation.engine).is_some()
    }

    /// Whether another container may have put it there.
    fn is_reached(&self, other: &Service) -> bool {
        let mut mounts = other.mounts.iter().filter(|mount| !mount.read_only);
        mounts.any(|mount| {
            let is_same = mount.source.volume() == Some(self.volume);
            let within = within(mount).unwrap_or_default();
            is_same && (self.below.starts_with(&within) || within.starts_with(&self.below))
        })
    }

    /// Whether another container sees it.
    fn is_seen(&self, other: &Service) -> bool {
        other.mounts.iter().any(|mount| {
            let is_same = mount.source.volume() == Some(self.volume);
            is_same && within(mount).is_some_and(|within| self.below.starts_with(within))
        })
    }

    /// What the volume is called in the Pod.
    fn name(&self) -> &str {
        self.volume.rsplit(':').next().unwrap_or(self.volume)
    }

    fn path(&self) -> String {
        self.located.service_path.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn nobody<'s>(&self, others: impl Iterator<Item = &'s Service>) -> Finding {
        let message = format!(
            "`{}` of `{}` is in the volume `{}`, which is empty in every new Pod, and no other container of \
             the Pod mounts it to put something there",
            self.path(),
            self.service.name.value,
            self.name()
        );
        let fix = format!(
            "mount the same volume, without `readOnly`, into the init container that brings the model, or take \
             a volume with a claim for `{}`",
            self.name()
        );
        let finding = Finding::new(&NOT_SHARED, message, fix).service(&self.service.name.value);
        let finding = finding.at(&self.mount.place);
        let is_init =
            |other: &&Service| other.pod.as_ref().is_some_and(|pod| pod.stage != Stage::Main);
        let same = others
            .filter(is_init)
            .flat_map(|other| &other.mounts)
            .find(|mount| mount.target == self.mount.target);
        match same {
            Some(mount) => finding.also(&mount.place, "another volume at the same path"),
            None => finding,
        }
    }

    fn unseen(&self, gate: &Service) -> Finding {
        let (own, engine) = (&gate.name.value, &self.service.name.value);
        let has_volume = gate.mounts.iter().any(|it| it.source.volume() == Some(self.volume));
        let what = if has_volume { "another folder of" } else { "nothing of" };
        let message = format!(
            "`{own}` mounts {what} the volume `{}`, in which `{engine}` opens `{}`: it neither sees the model \
             nor brings it there",
            self.name(),
            self.path()
        );
        let fix = format!(
            "mount it into `{own}` as `{engine}` has it, at `{}`, with the same `subPath` if there is one",
            self.mount.target
        );
        let finding = Finding::new(&NOT_SHARED, message, fix).severity(Severity::Warning);
        let finding = finding.service(engine).at(&self.mount.place);
        finding.also(&gate.name.place, "looks for it")
    }
}

/// Whether a preflight judges only some lanes of its project.
fn is_told_lanes(preflight: &Service) -> bool {
    let mut words = preflight.words();
    let names = |word: &str| word.starts_with("--lane") || word.starts_with("--skip");
    words.any(|word| names(&word.value)) || preflight.variable("PREFLIGHT_LANE").is_some()
}

/// The folder of a volume that a mount shows; absent: it is no volume.
fn within(mount: &Mount) -> Option<PathBuf> {
    match &mount.source {
        MountSource::Volume { subpath, .. } => Some(subpath.clone().unwrap_or_default()),
        MountSource::Bind { .. }
        | MountSource::Anonymous
        | MountSource::Tmpfs
        | MountSource::Copied(_)
        | MountSource::Other(_) => None,
    }
}
