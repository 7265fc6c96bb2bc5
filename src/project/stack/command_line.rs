//! An engine that is started in the place of this process, as a project of one service: its words and
//! variables as they are, its files where they are.

mod limits;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::limits::{LONGEST_OF_KERNEL, LONGEST_PATH, MOST_WORDS};
use crate::options::Start;
use crate::path::{HostPath, LocalPath, ServicePath, clean};
use crate::project::mounts::MountPoint;
use crate::project::{Project, Service};
use crate::regular_file;
use crate::source_map::{Place, SourceMap, Span, Spanned};

/// What the places in the words are shown as.
const WORDS: &str = "command line";

/// What the places in variables are shown as.
const VARIABLES: &str = "environment";

/// What stands in a word for bytes that no text has.
const GAP: &str = "\u{fffd}";

/// The same in a script.
const GAP_OF_SCRIPT: &str = "\u{fffd}\u{fffd}";

/// The capabilities over which a process reads what its mode does not let it read (capabilities(7)):
/// `CAP_DAC_OVERRIDE` and `CAP_DAC_READ_SEARCH`.
const READS_ALL: u64 = 1 << 1 | 1 << 2;

/// Blocking.
pub(super) fn project(start: &Start, sources: &mut SourceMap) -> Project {
    let texts: Vec<String> =
        start.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let name = texts.first().map_or("", |program| program.rsplit('/').next().unwrap_or(""));
    let mut words = written(&texts, sources);
    let mut told_elsewhere = IndexMap::new();
    let before = std::iter::once("").chain(texts.iter().map(String::as_str));
    for ((word, said), before) in words.iter_mut().zip(&start.words).zip(before) {
        // What stands in a script so is a command, and hides what it gives.
        let is_script = before.starts_with('-') && before.ends_with('c');
        let gap = if is_script { GAP_OF_SCRIPT } else { GAP };
        if let Some(text) = with_gaps(said, gap) {
            word.value = text;
            let who = Spanned::new("bytes that are not UTF-8".to_owned(), word.place.clone());
            told_elsewhere.insert(GAP.to_owned(), who);
        }
    }
    let place = words.first().map(|word| word.place.clone()).unwrap_or_default();
    let mut environment = IndexMap::new();
    for (name, value) in &start.environment {
        environment.insert(name.clone(), variable(name, value, sources));
    }
    let service = Service {
        entrypoint: Some(Vec::new()),
        command: Some(words),
        observed: true,
        environment,
        told_elsewhere,
        user: Some(Spanned::nowhere(own_user())),
        group_add: own_groups(),
        root_reads_all: reads_all(),
        present: present(&texts, start),
        working_dir: Some(ServicePath::new(start.working_directory.as_path())),
        ..Service::named(Spanned::new(name.to_owned(), place))
    };
    Project {
        directory: HostPath::new(start.working_directory.as_path()),
        services: vec![service],
        document: limits::document(name),
        ..Project::empty()
    }
}

/// The words as one line, as a shell would take them, each with its place in that.
fn written(texts: &[String], sources: &mut SourceMap) -> Vec<Spanned<String>> {
    let mut line = String::new();
    let mut ranges = Vec::with_capacity(texts.len());
    for text in texts {
        if !line.is_empty() {
            line.push(' ');
        }
        let start = line.len();
        line.push_str(&quoted(text));
        ranges.push(start..line.len());
    }
    let source = sources.add(Path::new(WORDS), line);
    let spanned = |(text, range): (&String, std::ops::Range<usize>)| {
        let span = Span { source, start: range.start, end: range.end };
        Spanned::new(text.clone(), Place::at(span))
    };
    texts.iter().zip(ranges).map(spanned).collect()
}

/// A word that is not UTF-8, with something that is not known for each part of it that is not; absent: all of
/// it is UTF-8.
fn with_gaps(word: &OsStr, name: &str) -> Option<String> {
    use std::os::unix::ffi::OsStrExt as _;

    let chunks = word.to_str().is_none().then(|| word.as_bytes().utf8_chunks())?;
    let gap =
        |invalid: &[u8]| if invalid.is_empty() { String::new() } else { format!("$({name})") };
    Some(chunks.map(|chunk| chunk.valid().to_owned() + &gap(chunk.invalid())).collect())
}

fn quoted(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "_@%+=:,./-".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn variable(name: &str, value: &str, sources: &mut SourceMap) -> Spanned<Option<String>> {
    let text = format!("{name}={value}");
    let (start, end) = (name.len() + 1, text.len());
    let source = sources.add(Path::new(VARIABLES), text);
    Spanned::new(Some(value.to_owned()), Place::at(Span { source, start, end }))
}

fn own_user() -> String {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    format!("{}:{}", user.as_raw(), group.as_raw())
}

fn own_groups() -> Vec<String> {
    let groups = rustix::process::getgroups().unwrap_or_default();
    groups.into_iter().map(|group| group.as_raw().to_string()).collect()
}

/// Whether this process may read whatever the mode of a file says. Where that cannot be told, it is not
/// said to keep anything from being read.
fn reads_all() -> bool {
    let status = regular_file::text(Path::new("/proc/self/status"), LONGEST_OF_KERNEL);
    let said = status.ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    });
    said.is_none_or(|effective| effective & READS_ALL != 0)
}

/// What is there of the relative paths that the words, and the values of variables, may mean.
fn present(texts: &[String], start: &Start) -> Vec<ServicePath> {
    let parts = texts.iter().chain(start.environment.values());
    let parts =
        parts.flat_map(|text| text.split(|c: char| c.is_whitespace() || "='\";".contains(c)));
    let is_asked = |part: &&str| {
        !part.is_empty() && !part.starts_with(['/', '-', '$']) && part.len() <= LONGEST_PATH
    };
    let path = |part: &str| clean(&start.working_directory.join(part));
    let mut there: Vec<ServicePath> = parts
        .filter(is_asked)
        .take(MOST_WORDS)
        .map(path)
        .filter(|path| path.exists())
        .map(ServicePath::new)
        .collect();
    there.dedup();
    there
}

/// Where something is mounted in this process's own file system (proc_pid_mountinfo(5)). Blocking.
pub(super) fn mount_points() -> Vec<MountPoint> {
    let table = regular_file::text(Path::new("/proc/self/mountinfo"), LONGEST_OF_KERNEL);
    table.map(|table| table.lines().filter_map(mount_point).collect()).unwrap_or_default()
}

fn mount_point(line: &str) -> Option<MountPoint> {
    let mut fields = line.split(' ').skip(4);
    let (at, options) = (fields.next()?, fields.next()?);
    let read_only = options.split(',').any(|option| option == "ro");
    Some(MountPoint { at: LocalPath::new(unescaped(at)), read_only })
}

/// A path of the table, in which blanks and backslashes are written as three octal digits.
fn unescaped(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;

    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..3).filter(|_| *first == b'\\');
        let code = code.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    PathBuf::from(OsStr::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(words: &[&str], folder: &Path) -> Start {
        Start {
            words: words.iter().map(Into::into).collect(),
            environment: IndexMap::from([("HF_HOME".to_owned(), "/cache".to_owned())]),
            working_directory: folder.to_path_buf(),
        }
    }

    #[test]
    fn every_word_and_variable_has_its_place() {
        let mut sources = SourceMap::default();
        let words = ["/opt/bin/vllm", "serve", "it's here", "--port", "1"];
        let project = project(&start(&words, Path::new("/")), &mut sources);
        let service = project.service("vllm").unwrap();
        let shown = |place: &Place| {
            let span = place.span.unwrap();
            (sources.location(span).to_string(), sources.excerpt(span).to_owned())
        };
        let places: Vec<_> = service.words().map(|word| shown(&word.place)).collect();
        assert_eq!(places[0], ("command line:1:1".to_owned(), "/opt/bin/vllm".to_owned()));
        assert_eq!(places[2], ("command line:1:21".to_owned(), r"'it'\''s here'".to_owned()));
        let home = &service.environment["HF_HOME"];
        assert_eq!(shown(&home.place), ("environment:1:9".to_owned(), "/cache".to_owned()));
    }

    #[test]
    fn a_relative_name_that_is_there_is_known() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join("acme/tiny")).unwrap();
        let words = ["sh", "-c", "exec vllm serve --model=acme/tiny acme/other"];
        let project = project(&start(&words, folder.path()), &mut SourceMap::default());
        let present = &project.services[0].present;
        assert_eq!(*present, [ServicePath::new(folder.path().join("acme/tiny"))]);
    }

    #[test]
    fn the_table_of_mounts_tells_where_nothing_can_be_written() {
        let line = r"36 35 98:0 /mnt1 /my\040models\134x ro,noatime master:1 - ext3 /dev/root rw";
        let point = MountPoint { at: LocalPath::new("/my models\\x"), read_only: true };
        assert_eq!(mount_point(line), Some(point));
        assert!(mount_points().iter().any(|point| point.at.as_path() == Path::new("/")));
        assert_eq!(mount_point("short"), None);
    }
}
