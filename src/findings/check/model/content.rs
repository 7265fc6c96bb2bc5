//! One file after the other: whole, of the right kind, accepted by its loader.

use std::path::Path;

use super::{Subject, build, is_called_gguf, is_weights, opens_gguf_alone, reach, rules, some_of};
use crate::facts::model::FileState;
use crate::facts::model::archive::ArchiveError;
use crate::facts::model::file::WINDOWS;
use crate::facts::model::gguf::{self, GgufError};
use crate::facts::model::safetensors::{self, SafetensorsError};
use crate::facts::model::{Content, Defect, Lookalike, Model, ModelFile, Role, Shape, Split};
use crate::findings::{Finding, Findings, Rule, Severity};
use crate::plan::engine::Reader;

/// Smaller files may well be stored in less than they are long.
const WORTH_A_HOLE: u64 = 1 << 20;

/// A file that is there.
pub(super) fn judge(
    subject: &Subject<'_>,
    model: &Model,
    file: &ModelFile,
    findings: &mut Findings,
) {
    let about = About { subject, model, file };
    match &file.content {
        Content::Denied(why) => subject.denied(&about.shown(), why, findings),
        Content::Unknown(why) => subject.unknown(&about.shown(), why, findings),
        Content::Gguf(header) => about.gguf(header, findings),
        Content::Safetensors(header) => about.safetensors(header, findings),
        Content::Archive | Content::Pickle => about.pickle(findings),
        Content::Broken(defect) => about.broken(defect, findings),
        Content::Document => about.document(findings),
        Content::Absent => {}
    }
    about.holes(findings);
}

/// A file that is not there. Shards are spoken of together.
pub(super) fn missing(
    subject: &Subject<'_>,
    model: &Model,
    file: &ModelFile,
    findings: &mut Findings,
) {
    let rule: &'static Rule = match file.role {
        // Said of the split as a whole.
        Role::Shard if matches!(model.shape, Shape::Split(_)) => return,
        Role::Shard => return missing_shards(subject, model, file, findings),
        Role::Config => &rules::CONFIG_MISSING,
        Role::Weights | Role::Index | Role::Tokenizer | Role::Module | Role::Plain => {
            &rules::FILES_MISSING
        }
    };
    let explained = reach::misnamed(subject, model, file, findings);
    let finding = subject.finding_of_absence(
        rule,
        format!("`{}` is not there", subject.file_shown(model, file).display()),
        subject.how_to_get(&subject.file_on_host(model, file)),
    );
    findings.push(if explained { finding.consequence() } else { finding });
}

/// One finding for all shards, raised at the first of them.
fn missing_shards(subject: &Subject<'_>, model: &Model, file: &ModelFile, findings: &mut Findings) {
    let is_first = |first: &ModelFile| first.name == file.name;
    if !missing_of(model).next().is_some_and(is_first) {
        return;
    }
    let names = missing_names(model);
    let explained = reach::misnamed(subject, model, file, findings);
    let shards = model.files.iter().filter(|file| file.role == Role::Shard).count();
    let message = format!(
        "{} of the {shards} files of weights in `{}` {} missing: {}",
        names.len(),
        subject.shown().display(),
        if names.len() == 1 { "is" } else { "are" },
        some_of(&names)
    );
    let fix = subject.how_to_get(&subject.file_on_host(model, file));
    let finding = subject
        .finding_of_absence(&rules::SHARD_MISSING, message, fix)
        .with("missing", names.join(", "));
    findings.push(if explained { finding.consequence() } else { finding });
}

fn missing_of(model: &Model) -> impl Iterator<Item = &ModelFile> {
    let is_missing = |file: &&ModelFile| file.state() == FileState::Missing;
    model.files.iter().filter(|file| file.role == Role::Shard).filter(is_missing)
}

fn missing_names(model: &Model) -> Vec<String> {
    missing_of(model).map(|file| file.name.display().to_string()).collect()
}

/// A model in several GGUF files.
pub(super) fn split(subject: &Subject<'_>, model: &Model, split: &Split, findings: &mut Findings) {
    let names = missing_names(model);
    let shown = subject.shown();
    if !names.is_empty() {
        let message = format!(
            "{} of the {} parts of `{}` {} missing: {}",
            names.len(),
            split.count,
            shown.display(),
            if names.len() == 1 { "is" } else { "are" },
            some_of(&names)
        );
        let fix = mounted_with_parts(subject, &names)
            .unwrap_or_else(|| subject.how_to_get(&subject.on_host().with_file_name(&names[0])));
        findings.push(
            subject
                .finding_of_absence(&rules::GGUF_SPLIT_INCOMPLETE, message, fix)
                .with("missing", names.join(", ")),
        );
    }
    if let Some(problem) = &split.problem {
        findings.push(subject.finding(
            &rules::GGUF_SPLIT_INCOMPLETE,
            format!("`{}` {problem}", shown.display()),
            "put all parts beside each other under their own names, and name the one that ends in \
             `-00001-of-...` in the service's command",
        ));
    }
}

/// How to mount all parts of a model of which one is mounted alone, where the missing ones lie beside it.
fn mounted_with_parts(subject: &Subject<'_>, missing: &[String]) -> Option<String> {
    let is_beside = |name: &String| subject.artifact.way.unmounted.contains(name);
    let mount = subject.artifact.artifact.located.value.mount.as_ref()?;
    let bind = subject.facts.binds.iter().find(|bind| bind.mount == *mount)?;
    let source = Path::new(&bind.written).parent().filter(|_| missing.iter().all(is_beside))?;
    let (source, target) = (source.display(), mount.target.as_path().parent()?.display());
    Some(format!(
        "mount the folder, in which they lie, instead of the one file: `{source}:{target}`"
    ))
}

/// Unfinished downloads beside the model.
pub(super) fn leftovers(subject: &Subject<'_>, leftovers: &[String], findings: &mut Findings) {
    let Some(unfinished) = unfinished(leftovers) else { return };
    findings.push(subject.finding(
        &rules::PARTIAL_DOWNLOAD,
        format!("beside `{}` {unfinished}", subject.shown().display()),
        "let the download finish or start it again; delete the leftover if the model is whole",
    ));
}

/// What there is of downloads that have not ended; absent: nothing.
pub(super) fn unfinished(leftovers: &[String]) -> Option<String> {
    let what = match leftovers.len() {
        0 => return None,
        1 => "is a file",
        _ => "are files",
    };
    Some(format!("{what} of a download that has not ended: {}", some_of(leftovers)))
}

/// One file of the model, and how to speak of it.
struct About<'a> {
    subject: &'a Subject<'a>,
    model: &'a Model,
    file: &'a ModelFile,
}

impl About<'_> {
    fn shown(&self) -> std::path::PathBuf {
        self.subject.file_shown(self.model, self.file)
    }

    /// A finding whose message begins with the file, and whose fix replaces it.
    fn finding(&self, rule: &'static Rule, what: &str) -> Finding {
        let host = self.subject.file_on_host(self.model, self.file);
        let message = format!("`{}` {what}", self.shown().display());
        self.subject
            .finding(rule, message, self.subject.how_to_replace(&host))
            .with("file", self.file.name.display())
    }

    fn sized(&self, rule: &'static Rule, what: &str, expected: u64, actual: u64) -> Finding {
        self.finding(rule, what).with("expected_bytes", expected).with("actual_bytes", actual)
    }

    /// Says of an architecture without a table what it was not judged by.
    fn by_general_rules(&self, header: &gguf::Header, findings: &mut Findings) {
        let architecture = header.metadata.architecture.as_deref().unwrap_or_default();
        if header.is_laid_out()
            || !header.metadata.is_model()
            || !gguf::architectures::is_known(architecture)
        {
            return;
        }
        let message = format!(
            "`{}` is of the architecture `{architecture}`: which entries and tensors that one needs is \
             not known here",
            self.shown().display()
        );
        findings.push(self.subject.finding(&rules::TAKEN_ON_TRUST, message, "nothing"));
    }

    fn gguf(&self, header: &gguf::Header, findings: &mut Findings) {
        let (expected, actual) = (header.expected_size, header.actual_size);
        if let Some(outside) = &header.outside {
            let what = format!(
                "has {actual} of at least {expected} bytes: the data of tensor `{}` ends at byte {}",
                outside.tensor, outside.end
            );
            let finding = self.sized(&rules::FILE_TRUNCATED, &what, expected, actual);
            findings.push(finding.with("tensor", &outside.tensor));
        }
        let is_told = |refused: &&GgufError| !self.is_said_by_command(refused);
        if let Some(refused) = header.refused.as_ref().filter(is_told) {
            findings.push(self.finding(&rules::GGUF_INVALID, &refused.to_string()));
        }
        let forgotten = header.forgotten();
        if let Some(name) = forgotten.filter(|name| !build::answers(self.subject, name)) {
            let what = format!("has {}, which ggml has removed", name.shown());
            findings.push(self.finding(&rules::GGUF_INVALID, &what));
        }
        self.by_general_rules(header, findings);
        let trailing = header.trailing_bytes();
        // Behind a tensor of a type that is not known the end is not known either.
        if trailing > 0 && header.newer.is_empty() {
            let what = format!("has {trailing} bytes behind its end at byte {expected}");
            let finding = self.sized(&rules::FILE_TOO_LONG, &what, expected, actual);
            findings.push(finding.severity(Severity::Warning));
        }
    }

    /// Whether what the loader misses is a key that the command says, or follows from one; with another
    /// architecture it misses something else.
    fn is_said_by_command(&self, refused: &GgufError) -> bool {
        let overrides = |key: &str| self.subject.overrides_key(key);
        let is_other = || overrides("general.architecture");
        match refused.key() {
            Some(key) => overrides(key) || is_other(),
            None => self.subject.overrides_shape(),
        }
    }

    fn safetensors(&self, header: &safetensors::Header, findings: &mut Findings) {
        let (expected, actual) = (header.expected_size, header.actual_size);
        let rule = match actual.cmp(&expected) {
            std::cmp::Ordering::Equal => return,
            std::cmp::Ordering::Less => &rules::FILE_TRUNCATED,
            std::cmp::Ordering::Greater => &rules::FILE_TOO_LONG,
        };
        let what = format!("has {actual} bytes, and its header describes {expected}");
        findings.push(self.sized(rule, &what, expected, actual));
    }

    fn pickle(&self, findings: &mut Findings) {
        if !is_weights(self.file.role) {
            return;
        }
        // Of a lane of llama.cpp it is said already.
        if is_called_gguf(self.file) && !opens_gguf_alone(self.subject) {
            return findings.push(self.finding(&rules::NOT_A_MODEL, "is not a GGUF file"));
        }
        let message = format!(
            "`{}` is a Python pickle, which can run code when loaded",
            self.shown().display()
        );
        findings.push(self.subject.finding(
            &rules::UNSAFE_PICKLE,
            message,
            "use a revision of the model that has `.safetensors` files, or convert it",
        ));
    }

    /// A number that only Python reads.
    fn document(&self, findings: &mut Findings) {
        let reader = self.subject.models().map(|models| models.documents.reader);
        let is_strict = matches!(reader, Some(Reader::Strict));
        if let Some(number) = self.file.python_number.filter(|_| is_strict) {
            let engine = self.subject.engine();
            let what = format!("says `{number}`, which is no JSON, so {engine} cannot read it");
            findings.push(self.finding(self.document_rule(), &what));
        }
    }

    fn broken(&self, defect: &Defect, findings: &mut Findings) {
        let finding = match defect {
            Defect::Lookalike(lookalike) => self.lookalike(lookalike),
            Defect::Gguf(error @ GgufError::Ends { .. }) => {
                self.finding(&rules::FILE_TRUNCATED, &error.to_string())
            }
            Defect::Gguf(error) => self.finding(&rules::GGUF_INVALID, &error.to_string()),
            Defect::Safetensors(
                error @ (SafetensorsError::HeaderEnds { .. } | SafetensorsError::TooSmall { .. }),
            ) => self.finding(&rules::FILE_TRUNCATED, &error.to_string()),
            Defect::Safetensors(error) => {
                self.finding(&rules::SAFETENSORS_INVALID, &error.to_string())
            }
            Defect::Archive(_) if is_called_gguf(self.file) => self.lookalike(&Lookalike::Zip),
            Defect::Archive(error @ ArchiveError::NoEnd) => {
                self.finding(&rules::FILE_TRUNCATED, &error.to_string())
            }
            Defect::Archive(error) => self.finding(&rules::FILE_CORRUPT, &error.to_string()),
            Defect::Document(why) => {
                self.finding(self.document_rule(), &format!("cannot be read: {why}"))
            }
        };
        findings.push(finding);
    }

    fn lookalike(&self, lookalike: &Lookalike) -> Finding {
        let is = format!("is {lookalike}");
        match lookalike {
            Lookalike::Pointer { oid, size } => self.pointer(oid, *size),
            Lookalike::Empty => self.finding(&rules::FILE_TRUNCATED, "is empty"),
            Lookalike::Zeros => self.finding(&rules::FILE_CORRUPT, &is),
            Lookalike::Html
            | Lookalike::Json
            | Lookalike::Zip
            | Lookalike::Compressed
            | Lookalike::OldGgml
            | Lookalike::Gguf
            | Lookalike::Safetensors
            | Lookalike::Folder
            | Lookalike::Unrecognised(_) => {
                if is_weights(self.file.role) {
                    self.no_model(&is)
                } else {
                    self.finding(self.document_rule(), &is)
                }
            }
        }
    }

    /// Something else under the name of a model is to be downloaded again, and something else that is
    /// named for a model is the wrong name.
    fn no_model(&self, is: &str) -> Finding {
        let finding = self.finding(&rules::NOT_A_MODEL, &format!("{is} and not a model"));
        let is_misnamed = opens_gguf_alone(self.subject)
            && !is_called_gguf(self.file)
            && self.subject.facts.lane.source.is_none();
        if is_misnamed {
            Finding { fix: "name a GGUF file in the service's command".to_owned(), ..finding }
        } else {
            finding
        }
    }

    fn pointer(&self, oid: &str, size: Option<u64>) -> Finding {
        let stands_for = match size {
            Some(size) => format!("for a file of {size} bytes"),
            None => "for another file".to_owned(),
        };
        let host = self.subject.file_on_host(self.model, self.file);
        // A name without a folder has an empty one above it.
        let folder = host.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new(".")).display().to_string();
        let message =
            format!("`{}` is a git-lfs pointer that stands {stands_for}", self.shown().display());
        let fix = match &self.subject.facts.lane.source {
            Some(_) => self.subject.how_to_replace(&host),
            None => format!("run `git -C '{folder}' lfs pull`"),
        };
        self.subject
            .finding(&rules::LFS_POINTER, message, fix)
            .with("file", self.file.name.display())
            .with("oid", oid)
    }

    fn document_rule(&self) -> &'static Rule {
        match self.file.role {
            Role::Config | Role::Module => &rules::CONFIG_INVALID,
            Role::Index => &rules::INDEX_MISMATCH,
            Role::Weights | Role::Shard | Role::Tokenizer | Role::Plain => &rules::FILE_CORRUPT,
        }
    }

    /// One window may lie in a tensor that is zero for a reason.
    fn zeros(&self, findings: &mut Findings) {
        let zeros = self.file.zero_windows;
        if zeros < 2 {
            return;
        }
        let message = format!(
            "`{}` holds nothing but zeros in {zeros} of the {WINDOWS} places that were sampled",
            self.shown().display()
        );
        let lane = &self.subject.facts.lane;
        let fix = format!("run `{}`", lane.verify_command());
        findings.push(self.subject.finding(&rules::ZEROS_IN_DATA, message, fix));
    }

    fn holes(&self, findings: &mut Findings) {
        let (Some(size), Some(allocated)) = (self.file.size, self.file.allocated) else { return };
        // An eighth may be what a file system's own compression saves on weights.
        if size < WORTH_A_HOLE || allocated >= size - size / 8 {
            return self.zeros(findings);
        }
        let message = format!(
            "`{}` has {size} bytes, and only {allocated} of them are on the disk",
            self.shown().display()
        );
        let finding = self.subject.finding(
            &rules::SPARSE_FILE,
            message,
            format!("run `{}`", self.subject.facts.lane.verify_command()),
        );
        findings.push(finding.with("size_bytes", size).with("allocated_bytes", allocated));
    }
}
