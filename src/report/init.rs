//! What `preflight init` prints: the changes as a unified diff, who waits then, and what is left to a
//! person.

mod hunks;

use annotate_snippets::renderer::{AnsiColor, Style};
use serde_json::{Value, json};

use super::Telling;
use super::text::Cleaner;
use crate::init::{ByHand, Change, Proposal, State, Waiting};
use crate::options::InitMode;

/// What was proposed, and what became of it.
#[derive(Debug, Clone, Copy)]
pub struct Proposed<'a> {
    /// The changes.
    pub proposal: &'a Proposal,
    /// What was to become of them.
    pub mode: InitMode,
}

impl Proposed<'_> {
    /// For a person, with a line break at its end.
    pub(super) fn human(&self, telling: Telling<'_>) -> String {
        let cleaner = telling.cleaner();
        let mut out = String::new();
        for change in &self.proposal.files {
            out.push_str(&told(change, cleaner, telling.layout.color));
            out.push('\n');
        }
        for waiting in &self.proposal.services {
            out.push_str(&self.service(waiting, cleaner));
        }
        for (service, reason) in &self.proposal.left {
            let (service, reason) = (cleaner.line(service), cleaner.line(reason));
            out.push_str(&format!("  {service}: left as it is: {reason}\n"));
        }
        if !self.proposal.files.is_empty() {
            out.push_str(&self.hints(cleaner));
        }
        let by_hand = self.proposal.by_hand().map(|(_, by_hand)| by_hand);
        for by_hand in self.proposal.no_gate.iter().chain(by_hand) {
            out.push_str(&format!("\n{}", to_write(by_hand, cleaner)));
        }
        out
    }

    /// What a person may want to write besides, and only a person knows or decides.
    fn hints(&self, cleaner: Cleaner<'_>) -> String {
        let Proposal { sourceless, models, .. } = self.proposal;
        let mut out = String::new();
        if let Some(lane) = sourceless.first() {
            let (lanes, lane) = (cleaner.line(&sourceless.join("`, `")), cleaner.line(lane));
            out.push_str(&format!(
                "  no source is known of `{lanes}`: to have files fetched, say it: `x-preflight: {{lanes: \
                 {{{lane}: {{source: \"hf://OWNER/NAME\"}}}}}}`\n"
            ));
        }
        if let Some(folder) = models {
            let folder = cleaner.line(folder);
            out.push_str(&format!(
                "  to have files fetched into `{folder}`, write `MODELS_PATH={folder}` into `.env`\n"
            ));
        }
        out
    }

    fn service(&self, waiting: &Waiting, cleaner: Cleaner<'_>) -> String {
        let Waiting { service, lanes, state } = waiting;
        let (gate, lanes) = (&self.proposal.gate, cleaner.line(&lanes.join(", ")));
        let becomes = match (state, self.mode) {
            (State::Waits, _) => format!("waits for `{gate}`"),
            (State::WillWait, InitMode::Write) => format!("waits for `{gate}` now"),
            (State::WillWait, InitMode::Show | InitMode::Check) => {
                format!("would wait for `{gate}`")
            }
            (State::ByHand(_), _) => "has to be edited by hand".to_owned(),
        };
        format!("  {} ({lanes}): {becomes}\n", cleaner.line(service))
    }

    /// For a program, with a line break at its end.
    pub(super) fn json(&self, cleaner: Cleaner<'_>) -> String {
        let Proposal { gate, files, services, left, sourceless, models, is_narrow: _, no_gate } =
            self.proposal;
        let clean = |texts: &[String]| texts.iter().map(|it| cleaner.line(it)).collect::<Vec<_>>();
        let file = |change: &Change| {
            json!({
                "path": cleaner.line(&change.shown.display().to_string()),
                "new": change.before.is_none(),
                "diff": lines_of(change, cleaner).iter().map(|(_, line)| line).collect::<Vec<_>>(),
            })
        };
        let service = |waiting: &Waiting| {
            let Waiting { service, lanes, state } = waiting;
            let mut told = json!({"name": cleaner.line(service), "lanes": clean(lanes)});
            told["state"] = match state {
                State::Waits => "waits".into(),
                State::WillWait => "will-wait".into(),
                State::ByHand(_) => "by-hand".into(),
            };
            if let State::ByHand(by_hand) = state {
                told["by_hand"] = by_hand_json(by_hand, cleaner);
            }
            told
        };
        let reason = |(service, reason): &(String, String)| json!({"name": cleaner.line(service), "reason": cleaner.line(reason)});
        let mut told = json!({
            "exit_code": self.proposal.exit_code(self.mode).code(),
            "written": self.mode == InitMode::Write && !files.is_empty(),
            "service": cleaner.line(gate),
            "files": files.iter().map(file).collect::<Vec<_>>(),
            "services": services.iter().map(service).collect::<Vec<_>>(),
            "without_source": clean(sourceless),
            "models_path": models.as_deref().map(|folder| cleaner.line(folder)),
            "left": left.iter().map(reason).collect::<Vec<_>>(),
        });
        if let Some(by_hand) = no_gate {
            told["by_hand"] = by_hand_json(by_hand, cleaner);
        }
        format!("{told:#}\n")
    }

    /// What a run ends with on standard error.
    pub(super) fn verdict(&self) -> String {
        let Proposal { gate, files, services, is_narrow, no_gate, .. } = self.proposal;
        let exit = self.proposal.exit_code(self.mode);
        let (code, meaning) = (exit.code(), exit.meaning());
        if services.is_empty() {
            return format!(
                "preflight: no service serves a model that can be judged, so nothing has to wait: exit \
                 {code}, {meaning}\n"
            );
        }
        let count = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let changed = count(files.len(), "file");
        let done = match self.mode {
            InitMode::Write => format!("{changed} written"),
            InitMode::Show | InitMode::Check => {
                format!("{changed} would change: `preflight init --write` does it")
            }
        };
        let done = (!files.is_empty()).then_some(done);
        let left = self.proposal.by_hand().count() + usize::from(no_gate.is_some());
        let left =
            (left > 0).then(|| format!("{} left to be edited by hand", count(left, "place")));
        let parts: Vec<String> = [done, left].into_iter().flatten().collect();
        match (parts.is_empty(), code) {
            (true, _) => {
                let which = if *is_narrow { " that is switched on" } else { "" };
                format!(
                    "preflight: nothing to change: every service of a lane{which} waits for `{gate}`\n"
                )
            }
            (false, 0) => format!("preflight: {}\n", parts.join("; ")),
            (false, _) => format!("preflight: {}: exit {code}, {meaning}\n", parts.join("; ")),
        }
    }
}

fn by_hand_json(by_hand: &ByHand, cleaner: Cleaner<'_>) -> Value {
    let lines: Vec<String> = by_hand.lines.iter().map(|line| cleaner.line(line)).collect();
    let mut told = json!({"reason": cleaner.line(&by_hand.why), "lines": lines});
    if let Some(place) = &by_hand.place {
        told["place"] = json!({
            "file": cleaner.line(&place.file.display().to_string()),
            "line": place.line,
            "column": place.column,
        });
    }
    told
}

/// What a person has to write, and where.
fn to_write(by_hand: &ByHand, cleaner: Cleaner<'_>) -> String {
    let place = by_hand.place.as_ref().map(|place| format!("{place}: "));
    let why = format!("{}{}", place.unwrap_or_default(), by_hand.why);
    let lines: String =
        by_hand.lines.iter().map(|line| format!("    {}\n", cleaner.line(line))).collect();
    format!("{}; write\n{lines}", cleaner.joined(&why))
}

/// What a line of a diff is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Head,
    Same,
    Gone,
    New,
}

/// A change as a unified diff; a file that is new is only named.
fn told(change: &Change, cleaner: Cleaner<'_>, is_coloured: bool) -> String {
    if change.before.is_none() {
        let name = cleaner.line(&change.shown.display().to_string());
        let count = change.after.lines().count();
        return format!("{name}: a new file of {count} lines, the service that is waited for\n");
    }
    let lines = lines_of(change, cleaner).into_iter().map(|(sign, line)| {
        let style = match sign {
            Sign::Gone => AnsiColor::Red.on_default(),
            Sign::New => AnsiColor::Green.on_default(),
            Sign::Head => Style::new().bold(),
            Sign::Same => Style::new(),
        };
        match is_coloured && sign != Sign::Same {
            true => format!("{}{line}{}\n", style.render(), style.render_reset()),
            false => format!("{line}\n"),
        }
    });
    lines.collect()
}

fn lines_of(change: &Change, cleaner: Cleaner<'_>) -> Vec<(Sign, String)> {
    let Some(before) = &change.before else { return Vec::new() };
    let name = cleaner.line(&change.shown.display().to_string());
    let mut lines = vec![(Sign::Head, format!("--- {name}")), (Sign::Head, format!("+++ {name}"))];
    lines.extend(hunks::of(before, &change.after).into_iter().map(|(sign, line)| {
        let mark = match sign {
            Sign::Head => "",
            Sign::Same => " ",
            Sign::Gone => "-",
            Sign::New => "+",
        };
        let line = line.strip_suffix('\r').unwrap_or(&line);
        (sign, format!("{mark}{}", cleaner.line(line)))
    }));
    lines
}
