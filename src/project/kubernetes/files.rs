//! Which files may be manifests, and what becomes of those of a folder that are none.

use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::templates;
use crate::limits::{LONGEST_MANIFESTS, LONGEST_PROJECT_TEXT, MOST_MANIFESTS};
use crate::options::ProjectOptions;
use crate::path::clean;
use crate::project::compose::fault::Fault;
use crate::project::compose::files;
use crate::project::compose::loader::Loader;
use crate::project::{Remark, RemarkKind};
use crate::regular_file;
use crate::source_map::{Place, SourceId};

/// What files of manifests end in, in a folder of them.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Folders of manifests are looked into so deep.
const DEEPEST: usize = 8;

/// How much of a file that is too long for Compose shows whether it is none of its own.
const HEAD: u64 = 64 << 10;

/// What there is to do about manifests that are too many.
pub(super) const TAKE_LESS: &str = "name the files of the engines alone, with `-f FILE`";

/// What kind definitions of custom resources are, in a line of their own.
const DEFINITION: &str = "kind: CustomResourceDefinition";

/// A text that was read.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) source: SourceId,
    pub(super) text: String,
    /// Whether it is one of a folder, and nobody names it.
    pub(super) in_folder: bool,
}

/// Everything that was read.
pub(super) struct Texts {
    pub(super) files: Vec<File>,
    /// The first folder that is named.
    pub(super) folder: Option<PathBuf>,
    pub(super) left_out: LeftOut,
}

/// The texts that `options` name; absent: one cannot be read, which is told by whoever needs it.
pub(super) fn read(
    options: &ProjectOptions,
    loader: &mut Loader<'_>,
) -> Result<Option<Texts>, Fault> {
    let here = clean(&options.working_directory);
    let mut texts = Texts { files: Vec::new(), folder: None, left_out: LeftOut::default() };
    let mut paths: Vec<(PathBuf, bool)> = Vec::new();
    for file in &options.files {
        let path = if is_named_otherwise(file) { file.clone() } else { clean(&here.join(file)) };
        match loader.local(&path).filter(|local| local.is_dir()) {
            Some(local) => {
                texts.folder.get_or_insert_with(|| file.clone());
                let mut found = Vec::new();
                collect(&path, &local, DEEPEST, &mut found)?;
                paths.extend(found.into_iter().map(|path| (path, true)));
            }
            None => paths.push((path, false)),
        }
    }
    for (path, in_folder) in paths {
        if in_folder || path == Path::new("-") || is_long_manifest(&path, loader) {
            make_room(&texts.files, loader);
        }
        let (source, text) = match loader.read(&path) {
            Ok(read) => read,
            Err(fault) if in_folder => {
                texts.left_out.add_unread(&loader.shown(&path), fault)?;
                continue;
            }
            // Standard input is read once.
            Err(fault) if path == Path::new("-") => return Err(too_long(fault)),
            Err(_) => return Ok(None),
        };
        texts.files.push(File { path, source, text, in_folder });
    }
    Ok(Some(texts))
}

/// Whether a file of the command line is no path: standard input, or what Compose would fetch.
fn is_named_otherwise(file: &Path) -> bool {
    file == Path::new("-") || files::is_remote(&file.to_string_lossy())
}

/// Whether a file is too long for a Compose file, and begins as a manifest does.
fn is_long_manifest(path: &Path, loader: &Loader<'_>) -> bool {
    let begins = |local: PathBuf| {
        let file = regular_file::open(&local).ok()?;
        let is_long = file.metadata().ok()?.len() > LONGEST_PROJECT_TEXT;
        let mut head = Vec::new();
        file.take(HEAD).read_to_end(&mut head).ok()?;
        Some(is_long && can_be(&String::from_utf8_lossy(&head)))
    };
    loader.local(path).and_then(begins) == Some(true)
}

fn make_room(files: &[File], loader: &mut Loader<'_>) {
    let taken: u64 = files.iter().map(|file| file.text.len() as u64).sum();
    loader.make_room(LONGEST_MANIFESTS.saturating_sub(taken));
}

/// Leaves files of which so many bytes were read to whoever reads Compose files.
pub(super) fn leave(taken: u64, loader: &mut Loader<'_>) -> Result<(), Fault> {
    let Some(left) = LONGEST_PROJECT_TEXT.checked_sub(taken) else {
        let message = format!("`-` is larger than {LONGEST_PROJECT_TEXT} bytes");
        let source = io::Error::new(ErrorKind::FileTooLarge, message);
        return Err(Fault::Read { path: PathBuf::from("-"), source });
    };
    loader.make_room(left);
    Ok(())
}

/// What is said of a text that is longer than there is room for.
fn too_long(fault: Fault) -> Fault {
    match fault {
        Fault::Read { source, .. } if source.kind() == ErrorKind::FileTooLarge => {
            let most = LONGEST_MANIFESTS >> 20;
            Fault::whole(format!("the manifests have more than {most} MiB")).hint(TAKE_LESS)
        }
        Fault::Text { .. }
        | Fault::Unsupported { .. }
        | Fault::Read { .. }
        | Fault::NotFound { .. } => fault,
    }
}

/// Whether there can be a manifest in a text.
pub(super) fn can_be(text: &str) -> bool {
    text.contains("apiVersion") && text.contains("kind")
}

fn collect(
    folder: &Path,
    local: &Path,
    depth: usize,
    paths: &mut Vec<PathBuf>,
) -> Result<(), Fault> {
    let unread = |source| Fault::Read { path: folder.to_path_buf(), source };
    let mut names = Vec::new();
    for entry in fs_err::read_dir(local).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let kind = entry.file_type().map_err(unread)?;
        names.push((entry.file_name(), kind.is_dir()));
    }
    names.sort();
    for (name, is_folder) in names {
        let is_hidden = name.to_string_lossy().starts_with('.');
        let path = folder.join(&name);
        let is_file = path.extension().is_some_and(|it| ENDINGS.iter().any(|known| it == *known));
        if is_folder && depth > 0 && !is_hidden {
            collect(&path, &local.join(&name), depth - 1, paths)?;
        } else if !is_folder && is_file && !is_hidden {
            paths.push(path);
        }
        if paths.len() > MOST_MANIFESTS {
            let folder = folder.display();
            return Err(Fault::whole(format!(
                "there are more than {MOST_MANIFESTS} files of manifests in `{folder}`"
            ))
            .hint(TAKE_LESS));
        }
    }
    Ok(())
}

/// A text without what its definitions of custom resources define: they run nothing, and are long. All else
/// stays where it is.
pub(super) fn without_definitions(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut document = String::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with("---") {
            add_unless_definition(&mut kept, &document);
            document.clear();
        }
        document.push_str(line);
    }
    add_unless_definition(&mut kept, &document);
    kept
}

fn add_unless_definition(kept: &mut String, document: &str) {
    let is_definition = document.lines().any(|line| line.trim_end() == DEFINITION);
    let blank = |byte: u8| if byte == b'\n' { '\n' } else { ' ' };
    for line in document.split_inclusive('\n') {
        let says_what = ["---", "apiVersion:", "kind:"].iter().any(|key| line.starts_with(key));
        if is_definition && !says_what {
            kept.extend(line.bytes().map(blank));
        } else {
            kept.push_str(line);
        }
    }
}

/// Files of folders that are not judged: `kubectl apply -R -f` tells of them as well, and takes the others.
#[derive(Default)]
pub(super) struct LeftOut {
    templates: Vec<(String, Place)>,
    others: Vec<Remark>,
    first: Option<Fault>,
}

impl LeftOut {
    /// Leaves out a file that cannot be read.
    fn add_unread(&mut self, shown: &Path, fault: Fault) -> Result<(), Fault> {
        match fault {
            Fault::Read { source, .. } if source.kind() == ErrorKind::FileTooLarge => {
                // Data lies beside manifests as well.
                let is_data = shown.extension().is_some_and(|ending| ending == "json");
                if is_data {
                    Ok(())
                } else {
                    Err(too_long(Fault::Read { path: shown.to_owned(), source }))
                }
            }
            Fault::Read { source, .. } => {
                self.push(shown, &unread(&source), None, Place::nowhere());
                self.first.get_or_insert(Fault::Read { path: shown.to_owned(), source });
                Ok(())
            }
            Fault::Text { .. } | Fault::Unsupported { .. } | Fault::NotFound { .. } => {
                self.add(shown, fault);
                Ok(())
            }
        }
    }

    /// Leaves out a file, or a document of it, because of this.
    pub(super) fn add(&mut self, shown: &Path, fault: Fault) {
        if templates::is_refusal(&fault)
            && let Fault::Text { place, .. } = &fault
        {
            self.templates.push((shown.display().to_string(), place.clone()));
        } else if let Fault::Text { place, message, hint } = &fault {
            self.push(shown, message, hint.clone(), place.clone());
        }
        self.first.get_or_insert(fault);
    }

    fn push(&mut self, shown: &Path, message: &str, hint: Option<String>, place: Place) {
        let own = || "correct it, or name the other files alone with `-f`".to_owned();
        self.others.push(Remark {
            kind: RemarkKind::LeftOut,
            message: format!("`{}` is not judged: {message}", shown.display()),
            fix: hint.unwrap_or_else(own),
            places: vec![place],
            service: None,
        });
    }

    /// Why the first of them is left out.
    pub(super) fn take_first(&mut self) -> Option<Fault> {
        self.first.take()
    }

    /// What is told of them.
    pub(super) fn remarks(self) -> Vec<Remark> {
        let mut told = self.others;
        if let Some(((first, _), others)) = self.templates.split_first() {
            let message = match others.len() {
                0 => format!("`{first}` is a template of Helm, which is not judged"),
                1 => format!(
                    "`{first}` and another file are templates of Helm, which are not judged"
                ),
                more => format!(
                    "`{first}` and {more} other files are templates of Helm, which are not judged"
                ),
            };
            told.push(Remark {
                kind: RemarkKind::LeftOut,
                message,
                fix: templates::RENDER.to_owned(),
                places: self.templates.iter().map(|(_, place)| place.clone()).collect(),
                service: None,
            });
        }
        told
    }
}

fn unread(source: &io::Error) -> String {
    format!("it cannot be read ({})", source.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_defined_is_blank_and_all_else_stays_where_it_is() {
        let pod = "apiVersion: v1\nkind: Pod\nspec: {}\n";
        let says = "apiVersion: x/v1\nkind: CustomResourceDefinition\n";
        let text = format!(
            "{says}spec: {{a: 'ü'}}\n---\n{pod}--- \n{says}a:\n  kind: b\n---\nkind: CustomResources\n"
        );
        let expected = format!(
            "{says}{}\n---\n{pod}--- \n{says}  \n         \n---\nkind: CustomResources\n",
            " ".repeat("spec: {a: 'ü'}".len())
        );
        assert_eq!(without_definitions(&text), expected);
        assert_eq!(without_definitions(pod), pod);
    }
}
