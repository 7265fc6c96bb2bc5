//! What runs before an engine, and may bring the files which that opens.

mod caches;

use std::path::{Path, PathBuf};

use crate::path::{ServicePath, clean};
use crate::plan::engine::image::Image;
use crate::plan::engine::launch;
use crate::plan::engine::words::Word;
use crate::project::Service;
use crate::source_map::Place;

/// What a program writes to.
#[derive(Clone, Copy)]
enum Target {
    /// What its last word names, or the word behind `-t`.
    Last,
    /// What stands behind one of these, else the folder that it runs in.
    Behind(&'static [&'static str]),
}

/// Programs that bring files: each with the words of which it needs one for that (none: it always does),
/// and where to.
const BRINGS: [(&str, &[&str], Target); 29] = [
    ("7z", &["x", "e"], Target::Behind(&["-o"])),
    ("aria2c", &[], Target::Behind(&["-d", "--dir", "-o", "--out"])),
    ("aws", &["cp", "sync"], Target::Last),
    ("azcopy", &["copy", "sync"], Target::Last),
    ("cp", &[], Target::Last),
    (
        "curl",
        &["-o", "-O", "--output", "--remote-name"],
        Target::Behind(&["-o", "--output", "--output-dir"]),
    ),
    ("dd", &[], Target::Behind(&["of"])),
    ("gcloud", &["cp", "rsync"], Target::Last),
    ("git", &["clone", "lfs", "pull"], Target::Last),
    ("gsutil", &["cp", "rsync"], Target::Last),
    ("gunzip", &[], Target::Last),
    ("hf", &["download"], Target::Behind(&["--local-dir"])),
    ("huggingface-cli", &["download"], Target::Behind(&["--local-dir"])),
    ("install", &[], Target::Last),
    ("ln", &[], Target::Last),
    ("mc", &["cp", "mirror"], Target::Last),
    ("modelscope", &["download"], Target::Behind(&["--local_dir", "--local-dir"])),
    ("mv", &[], Target::Last),
    ("oras", &["pull"], Target::Behind(&["-o", "--output"])),
    ("preflight", &["fetch"], Target::Last),
    ("rclone", &["copy", "copyto", "sync"], Target::Last),
    ("rsync", &[], Target::Last),
    ("s5cmd", &["cp", "sync"], Target::Last),
    ("scp", &[], Target::Last),
    (
        "tar",
        &["-x", "--extract", "xf", "xzf", "xvf", "xzvf", "zxf", "zxvf"],
        Target::Behind(&["-C", "--directory"]),
    ),
    ("tee", &[], Target::Last),
    ("unzip", &[], Target::Behind(&["-d"])),
    ("wget", &[], Target::Behind(&["-O", "--output-document", "-P", "--directory-prefix"])),
    ("xz", &["-d", "--decompress"], Target::Last),
];

/// What programs are called that are not known, and bring files.
const CALLED: [&str; 6] = ["download", "fetch", "get", "pull", "sync", "prepare"];

/// Programs that never bring what their words are about.
const READS: [&str; 32] = [
    "[",
    "[[",
    "apk",
    "apt",
    "apt-get",
    "cat",
    "cd",
    "chgrp",
    "chmod",
    "chown",
    "df",
    "du",
    "echo",
    "file",
    "git",
    "grep",
    "head",
    "jq",
    "ls",
    "md5sum",
    "mkdir",
    "mountpoint",
    "nc",
    "pip",
    "pip3",
    "rm",
    "rmdir",
    "sha256sum",
    "stat",
    "tail",
    "test",
    "tree",
];

/// Programs that only pass the time, and what sets a shell up.
const WAITS: [&str; 7] = ["exit", "export", "false", "set", "sleep", "true", "wait"];

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
        let is_it = |(program, needed, _): &&(&str, &[&str], Target)| {
            *program == self.program
                && (needed.is_empty() || self.words.iter().any(|word| has(word, needed)))
        };
        let Some((_, _, target)) = BRINGS.iter().find(is_it) else {
            let is_known = BRINGS.iter().any(|(program, _, _)| *program == self.program);
            let may = self.is_called_so() || is_about(&self.words);
            let reads = is_known || READS.contains(&self.program.as_str());
            return (may && !reads).then_some(Brings::Perhaps);
        };
        let targets = self.targets(*target);
        if is_about(&targets) {
            return Some(Brings::Said);
        }
        if targets.is_empty() && self.runs_above(path) {
            let said = self.words.iter().any(|word| self.is_called(word, path));
            return Some(if said { Brings::Said } else { Brings::Perhaps });
        }
        self.is_open.then_some(Brings::Perhaps)
    }

    /// What it writes to, by its words; empty: the folder that it runs in.
    fn targets(&self, target: Target) -> Vec<String> {
        match target {
            Target::Last => {
                let of = self.behind(&["-t", "--target-directory"]);
                let last = self.words.iter().rev().find(|word| !word.starts_with('-'));
                if of.is_empty() { last.cloned().into_iter().collect() } else { of }
            }
            Target::Behind(flags) => self.behind(flags),
        }
    }

    /// The values of these flags, behind them or joined to them.
    fn behind(&self, flags: &[&str]) -> Vec<String> {
        let next = self.words.iter().skip(1).map(Some).chain([None]);
        let values = self.words.iter().zip(next).filter_map(|(word, next)| {
            let joined = flags.iter().find_map(|flag| {
                let rest = word.strip_prefix(flag)?;
                let is_short = flag.len() == 2 && flag.starts_with('-');
                rest.strip_prefix('=').or(Some(rest).filter(|rest| is_short && !rest.is_empty()))
            });
            let is_before = has(word, flags) && word.starts_with('-');
            match joined.filter(|rest| rest.contains('/') || !is_before) {
                Some(value) => Some(value.to_owned()),
                None if is_before => next.cloned(),
                None => None,
            }
        });
        values.collect()
    }

    /// Whether it runs in a folder above `path`.
    fn runs_above(&self, path: &ServicePath) -> bool {
        let folder = self.folder.as_deref().filter(|folder| folder.parent().is_some());
        folder.is_some_and(|folder| path.as_path().starts_with(folder))
    }

    /// Whether a word, or the last part of an address, is the name of `path`.
    fn is_called(&self, word: &str, path: &ServicePath) -> bool {
        let plain = word.split(['?', '#']).next().unwrap_or(word);
        let own = path.as_path().file_name().and_then(|name| name.to_str());
        own.is_some() && plain.rsplit('/').next() == own
    }

    /// Whether it is called as programs are that bring files.
    fn is_bringer(&self) -> bool {
        let is_known = BRINGS.iter().any(|(program, _, _)| *program == self.program);
        is_known || CALLED.iter().any(|name| self.program.contains(name))
    }

    /// Whether it is known to serve nothing: it waits, prints, or brings files.
    pub(super) fn serves_nothing(&self) -> bool {
        let program = self.program.as_str();
        WAITS.contains(&program) || READS.contains(&program) || self.is_bringer()
    }

    /// Whether it, or what it is given, is called as programs are that bring files.
    fn is_called_so(&self) -> bool {
        let mut texts = std::iter::once(&self.program).chain(&self.words);
        texts.any(|text| {
            let text = text.to_ascii_lowercase();
            CALLED.iter().any(|name| text.contains(name))
        })
    }

    /// The path itself in whatever words, or a folder above it as a word of its own.
    fn is_about(&self, word: &str, path: &ServicePath) -> bool {
        let own = path.as_path();
        if own.to_str().is_some_and(|own| word.contains(own)) {
            return true;
        }
        let value = word.split_once('=').map_or(word, |(_, value)| value);
        if value.is_empty() || value.starts_with('-') || value.contains("://") {
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

/// The programs that `service` runs, which starts no engine. What an image runs by itself is called as it.
#[must_use]
pub fn programs(service: &Service) -> Vec<Earlier> {
    let of_scripts = launch::programs(service);
    if !of_scripts.is_empty() {
        return of_scripts;
    }
    let words = words_of(service);
    let is_program = words.first().is_some_and(|word| !word.text.starts_with('-'));
    let by_image = by_image(service, &words).filter(|it| !is_program || it.is_bringer());
    let own = own_program(service).filter(|_| is_program);
    own.into_iter().chain(by_image.filter(|_| service.entrypoint.is_none())).collect()
}

/// All that the words of `service` run, whatever its image runs by itself; empty: that is not known.
pub(super) fn all_programs(service: &Service) -> Vec<Earlier> {
    match launch::all_programs(service) {
        Some(of_scripts) if of_scripts.is_empty() => own_program(service).into_iter().collect(),
        of_scripts => of_scripts.unwrap_or_default(),
    }
}

fn own_program(service: &Service) -> Option<Earlier> {
    let folder = service.working_dir.as_ref().map(ServicePath::as_path);
    Earlier::of(&words_of(service), &[], folder)
}

fn words_of(service: &Service) -> Vec<Word> {
    service.words().map(|word| Word::known(word.value.as_str(), &word.place)).collect()
}

fn by_image(service: &Service, words: &[Word]) -> Option<Earlier> {
    let image = service.image.as_ref()?;
    let texts = words.iter().map(|word| word.text.clone());
    // What has no words at all says by its name what it is for.
    let name = Some(service.name.value.clone()).filter(|_| words.is_empty());
    Some(Earlier {
        program: Image::parse(&image.value).name().to_owned(),
        words: name.into_iter().chain(texts).collect(),
        written: Vec::new(),
        folder: service.working_dir.as_ref().map(|folder| folder.as_path().to_path_buf()),
        is_open: words.is_empty(),
        place: image.place.clone(),
    })
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
            "preflight fetch hf://o/r /models",
            "dd if=/data/m of=/models/m.gguf",
            "install -m 644 /data/m.gguf /models/m.gguf",
            "cp -t /models /data/m.gguf",
            "aws s3 cp s3://b/m.gguf /models/",
            "tar -xf /data/m.tar -C /models",
            "xz -d /models/m.gguf.xz",
            "tee /models/m.gguf",
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
            "cp /models/m.gguf /tmp/backup.gguf",
            "mv /models/m.gguf /tmp/x",
            "tar czf /data/b.tgz /models",
            "ln -sf /models/m.gguf /tmp/cur.gguf",
            "rsync -a /models/ /data/",
            "curl -d @/models/m.gguf -o /dev/null https://a.invalid/x",
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
