//! The files of a lane, judged by their headers: will its engine load them?

mod adapter;
mod architecture;
mod batch;
mod beside;
mod build;
mod configuration;
mod content;
mod context;
mod dense;
mod documents;
mod draft;
mod engine;
mod fit;
mod folder;
mod gguf_pair;
mod gives_out;
mod load_format;
mod merged;
mod pooling;
pub(super) mod reach;
mod router;
pub(super) mod rules;
mod settings;
mod template;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::nearby;
use super::rule::{Check, Run};
use crate::exit_code::ExitCode;
use crate::facts::model::FileState;
use crate::facts::model::{Model, ModelFacts, ModelFile, Role, Shape};
use crate::facts::proof::{Proof, ProofOutcome};
use crate::facts::{ArtifactFacts, LaneFacts};
use crate::file_name::weights::Weights;
use crate::findings::Policy;
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::options;
use crate::plan::engine::{Engine, Invocation, Layout, Models, Part};
use crate::plan::lanes::Bringer;
use crate::project::MountSource;
use crate::project::mounts::Sight;

/// The whole family: what is wrong with a file decides which rule it breaks.
pub(super) static CHECK: Check = Check { rules: rules::ALL, run: Run::Model(run) };

fn run(facts: &LaneFacts, findings: &mut Findings) {
    let judged: Vec<(&ArtifactFacts, Vec<Finding>)> = facts
        .artifacts
        .iter()
        .map(|artifact| {
            let mut own = Findings::new(Policy::default());
            judge(&Subject { facts, artifact }, &mut own);
            (artifact, own.into_vec())
        })
        .collect();
    let serves_one = router::serves_one(&judged);
    let (is_delivered, is_choice) = (is_delivered(facts), is_choice(facts));
    for (artifact, own) in judged {
        let is_one_of_many = serves_one && router::is_listed(artifact);
        let is_survived = is_one_of_many || artifact.artifact.part == Part::ControlVector;
        for finding in own {
            // Who opens it may have the rest from elsewhere.
            let is_lack = finding.rule.exit == ExitCode::Incomplete;
            let may_do = if is_lack { is_delivered } else { is_choice };
            findings.push(if is_survived || may_do { survived(finding) } else { finding });
        }
    }
    router::judge(facts, findings);
    template::given(facts, findings);
}

fn judge(subject: &Subject<'_>, findings: &mut Findings) {
    match &subject.artifact.model {
        ModelFacts::Absent => subject.absent(findings),
        ModelFacts::Denied(why) => subject.denied(&subject.shown(), why, findings),
        ModelFacts::Unknown(why) => subject.unknown(&subject.shown(), why, findings),
        ModelFacts::Seen(model) => seen(subject, model, findings),
    }
}

/// Whether all that was asked for of a source is there: what is lacking to a model then is not lacking to
/// the delivery.
fn is_delivered(facts: &LaneFacts) -> bool {
    let is_there = |proof: &Proof| {
        !matches!(proof.outcome, ProofOutcome::Missing | ProofOutcome::Differs { .. })
    };
    facts.lane.delivery.is_some()
        && facts.source.pinning.pin().is_some()
        && facts.proofs.iter().all(is_there)
}

/// Whether a delivery is files of which one at least can be loaded, and nobody has said which of them is.
fn is_choice(facts: &LaneFacts) -> bool {
    let models = facts.artifacts.iter().filter_map(|artifact| artifact.model.seen());
    let is_sound =
        |file: &ModelFile| file.role == Role::Weights && file.state() == FileState::Present;
    let mut files = models.filter(|model| matches!(model.shape, Shape::Directory));
    facts.lane.delivery.is_some() && files.any(|model| model.files.iter().any(is_sound))
}

/// A finding about something without which the engine serves all the same: one of several models of
/// a router, a control vector.
fn survived(finding: Finding) -> Finding {
    let severity = match finding.severity {
        Severity::Error => Severity::Warning,
        severity @ (Severity::Warning | Severity::Note) => severity,
    };
    finding.severity(severity)
}

fn seen(subject: &Subject<'_>, model: &Model, findings: &mut Findings) {
    reach::judge(subject, findings);
    template::judge(subject, model, findings);
    if beside::judge(subject, model, findings) {
        return;
    }
    if let Some(finding) = engine::foreign(subject, model) {
        return findings.push(finding);
    }
    match &model.shape {
        Shape::Folder(folder) => {
            if folder::is_nothing(subject, folder, findings) {
                return;
            }
            if folder.holds_only_ggufs() {
                return engine::judge(subject, model, findings);
            }
            adapter::judge(subject, folder, findings);
            draft::judge(subject, folder, findings);
            folder::judge(subject, model, folder, findings);
            configuration::judge(subject, model, folder, findings);
            fit::judge(subject, folder, findings);
            pooling::judge(subject, model, folder, findings);
            batch::judge(subject, folder, findings);
            dense::judge(subject, folder, findings);
            documents::judge(subject, model, folder, findings);
        }
        Shape::Split(split) => content::split(subject, model, split, findings),
        Shape::File | Shape::Text(_) | Shape::Directory => {}
    }
    for file in &model.files {
        if folder::is_beside_the_point(subject, file) {
            continue;
        }
        if let Some(finding) = pooling::is_done_without(subject, model, file) {
            findings.push(finding);
        } else if file.state() == FileState::Missing {
            content::missing(subject, model, file, findings);
        } else {
            content::judge(subject, model, file, findings);
        }
    }
    content::leftovers(subject, &model.leftovers, findings);
    engine::judge(subject, model, findings);
    gguf_pair::judge(subject, model, findings);
    settings::judge(subject, model, findings);
    context::judge(subject, model, findings);
    gives_out::judge(subject, model, findings);
}

/// One artifact of a lane, and how to speak of it.
struct Subject<'a> {
    facts: &'a LaneFacts,
    artifact: &'a ArtifactFacts,
}

impl Subject<'_> {
    fn part(&self) -> Part {
        self.artifact.artifact.part
    }

    /// The name of the engine, as far as it is known.
    fn engine(&self) -> &'static str {
        self.facts.lane.engine.map_or("the engine", Engine::name)
    }

    /// What the engine makes of a model's files; absent: the engine is not known.
    fn models(&self) -> Option<&'static Models> {
        self.facts.lane.engine.map(Engine::models)
    }

    /// A finding that what the path names is no model of the engine: what it is, and what to do.
    fn not_a_model(&self, what: &str, fix: impl Into<String>) -> Finding {
        let message = format!("`{}` {what}", self.shown().display());
        self.finding(&rules::NOT_A_MODEL, message, fix)
    }

    /// The flag or variable that names it.
    fn by(&self) -> String {
        self.artifact.artifact.located.from.to_string()
    }

    /// Whether the command replaces parts of what the model says of itself.
    fn overrides(&self) -> bool {
        self.facts.lane.invocation.as_ref().is_some_and(|invocation| invocation.overrides)
    }

    /// Whether the command says the key of a GGUF file itself.
    fn overrides_key(&self, key: &str) -> bool {
        let invocation = self.facts.lane.invocation.as_ref().filter(|_| self.part() == Part::Model);
        invocation.is_some_and(|it| it.override_keys.iter().any(|own| own == key))
    }

    /// Whether the command says something by which the engine tells what tensors there have to be.
    fn overrides_shape(&self) -> bool {
        let invocation = self.facts.lane.invocation.as_ref().filter(|_| self.part() == Part::Model);
        let is_of_shape = |key: &String| {
            let is_other = key.starts_with("tokenizer.") || key.ends_with(".context_length");
            key.contains('.') && !is_other
        };
        invocation.is_some_and(|it| it.override_keys.iter().any(is_of_shape))
    }

    /// The path as the engine opens it, else as this process or the host has it.
    fn shown(&self) -> PathBuf {
        let located = &self.artifact.artifact.located.value;
        match &located.service_path {
            Some(path) => path.as_path().to_path_buf(),
            None => self.on_host(),
        }
    }

    /// The path that a user can paste into a shell of the host, as far as it is known.
    fn on_host(&self) -> PathBuf {
        let located = &self.artifact.artifact.located.value;
        match (&located.host_path, &located.sight, &located.service_path) {
            (Some(path), ..) => path.as_path().to_path_buf(),
            (None, Sight::Visible { path, .. }, _) => path.as_path().to_path_buf(),
            (
                None,
                Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_),
                Some(path),
            ) => path.as_path().to_path_buf(),
            (
                None,
                Sight::Written | Sight::NotMounted | Sight::Covered | Sight::Hidden(_),
                None,
            ) => PathBuf::new(),
        }
    }

    fn file_shown(&self, model: &Model, file: &ModelFile) -> PathBuf {
        model.path_of(&self.shown(), file)
    }

    fn file_on_host(&self, model: &Model, file: &ModelFile) -> PathBuf {
        model.path_of(&self.on_host(), file)
    }

    /// A finding about this artifact, pointing at the word that names it.
    fn finding(
        &self,
        rule: &'static Rule,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        let located = &self.artifact.artifact.located;
        let finding = Finding::new(rule, message, fix)
            .lane(&self.facts.lane.name)
            .at(&located.place)
            .with("path", self.shown().display());
        match &located.value.service {
            Some(service) => finding.service(service),
            None => finding,
        }
    }

    /// A finding that a failed download or a missing mount explains is not a cause of its own.
    fn finding_of_absence(
        &self,
        rule: &'static Rule,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        let finding = match self.facts.still_brought(self.artifact) {
            Some(bringer) => self.finding_of_wait(rule, bringer, &message.into()),
            None => self.finding(rule, message, fix),
        };
        let hub_failed = matches!(self.facts.source.probe, Some(Err(_)))
            || matches!(self.facts.source.fetch, Some(Err(_)));
        let not_mounted = matches!(
            self.artifact.artifact.located.value.sight,
            Sight::NotMounted | Sight::Covered
        );
        let links = &self.artifact.way;
        let behind_link = !links.leaving.is_empty() || !links.broken.is_empty();
        if hub_failed || not_mounted || behind_link { finding.consequence() } else { finding }
    }

    /// A finding about something that is still to come: whether it does cannot be told.
    fn finding_of_wait(&self, rule: &'static Rule, bringer: &Bringer, message: &str) -> Finding {
        let who = &bringer.who;
        let message = format!("{message}; {who} may bring it");
        self.finding(rule, message, bringer.nothing_to_do())
            .severity(Severity::Note)
            .also(&bringer.place, "written here")
    }

    /// Whether it can be among the files of the lane's source.
    fn is_of_source(&self) -> bool {
        match self.part() {
            Part::Text | Part::Folder | Part::Models | Part::ControlVector => false,
            Part::Model
            | Part::Tokenizer
            | Part::Mmproj
            | Part::Lora
            | Part::Draft
            | Part::ChatTemplate => true,
        }
    }

    /// How to get files that are not there.
    fn how_to_get(&self, place: &Path) -> String {
        let source = self.facts.lane.source.as_ref().filter(|_| self.is_of_source());
        match source {
            Some(source) => format!(
                "run `{}`, which downloads it from `{}`",
                self.facts.lane.fetch_command(""),
                source.value
            ),
            None => self.how_to_fill_volume().unwrap_or_else(|| {
                format!(
                    "put it at `{}`, or correct the path that the service is given",
                    place.display()
                )
            }),
        }
    }

    /// How to put the model into a volume, whose files have no path on the host.
    fn how_to_fill_volume(&self) -> Option<String> {
        let located = &self.artifact.artifact.located.value;
        let mount = located.mount.as_ref().filter(|_| located.host_path.is_none())?;
        let MountSource::Volume { name, subpath } = &mount.source else { return None };
        let below = located.service_path.as_ref()?.below(&mount.target)?;
        let path = subpath.as_deref().unwrap_or(Path::new("")).join(below);
        path.file_name()?;
        Some((self.facts.orders.dialect.words().fill_volume)(name, &path))
    }

    /// What the catalogue has for a lane of that name, as the end of a sentence.
    fn known_as(&self) -> String {
        let known = self.facts.lane.known_as.as_ref().filter(|_| self.part() == Part::Model);
        let known = known.map(|source| {
            format!("; the `{}` of the catalogue is `{source}`", self.facts.lane.name)
        });
        known.unwrap_or_default()
    }

    /// How to get a sound file in place of one that is not.
    fn how_to_replace(&self, place: &Path) -> String {
        let place = place.display();
        match &self.facts.lane.source {
            Some(_) => {
                format!("run `rm '{place}'` and `{}`", self.facts.lane.fetch_command(""))
            }
            None => format!("download `{place}` again"),
        }
    }

    /// What is opened, and its path.
    fn what(&self) -> String {
        let shown = self.shown();
        let shown = shown.display();
        let what = match self.part() {
            Part::Model => "the model",
            Part::Tokenizer => "the tokenizer",
            Part::Mmproj => "the multimodal projector",
            Part::Lora => "the adapter",
            Part::Draft => "the draft model",
            Part::ControlVector => "the control vector",
            Part::ChatTemplate => "the chat template",
            Part::Models => "the models folder",
            Part::Text | Part::Folder => return format!("`{shown}`, named by `{}`,", self.by()),
        };
        format!("{what} `{shown}`")
    }

    fn absent(&self, findings: &mut Findings) {
        if self.artifact.artifact.is_made_by_docker() {
            return;
        }
        let what = self.what();
        // Seen with build 11669.
        let is_optional = self.part() == Part::ControlVector;
        let goes_on = if is_optional { ", and llama-server goes on without it" } else { "" };
        let explained = reach::absent(self, findings);
        let message = match reach::dangling(self) {
            Some(link) => format!(
                "{what} is behind the link `{}` to `{}`, where nothing is{goes_on}",
                link.path.display(),
                link.target.display()
            ),
            None => {
                let instead = nearby::clause(&self.artifact.way.nearby);
                format!("{what} is not there{goes_on}{instead}")
            }
        };
        let leftovers = &self.artifact.way.leftovers;
        let (message, get) = match content::unfinished(leftovers) {
            Some(unfinished) => (
                format!("{message}; beside it {unfinished}"),
                format!(
                    "let the download finish, or start it again: {}",
                    self.how_to_get(&self.on_host())
                ),
            ),
            None => (message, self.how_to_get(&self.on_host())),
        };
        let get = get + &self.known_as();
        let fix = nearby::fix(&self.artifact.way.nearby, &get).unwrap_or(get);
        let finding = self.finding_of_absence(&rules::FILES_MISSING, message, fix);
        findings.push(if explained { finding.consequence() } else { finding });
    }

    fn denied(&self, shown: &Path, why: &str, findings: &mut Findings) {
        let finding = self.finding(
            &rules::UNREADABLE,
            format!("preflight may not read `{}`: {why}", shown.display()),
            match reach::closed(self) {
                Some(folder) => format!(
                    "as its owner, run `chmod a+rx '{}'` first, then `chmod -R a+rX '{}'`",
                    folder.display(),
                    self.on_host().display()
                ),
                None => format!(
                    "as the owner of the files, run `chmod -R a+rX '{}'`; a folder above that is named here needs `chmod a+x`",
                    self.on_host().display()
                ),
            },
        );
        findings.push(finding.with("reason", why));
    }

    fn unknown(&self, shown: &Path, why: &str, findings: &mut Findings) {
        // Of both something else is told.
        if self.artifact.refused_mount().is_some()
            || self.facts.still_brought(self.artifact).is_some()
        {
            return;
        }
        let located = &self.artifact.artifact.located.value;
        if located.holds_variable() {
            let message = format!(
                "`{}`, named by `{}`, was not looked at: {why}",
                shown.display(),
                self.by()
            );
            let fix = "nothing, if the variable is set where `docker compose` is called; else set it in `.env`";
            return findings.push(self.finding(&rules::TAKEN_ON_TRUST, message, fix));
        }
        if self.part().may_be_in_image() {
            let message = format!(
                "`{}`, named by `{}`, was not looked at: {why}",
                shown.display(),
                self.by()
            );
            return findings.push(self.trusted(message));
        }
        let finding = self.finding(
            &rules::NOT_LOOKED_AT,
            format!("`{}` could not be looked at: {why}", shown.display()),
            match self.facts.orders.role {
                options::Role::Init => self.facts.orders.dialect.words().see_same,
                options::Role::Hand => self.facts.orders.dialect.words().see_files,
                options::Role::Exec => {
                    "let the user that the engine runs as read it, and every folder above it"
                }
            },
        );
        findings.push(finding.with("reason", why));
    }

    /// The same finding, with what else than the tag says by which release it was judged.
    fn by_release(&self, finding: Finding) -> Finding {
        let invocation = self.facts.lane.invocation.as_ref();
        match invocation.and_then(Invocation::told_release) {
            Some(release) => finding.with("release", release),
            None => finding,
        }
    }

    /// A finding about something that the lane is judged without.
    fn trusted(&self, message: String) -> Finding {
        let in_image =
            "if it is in the image, nothing; else mount it into the service and into `preflight`";
        let nearby = &self.artifact.way.nearby;
        let fix = match nearby::fix(nearby, "mount it into the service") {
            Some(instead) => format!("if it is in the image, nothing; else {instead}"),
            None => in_image.to_owned(),
        };
        self.finding(&rules::TAKEN_ON_TRUST, message + &nearby::clause(nearby), fix)
    }

    /// The engine's release as numbers; absent when it is not known.
    fn version(&self) -> Option<Vec<u32>> {
        let version = self.facts.lane.invocation.as_ref()?.version.as_deref()?;
        let numbers = version.trim_start_matches(|c: char| !c.is_ascii_digit());
        numbers
            .split(|c: char| !c.is_ascii_digit())
            .take_while(|part| !part.is_empty())
            .map(|part| part.parse().ok())
            .collect()
    }
}

/// Up to three names, and how many more there are.
fn some_of(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Whether the engine opens a GGUF file and nothing else.
fn opens_gguf_alone(subject: &Subject<'_>) -> bool {
    subject.models().is_some_and(|models| models.layout == Layout::GgufFile)
}

/// Whether a file has the name of a GGUF file.
fn is_called_gguf(file: &ModelFile) -> bool {
    Weights::Gguf.are_in(&file.name.to_string_lossy())
}

/// Whether a role belongs to the weights.
fn is_weights(role: Role) -> bool {
    matches!(role, Role::Weights | Role::Shard)
}

/// Lowers or keeps the severity of a finding that only some engines mind.
fn severity(is_error: bool) -> Severity {
    if is_error { Severity::Error } else { Severity::Warning }
}
