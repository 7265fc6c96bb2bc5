//! What runs before an engine, and may bring the files which that opens.

use std::path::{Path, PathBuf};

use crate::path::{ServicePath, clean};
use crate::plan::engine::shell::{self, Scope};
use crate::plan::engine::words::{Environment, Word};
use crate::project::Service;
use crate::source_map::Place;

/// Programs that bring files, each with the words of which it needs one for that; none: it always does.
const BRINGS: [(&str, &[&str]); 24] = [
    ("aria2c", &[]),
    ("aws", &["cp", "sync"]),
    ("azcopy", &["copy", "sync"]),
    ("cp", &[]),
    ("curl", &["-o", "-O", "--output", "--remote-name", "--output-dir"]),
    ("gcloud", &["cp", "rsync"]),
    ("git", &["clone", "lfs", "pull"]),
    ("gsutil", &["cp", "rsync"]),
    ("gunzip", &[]),
    ("hf", &["download"]),
    ("huggingface-cli", &["download"]),
    ("ln", &[]),
    ("mc", &["cp", "mirror"]),
    ("modelscope", &["download"]),
    ("mv", &[]),
    ("oras", &["pull"]),
    ("preflight", &["fetch"]),
    ("rclone", &["copy", "copyto", "sync"]),
    ("rsync", &[]),
    ("s5cmd", &["cp", "sync"]),
    ("tar", &[]),
    ("unzip", &[]),
    ("wget", &[]),
    ("zstd", &[]),
];

/// What programs are called that are not known, and bring files.
const CALLED: [&str; 6] = ["download", "fetch", "get", "pull", "sync", "prepare"];

/// Programs that never bring what their words are about.
const READS: [&str; 20] = [
    "apk",
    "apt",
    "apt-get",
    "chgrp",
    "chmod",
    "chown",
    "du",
    "echo",
    "find",
    "grep",
    "jq",
    "ls",
    "mkdir",
    "mountpoint",
    "nc",
    "pip",
    "pip3",
    "rm",
    "sha256sum",
    "stat",
];

/// Words in front of a program.
const WRAPPERS: [&str; 6] = ["command", "env", "exec", "nohup", "sudo", "time"];

/// A program that runs before an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// What it is called.
    pub program: String,
    /// The words behind it, as far as they are known.
    words: Vec<String>,
    /// The files that its output goes to.
    written: Vec<String>,
    /// The folder that it runs in; absent: not known.
    folder: Option<PathBuf>,
    /// Whether a part of it is not known.
    is_open: bool,
    /// Where it is written.
    pub place: Place,
}

/// Whether a program brings a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Brings {
    /// It may: what it does is not known.
    Perhaps,
    /// Its words say so.
    Said,
}

impl Earlier {
    /// The program that these words start, whose output goes to the files `written`, in `folder`; absent:
    /// there is none.
    pub(super) fn of(words: &[Word], written: &[Word], folder: Option<&Path>) -> Option<Self> {
        let is_in_front = |word: &&Word| {
            WRAPPERS.contains(&word.program())
                || word.text.split('/').next().is_some_and(is_setting)
        };
        let skipped = words.iter().take_while(is_in_front).count();
        let (program, rest) = words.get(skipped..)?.split_first()?;
        let texts = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect();
        Some(Self {
            program: program.program().to_owned(),
            words: texts(rest),
            written: texts(written),
            folder: folder.map(Path::to_path_buf),
            is_open: words.iter().chain(written).any(|word| word.unknown.is_some()),
            place: program.place.clone(),
        })
    }

    /// Whether it brings `path`; absent: it does not.
    #[must_use]
    pub fn brings(&self, path: &ServicePath) -> Option<Brings> {
        let is_about = |words: &[String]| words.iter().any(|word| self.is_about(word, path));
        if is_about(&self.written) {
            return Some(Brings::Said);
        }
        if READS.contains(&self.program.as_str()) {
            return None;
        }
        let is_known = BRINGS.iter().find(|(program, _)| *program == self.program);
        let is_bringer = match is_known {
            Some((_, needed)) => needed.is_empty() || self.words.iter().any(|it| has(it, needed)),
            None => self.is_called_so(),
        };
        if !is_bringer {
            None
        } else if is_about(&self.words) {
            Some(Brings::Said)
        } else {
            (self.is_open || is_known.is_none()).then_some(Brings::Perhaps)
        }
    }

    /// Whether it, or what it is given, is called as programs are that bring files.
    fn is_called_so(&self) -> bool {
        let mut texts = std::iter::once(&self.program).chain(&self.words);
        texts.any(|text| {
            let text = text.to_ascii_lowercase();
            CALLED.iter().any(|name| text.contains(name))
        })
    }

    /// The path itself in whatever words, a folder above it as a word of its own, or an address that ends
    /// in its name.
    fn is_about(&self, word: &str, path: &ServicePath) -> bool {
        let own = path.as_path();
        if own.to_str().is_some_and(|own| word.contains(own)) {
            return true;
        }
        if let Some((_, address)) = word.split_once("://") {
            let address = address.split(['?', '#']).next().unwrap_or(address);
            let last = address.rsplit('/').next();
            return last.is_some() && last == own.file_name().and_then(|name| name.to_str());
        }
        let value = word.split_once('=').map_or(word, |(_, value)| value);
        if value.is_empty() || value.starts_with('-') {
            return false;
        }
        let folder = self.folder.as_deref().unwrap_or(Path::new(""));
        let meant = clean(&folder.join(value));
        let mut above = own.ancestors().filter(|folder| folder.parent().is_some());
        above.any(|folder| folder == meant)
    }
}

fn is_setting(text: &str) -> bool {
    let name = text.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && !name.starts_with('-'))
}

/// Whether a word is one of these, or several flags of one letter with one of them.
fn has(word: &str, needed: &[&str]) -> bool {
    let letters = word.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    needed.iter().any(|flag| {
        let letter = flag.strip_prefix('-').filter(|letter| letter.len() == 1);
        word == *flag
            || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
            || letters.zip(letter).is_some_and(|(letters, letter)| letters.contains(letter))
    })
}

/// The programs that `service` runs. What an image runs by itself is called as the service and its image.
#[must_use]
pub fn programs(service: &Service) -> Vec<Earlier> {
    let words: Vec<Word> =
        service.words().map(|word| Word::known(word.value.as_str(), &word.place)).collect();
    let folder = service.working_dir.as_ref().map(ServicePath::as_path);
    let Some(first) = words.first().filter(|word| !word.text.starts_with('-')) else {
        return by_image(service, &words).into_iter().collect();
    };
    let is_command = |word: &Word| word.text.starts_with('-') && word.text.ends_with('c');
    let script = words.iter().position(is_command).and_then(|at| words.get(at + 1));
    match script.filter(|_| first.is_shell()) {
        Some(script) => in_script(service, script),
        None => Earlier::of(&words, &[], folder).into_iter().collect(),
    }
}

fn by_image(service: &Service, words: &[Word]) -> Option<Earlier> {
    let image = service.image.as_ref()?;
    let name = image.value.rsplit('/').next()?.split([':', '@']).next()?;
    let texts = words.iter().map(|word| word.text.clone());
    Some(Earlier {
        program: name.to_owned(),
        words: texts.chain([service.name.value.clone()]).collect(),
        written: Vec::new(),
        folder: service.working_dir.as_ref().map(|folder| folder.as_path().to_path_buf()),
        is_open: words.is_empty(),
        place: image.place.clone(),
    })
}

fn in_script(service: &Service, script: &Word) -> Vec<Earlier> {
    let environment = Environment::new(service, &[]);
    let scope = Scope {
        environment: &environment,
        arguments: &[],
        place: &script.place,
        unset_is_empty: false,
    };
    let mut folder = service.working_dir.as_ref().map(|folder| folder.as_path().to_path_buf());
    let mut programs = Vec::new();
    for command in &shell::parse(&script.text).commands {
        let assigned = command.words.iter().map_while(shell::assignment).count();
        let words = scope.words(command.words.get(assigned..).unwrap_or_default());
        if let [program, target, ..] = words.as_slice()
            && program.is("cd")
        {
            folder = after(folder, target);
        }
        programs.extend(Earlier::of(&words, &scope.words(&command.written), folder.as_deref()));
    }
    programs
}

/// The folder after `cd`; absent: it is not known.
pub(super) fn after(folder: Option<PathBuf>, target: &Word) -> Option<PathBuf> {
    let target = Some(target).filter(|word| word.unknown.is_none())?;
    let is_whole = Path::new(&target.text).is_absolute();
    let folder = if is_whole { Some(PathBuf::new()) } else { folder };
    folder.map(|folder| clean(&folder.join(&target.text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, path: &str, expected: Option<Brings>) {
        let word = |text: &str| {
            let unknown = text.contains('$').then(|| "not known".to_owned());
            Word { unknown, ..Word::known(text, &Place::nowhere()) }
        };
        let words: Vec<Word> = line.split(' ').map(word).collect();
        let earlier = Earlier::of(&words, &[], Some(Path::new("/models"))).unwrap();
        assert_eq!(earlier.brings(&ServicePath::new(path)), expected, "{line} {path}");
    }

    #[test]
    fn a_program_brings_what_its_words_are_about() {
        for line in [
            "curl -Lo /models/m.gguf https://a.invalid/x",
            "curl -fsSLo m.gguf https://a.invalid/x",
            "curl -LO https://a.invalid/m.gguf?download=true",
            "wget -P /models https://a.invalid/x",
            "wget https://a.invalid/x/m.gguf?download=true -O m.gguf",
            "hf download o/r --local-dir=/models/",
            "hf download o/r --local-dir .",
            "env A=1 curl -Lo /models/m.gguf https://a.invalid/x",
            "python3 -c download('/models/m.gguf')",
            "preflight fetch hf://o/r /models",
        ] {
            check(line, "/models/m.gguf", Some(Brings::Said));
        }
    }

    #[test]
    fn a_program_that_is_not_known_may_bring_something_if_it_is_called_so() {
        for line in
            ["/scripts/download.sh", "python3 /opt/fetch.py", "hf download o/r --local-dir $DIR"]
        {
            check(line, "/models/m.gguf", Some(Brings::Perhaps));
        }
        for line in [
            "curl -sf http://$HOST:8080/ready",
            "curl -Lo /tmp/other.json https://a.invalid/x",
            "huggingface-cli login --token $HF_TOKEN",
            "wait-for-it.sh $REDIS:6379",
            "sha256sum /models/m.gguf",
            "jq . /models/m.gguf",
            "ls -la /models",
            "git config --global --add safe.directory /models",
            "mc alias set s3 $URL",
            "python3 -c os.path.exists('/models/m.gguf')",
            "python3 register.py --ip $IP",
            "python manage.py migrate",
        ] {
            check(line, "/models/m.gguf", None);
        }
    }

    #[test]
    fn what_is_written_to_a_file_is_brought_by_whatever_writes_it() {
        let word = |text: &str| Word::known(text, &Place::nowhere());
        let earlier =
            Earlier::of(&[word("cat"), word("a")], &[word("/models/m.gguf")], None).unwrap();
        assert_eq!(earlier.brings(&ServicePath::new("/models/m.gguf")), Some(Brings::Said));
    }
}
