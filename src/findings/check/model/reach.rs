//! Whether the engine gets to the files at all: links, names, rights.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::{Subject, rules, some_of};
use crate::exit_code::ExitCode;
use crate::facts::model::{Model, ModelFile};
use crate::facts::{Starter, Step};
use crate::file_name::hub_cache;
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::look::{FileKind, Link};

pub(super) static UNREADABLE_BY_USER: Rule = Rule::error(
    "unreadable-by-service-user",
    ExitCode::Mount,
    include_str!("rules/unreadable-by-service-user.md"),
);

pub(super) static SYMLINK_LEAVES_MOUNT: Rule = Rule::error(
    "symlink-leaves-mount",
    ExitCode::Mount,
    include_str!("rules/symlink-leaves-mount.md"),
);

pub(super) static NAME_DIFFERS: Rule = Rule::error(
    "name-differs-in-case",
    ExitCode::Mount,
    include_str!("rules/name-differs-in-case.md"),
);

/// What explains that the model itself is not there; whether anything does.
pub(super) fn absent(subject: &Subject<'_>, findings: &mut Findings) -> bool {
    let way = &subject.artifact.way;
    let shown = subject.shown();
    leavings(subject).into_iter().for_each(|finding| findings.push(finding));
    let explained = !way.leaving.is_empty();
    match &way.similar {
        Some(other) if !explained => {
            findings.push(similar(subject, &shown, other));
            true
        }
        Some(_) | None => explained,
    }
}

/// A file of the model that is not there, and another with nearly its name.
pub(super) fn misnamed(
    subject: &Subject<'_>,
    model: &Model,
    file: &ModelFile,
    findings: &mut Findings,
) -> bool {
    let Some(other) = &file.similar else { return false };
    findings.push(similar(subject, &subject.file_shown(model, file), other));
    true
}

fn similar(subject: &Subject<'_>, shown: &Path, other: &str) -> Finding {
    let beside = shown.with_file_name(other);
    let name = shown.file_name().unwrap_or_default().display();
    subject
        .finding(
            &NAME_DIFFERS,
            format!("`{}` is not there, and `{other}` is beside it", shown.display()),
            format!("write `{}` instead, or rename the file to `{name}`", beside.display()),
        )
        .with("found", other)
}

/// One finding for each folder that links lead into, out of every mount.
fn leavings(subject: &Subject<'_>) -> Vec<Finding> {
    let mut groups: IndexMap<String, Vec<&Link>> = IndexMap::new();
    for link in &subject.artifact.way.leaving {
        groups.entry(folder_of(link)).or_default().push(link);
    }
    groups.iter().filter_map(|(folder, links)| leaving(subject, folder, links)).collect()
}

fn leaving(subject: &Subject<'_>, folder: &str, links: &[&Link]) -> Option<Finding> {
    let first = links.first()?;
    let (path, target, more) = (first.path.display(), first.target.display(), more_like_it(links));
    let what = if links.len() == 1 { "the file itself" } else { "the files themselves" };
    let place = match links.len() {
        1 => format!("at `{path}`"),
        _ => "in place of the links".to_owned(),
    };
    let fix = whole_repository(subject).unwrap_or_else(|| {
        format!("mount `{folder}` at the same place into the service, or put {what} {place}")
    });
    let finding = subject.finding(
        &SYMLINK_LEAVES_MOUNT,
        format!("`{path}` is a link to `{target}`, which no mount of the service reaches{more}"),
        fix,
    );
    Some(finding.with("link", path).with("target", target))
}

/// The links of the model's files behind which nothing is.
fn broken(subject: &Subject<'_>) -> Option<Finding> {
    let links: Vec<&Link> = subject.artifact.way.broken.iter().collect();
    let first = links.first()?;
    let (path, target, more) = (first.path.display(), first.target.display(), more_like_it(&links));
    let message = format!("`{path}` is a link to `{target}`, where nothing is{more}");
    let fix = subject.how_to_get(&subject.on_host());
    let finding = subject.finding(&rules::FILES_MISSING, message, fix);
    Some(finding.with("link", path).with("target", target))
}

/// How many links there are beside the first, in brackets.
fn more_like_it(links: &[&Link]) -> String {
    match links.len() {
        0 | 1 => String::new(),
        count => format!(" ({} more like it)", count - 1),
    }
}

/// How to mount the repository of a cache of the hub of which only a snapshot is mounted: its files are
/// links to the blobs beside the snapshots. Absent: it is mounted otherwise.
fn whole_repository(subject: &Subject<'_>) -> Option<String> {
    let located = &subject.artifact.artifact.located.value;
    let mount = located.mount.as_ref()?;
    let bind = subject.facts.binds.iter().find(|bind| bind.mount == *mount)?;
    let below = located.service_path.as_ref()?.below(&mount.target)?;
    let repository = hub_cache::repository_above(Path::new(&bind.written))
        .or_else(|| hub_cache::repository_above(bind.source.as_path()))?;
    let source = bind.source.as_path();
    let snapshot = source.strip_prefix(hub_cache::repository_above(source)?).ok()?;
    let path = mount.target.join(snapshot).join(below);
    let (repository, target) = (repository.display(), &mount.target);
    Some(format!("mount the whole repository, `{repository}:{target}`, and write `{path}` instead"))
}

/// The folder that a link leads into, in the space of the service.
fn folder_of(link: &Link) -> String {
    let target = match link.path.parent() {
        Some(parent) => parent.join(&link.target),
        None => link.target.clone(),
    };
    let target = crate::path::clean(&target);
    target.parent().unwrap_or(&target).display().to_string()
}

/// The links and rights of a model that is there.
pub(super) fn judge(subject: &Subject<'_>, findings: &mut Findings) {
    let links = leavings(subject).into_iter().chain(broken(subject));
    links.for_each(|finding| findings.push(finding));
    rights(subject, findings);
}

/// The link that a model which is not there would be behind.
pub(super) fn dangling<'a>(subject: &'a Subject<'_>) -> Option<&'a Link> {
    subject.artifact.way.dangling.as_ref()
}

fn rights(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(starter) = &subject.artifact.starter else { return };
    let who = Who::of(starter);
    let judged = |wanted: Access| {
        let steps = subject.artifact.way.steps.iter();
        steps.filter(|step| who.may(step) == wanted).collect::<Vec<_>>()
    };
    let (denied, unknown) = (judged(Access::No), judged(Access::Unknown));
    if let Some(first) = denied.first() {
        findings.push(unreadable(subject, starter, first, &denied));
    } else if let Some(first) = unknown.first() {
        findings.push(not_known(subject, starter, first));
    }
}

fn unreadable(subject: &Subject<'_>, starter: &Starter, first: &Step, denied: &[&Step]) -> Finding {
    let service = subject.artifact.artifact.located.value.service.as_deref().unwrap_or("it");
    let more = match denied.len() {
        1 => String::new(),
        count => format!(" ({} more like it)", count - 1),
    };
    let user = starter.user.as_ref().map_or("", |user| user.value.as_str());
    let message = format!("{}, and `{service}` runs as {user}{more}", state_of(first));
    let names: Vec<String> = denied.iter().map(|step| step.path.display().to_string()).collect();
    let finding = subject
        .finding(&UNREADABLE_BY_USER, message, opened_first(subject, denied))
        .with("mode", format!("{:04o}", first.mode))
        .with("owner", owner_of(first))
        .with("user", user)
        .with("files", some_of(&names));
    match &starter.user {
        Some(user) => finding.also(&user.place, "runs as this user"),
        None => finding,
    }
}

fn not_known(subject: &Subject<'_>, starter: &Starter, step: &Step) -> Finding {
    let why = match &starter.user {
        Some(_) if step.owner.is_none() => "it was only seen through the Docker Engine".to_owned(),
        None => "the image decides which user that is".to_owned(),
        Some(user) => format!("what `user: {}` may read is the image's affair", user.value),
    };
    let state = state_of(step);
    subject
        .finding(
            &UNREADABLE_BY_USER,
            format!("{state}; whether the service's user may read it is not known: {why}"),
            fix(subject),
        )
        .severity(Severity::Note)
}

fn state_of(step: &Step) -> String {
    let (path, mode) = (step.path.display(), step.mode);
    format!("`{path}` has mode {mode:04o} and belongs to {}", owner_of(step))
}

/// `1000:1000`, as far as it is known.
pub(in crate::findings::check) fn owner_of(step: &Step) -> String {
    match step.owner {
        Some(owner) => format!("{}:{}", owner.uid, owner.gid),
        None => "somebody that could not be seen".to_owned(),
    }
}

/// The folder above what is opened through which this process does not get.
pub(super) fn closed(subject: &Subject<'_>) -> Option<PathBuf> {
    let located = &subject.artifact.artifact.located.value;
    let path = located.service_path.as_ref()?.as_path();
    let last = subject.artifact.way.steps.last()?;
    let is_above = last.kind == FileKind::Directory && last.path != path;
    is_above.then(|| on_host(subject, &last.path)).flatten()
}

/// What a service calls `path`, on the host; absent: it is not below the mount of what is opened.
fn on_host(subject: &Subject<'_>, path: &Path) -> Option<PathBuf> {
    let located = &subject.artifact.artifact.located.value;
    let opened = located.service_path.as_ref()?.as_path();
    let above = opened.strip_prefix(path).ok()?.components().count();
    located.host_path.as_ref()?.as_path().ancestors().nth(above).map(Path::to_path_buf)
}

/// A folder that cannot be entered is to be opened before what is in it.
fn opened_first(subject: &Subject<'_>, denied: &[&Step]) -> String {
    let folder = denied.iter().find(|step| step.kind == FileKind::Directory);
    match folder.and_then(|step| on_host(subject, &step.path)) {
        Some(folder) => format!(
            "as its owner, run `chmod a+rx '{}'` first, then {}",
            folder.display(),
            chmod(subject)
        ),
        None => fix(subject),
    }
}

fn fix(subject: &Subject<'_>) -> String {
    format!("as the owner of the files, run {}", chmod(subject))
}

fn chmod(subject: &Subject<'_>) -> String {
    let located = &subject.artifact.artifact.located.value;
    let root = match (&located.mount, &located.host_path, &located.service_path) {
        (Some(mount), Some(host), Some(path)) => {
            let below = path.below(&mount.target).map_or(0, |below| below.components().count());
            host.as_path().ancestors().nth(below).map(Path::to_path_buf)
        }
        (_, _, _) => None,
    };
    let root = root.unwrap_or_else(|| subject.on_host());
    format!("`chmod -R a+rX '{}'`", root.display())
}

/// Whether something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::findings::check) enum Access {
    Yes,
    No,
    Unknown,
}

/// The user of a service, as far as it is known in numbers.
#[derive(Debug, Default)]
pub(in crate::findings::check) struct Who {
    /// Absent: not known.
    uid: Option<u32>,
    /// Whether no mode keeps it from reading: it is root, with root's capabilities.
    reads_all: bool,
    /// Those that are known.
    groups: Vec<u32>,
    /// Whether there may be others.
    more_groups: bool,
}

impl Who {
    /// Docker takes the group of a user without one from the image's `/etc/passwd`, and further
    /// groups from its `/etc/group`; with a group it asks neither.
    pub(in crate::findings::check) fn of(starter: &Starter) -> Self {
        let user = starter.user.as_ref().map_or("", |user| user.value.as_str());
        let (user, group) = match user.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (user, None),
        };
        let uid = if user == "root" { Some(0) } else { user.parse().ok() };
        let named = group.into_iter().chain(starter.groups.iter().map(String::as_str));
        let numbers: Vec<Option<u32>> = named.map(|group| group.parse().ok()).collect();
        let more_groups = group.is_none() || numbers.contains(&None);
        let reads_all = uid == Some(0) && starter.root_reads_all;
        Self { uid, reads_all, groups: numbers.into_iter().flatten().collect(), more_groups }
    }

    fn may(&self, step: &Step) -> Access {
        let wanted = match step.kind {
            FileKind::Directory if step.listed => 0o5,
            FileKind::Directory => 0o1,
            FileKind::File | FileKind::Other => 0o4,
        };
        self.has(step, wanted)
    }

    /// Whether it may make files and folders in a folder.
    pub(in crate::findings::check) fn may_add_to(&self, folder: &Step) -> Access {
        self.has(folder, 0o3)
    }

    /// Whether it has these bits.
    fn has(&self, step: &Step, wanted: u32) -> Access {
        let allows = |shift: u32| step.mode >> shift & wanted == wanted;
        let (owner, group, others) = (allows(6), allows(3), allows(0));
        if self.reads_all || (owner && group && others) {
            return Access::Yes;
        }
        let Some(uid) = self.uid else { return Access::Unknown };
        if !owner && !group && !others {
            return Access::No;
        }
        let Some(of) = step.owner else { return Access::Unknown };
        let allowed = if uid == of.uid {
            owner
        } else if step.listed_rights {
            return Access::Unknown;
        } else if self.groups.contains(&of.gid) {
            group
        } else if self.more_groups && group != others {
            return Access::Unknown;
        } else {
            others
        };
        if allowed { Access::Yes } else { Access::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::Owner;
    use crate::source_map::Spanned;

    fn check(user: Option<&str>, groups: &[&str], mode: u32, kind: FileKind, expected: Access) {
        let starter = Starter {
            user: user.map(|user| Spanned::nowhere(user.to_owned())),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            root_reads_all: true,
        };
        let step = Step {
            path: "/models/x".into(),
            kind,
            listed: false,
            mode,
            owner: Some(Owner { uid: 1000, gid: 100 }),
            listed_rights: false,
        };
        assert_eq!(Who::of(&starter).may(&step), expected, "{user:?} {groups:?} {mode:o}");
    }

    #[test]
    fn root_without_its_capabilities_is_a_user_like_others() {
        let user = Some(Spanned::nowhere("0:0".to_owned()));
        let starter = Starter { user, groups: Vec::new(), root_reads_all: false };
        let step = |mode, uid| Step {
            path: "/models/x".into(),
            kind: FileKind::File,
            listed: false,
            mode,
            owner: Some(Owner { uid, gid: 100 }),
            listed_rights: false,
        };
        let who = Who::of(&starter);
        assert_eq!(who.may(&step(0o600, 1000)), Access::No);
        assert_eq!(who.may(&step(0o600, 0)), Access::Yes);
        assert_eq!(who.may(&step(0o644, 1000)), Access::Yes);
    }

    #[test]
    fn bits_are_read_as_the_kernel_reads_them() {
        use Access::{No, Unknown, Yes};
        let file = |user, groups: &[&str], mode, expected| {
            check(user, groups, mode, FileKind::File, expected);
        };
        file(Some("0"), &[], 0o000, Yes);
        file(Some("root"), &[], 0o000, Yes);
        file(Some("0:0"), &[], 0o000, Yes);
        file(Some("1000:1000"), &[], 0o600, Yes);
        // The owner's bits are the owner's only ones.
        file(Some("1000:100"), &[], 0o044, No);
        file(Some("1001:100"), &[], 0o640, Yes);
        file(Some("1001:100"), &[], 0o604, No);
        file(Some("1001:1001"), &[], 0o640, No);
        file(Some("1001:1001"), &["100"], 0o640, Yes);
        file(Some("1001:1001"), &["models"], 0o640, Unknown);
        file(Some("1001:1001"), &[], 0o644, Yes);
        file(Some("1001"), &[], 0o600, No);
        file(Some("1001"), &[], 0o640, Unknown);
        file(Some("1001:users"), &[], 0o640, Unknown);
        file(Some("vllm"), &[], 0o600, Unknown);
        file(Some("vllm"), &[], 0o644, Yes);
        file(None, &[], 0o600, Unknown);
        check(Some("1001:1"), &[], 0o711, FileKind::Directory, Yes);
        check(Some("1001:1"), &[], 0o744, FileKind::Directory, No);
    }
}
