//! Whose a file is that is not what it was promised to be: what a download left, or the user's own.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Promise;
use super::stamp::{Recall, Trace};
use crate::facts::hub::{Noted, ObjectId};
use crate::facts::model::{self, Content, Defect, Lookalike, ModelFacts};
use crate::file_name::hub_cache;
use crate::file_name::weights::Weights;
use crate::project::view::local::LocalView;
use crate::regular_file;

/// Larger files are no texts that somebody edits.
const LONGEST_TEXT: u64 = 64 << 20;

/// Whether a file has been changed since its download, or no download brought it: there is something
/// to lose in it. What nobody can have made on purpose is not: a file that is empty, that stands for
/// another or that is a part of one. Blocking.
///
/// A stamp knows it exactly. A note of a download is believed as `hf` believes it (`huggingface_hub` 2.4
/// `_local_folder.py`): as long as the file is not more than a second younger; but not where a text is
/// not what is noted, or weights have another size than was noted and promised.
#[must_use]
pub fn is_own(promise: &Promise) -> bool {
    let Ok(metadata) = fs_err::metadata(&promise.path) else { return false };
    if !metadata.is_file() || metadata.len() == 0 || is_remains(&promise.path) {
        return false;
    }
    let noted = Noted::read(&promise.root, &promise.name);
    let noted = noted.filter(|noted| noted.holds_at(metadata.mtime()));
    let is_noted = |id: &ObjectId| {
        noted.as_ref().is_some_and(|it| it.id.agrees(id, metadata.len()) == Some(true))
    };
    let recalled = Trace::of(&promise.path).map(|trace| promise.recall(&trace));
    let is_text = Weights::of(&promise.name).is_none() && metadata.len() <= LONGEST_TEXT;
    match (recalled, &noted) {
        (Ok(Recall::Same(_) | Recall::Moved(_)), _) => false,
        (_, None) => true,
        (_, Some(noted)) if is_text => is_other_than(&promise.path, &noted.id),
        (Ok(Recall::Written(known)), _) => is_noted(&known),
        (Ok(Recall::Nothing) | Err(_), _) => {
            let has_other_size = promise.size.is_some_and(|size| size != metadata.len());
            promise.id.as_ref().filter(|_| has_other_size).is_some_and(is_noted)
        }
    }
}

/// Whether a file under the name of weights is something else, which no download is known to have left:
/// no engine opens it, and somebody may need it. Blocking.
#[must_use]
pub fn is_of_another_kind(promise: &Promise) -> bool {
    let is_known = || {
        let recalled = Trace::of(&promise.path).map(|trace| promise.recall(&trace));
        !matches!(recalled, Ok(Recall::Nothing))
            || Noted::read(&promise.root, &promise.name).is_some()
    };
    Weights::of(&promise.name).is_some() && is_another_kind(&promise.path) && !is_known()
}

/// Whether it is neither weights nor what a download may leave in their place: zeros, a pointer, or the
/// page or the error of a server.
fn is_another_kind(path: &Path) -> bool {
    let ModelFacts::Seen(model) = model::examine(&LocalView, path) else { return false };
    model.files.iter().any(|file| match &file.content {
        Content::Broken(Defect::Lookalike(kind)) => match kind {
            Lookalike::Zip
            | Lookalike::Compressed
            | Lookalike::OldGgml
            | Lookalike::Gguf
            | Lookalike::Safetensors
            | Lookalike::Unrecognised(_) => true,
            Lookalike::Empty
            | Lookalike::Pointer { .. }
            | Lookalike::Html
            | Lookalike::Json
            | Lookalike::Zeros
            | Lookalike::Folder => false,
        },
        Content::Broken(_)
        | Content::Absent
        | Content::Denied(_)
        | Content::Unknown(_)
        | Content::Gguf(_)
        | Content::Safetensors(_)
        | Content::Archive
        | Content::Pickle
        | Content::Document => false,
    })
}

/// What a download has noted that a file is; absent: nothing, or the file may be another since.
///
/// `hf` asks only when it was written (`huggingface_hub` 2.4 `_local_folder.py`), and hashes what is large
/// before it replaces it. A file that was moved here keeps that time, so the time of any change counts
/// too, unless a stamp says that the content is the same. Blocking.
pub(super) fn noted(promise: &Promise, trace: &Trace) -> Option<ObjectId> {
    let noted = Noted::read(&promise.root, &promise.name)?;
    let is_same = match promise.recall(trace) {
        Recall::Moved(known) => known.agrees(&noted.id, trace.size) == Some(true),
        Recall::Nothing | Recall::Same(_) | Recall::Written(_) => false,
    };
    let since = if is_same { trace.written() } else { trace.touched() };
    noted.holds_at(since).then_some(noted.id)
}

/// Whether a file is a text, and not what is promised. Blocking.
#[must_use]
pub fn is_other_text(promise: &Promise) -> bool {
    let is_short = || fs_err::metadata(&promise.path).is_ok_and(|it| it.len() <= LONGEST_TEXT);
    let id = promise.id.as_ref().filter(|_| Weights::of(&promise.name).is_none() && is_short());
    id.is_some_and(|id| is_other_than(&promise.path, id))
}

/// Whether a file can be read and is not `id`. Blocking.
fn is_other_than(path: &Path, id: &ObjectId) -> bool {
    let hashed = super::hash::hash(path, id, &|_| Ok(()));
    let size = fs_err::metadata(path).map_or(0, |it| it.len());
    hashed.is_ok_and(|hashed| hashed.agrees(id, size) == Some(false))
}

/// Whether a file can still be read as what its name says it is, as a text: whoever changed it meant
/// to. Blocking.
#[must_use]
pub fn is_sound_text(path: &Path) -> bool {
    let is_long = || fs_err::metadata(path).map_or(true, |it| it.len() > LONGEST_TEXT);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if Weights::of(&name).is_some() || is_long() {
        return false;
    }
    let Ok(text) = regular_file::text(path, LONGEST_TEXT) else { return false };
    if text.is_empty() || text.contains('\0') || is_remains(path) {
        return false;
    }
    !name.ends_with(".json") || serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok()
}

/// What a cache of the hub calls the content of a file; absent: the file is no link to a blob.
/// Blocking.
pub(crate) fn named_by_cache(path: &Path) -> Option<ObjectId> {
    let target = fs_err::read_link(path).ok()?;
    ObjectId::of_etag(hub_cache::blob_name(&target)?)
}

/// Whether a file stands for another, or is weights that are not whole.
fn is_remains(path: &Path) -> bool {
    if matches!(model::lookalike(&LocalView, path), Some(Lookalike::Pointer { .. })) {
        return true;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if Weights::of(&name).is_none() {
        return false;
    }
    match model::examine(&LocalView, path) {
        ModelFacts::Seen(model) => model.files.iter().any(|file| match &file.content {
            Content::Broken(_) => true,
            Content::Gguf(header) => header.outside.is_some(),
            Content::Safetensors(header) => header.expected_size > header.actual_size,
            Content::Absent
            | Content::Denied(_)
            | Content::Unknown(_)
            | Content::Archive
            | Content::Pickle
            | Content::Document => false,
        }),
        ModelFacts::Absent | ModelFacts::Denied(_) | ModelFacts::Unknown(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::stamp::{self, Stamps};
    use super::*;
    use crate::beneath::Beneath;
    use crate::facts::proof::PromisedBy;

    fn promise(root: &Path, name: &str) -> Promise {
        Promise {
            path: root.join(name),
            root: Beneath::root(root),
            name: name.to_owned(),
            size: None,
            id: None,
            promised_by: PromisedBy::Hub,
            stamps: Stamps::Kept,
        }
    }

    #[test]
    fn what_a_download_left_and_what_is_only_a_part_is_nobodys_own() {
        let root = tempfile::tempdir().unwrap();
        // That of `{}`.
        let noted = "9e26dfeeb6e641a33dae4961196235bdb965b21b";
        let is_own = |name: &str| is_own(&promise(root.path(), name));
        let write = |name: &str, text: &[u8]| {
            let path = root.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write("config.json", b"{}");
        assert!(is_own("config.json"), "no download brought it");
        let note = |age: i64| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            let time = i64::try_from(now.as_secs()).unwrap() - age;
            let text = format!("{}\n{noted}\n{time}.5\n", "1".repeat(40));
            write(".cache/huggingface/download/config.json.metadata", text.as_bytes());
        };
        note(0);
        assert!(!is_own("config.json"));
        write("config.json", b"[]");
        assert!(is_own("config.json"), "it is not what was downloaded");
        write("config.json", b"{}");
        note(100);
        assert!(is_own("config.json"), "it was changed since");
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n";
        write("tokenizer.json", pointer);
        write("empty.txt", b"");
        write("cut.gguf", b"GGUF\x03\0\0\0");
        write("page.safetensors", b"<html>");
        for name in ["tokenizer.json", "empty.txt", "cut.gguf", "page.safetensors", "nowhere"] {
            assert!(!is_own(name), "{name}");
        }
        write("a", b"1");
        let trace = Trace::of(&root.path().join("a")).unwrap();
        let id = ObjectId::Sha256("ab".repeat(32));
        stamp::leave(&Beneath::root(root.path()), "a", &trace, &id).unwrap();
        assert!(!is_own("a"));
        let file = std::fs::OpenOptions::new().write(true).open(root.path().join("a")).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(9)).unwrap();
        assert!(is_own("a"));
    }

    #[test]
    fn what_is_no_weights_and_was_put_there_is_told_from_what_a_download_may_leave() {
        let root = tempfile::tempdir().unwrap();
        for (name, content, expected) in [
            ("mine.gguf", &b"my own notes"[..], true),
            ("cut.gguf", b"GGUF\x03\0\0\0", false),
            ("page.gguf", b"<html>", false),
            ("error.gguf", b"{\"error\": \"x\"}", false),
            ("zeros.gguf", &[0; 64], false),
            ("empty.gguf", b"", false),
            ("notes.txt", b"my own notes", false),
        ] {
            fs_err::write(root.path().join(name), content).unwrap();
            assert_eq!(is_of_another_kind(&promise(root.path(), name)), expected, "{name}");
        }
    }

    #[test]
    fn a_text_is_sound_if_it_still_reads_as_what_its_name_says() {
        let root = tempfile::tempdir().unwrap();
        for (name, content, expected) in [
            ("a.json", &b"{\"rope_scaling\": {}}"[..], true),
            ("cut.json", b"{\"rope_sc", false),
            ("template.jinja", b"{{ messages }}", true),
            ("zeros.txt", b"a\0b", false),
            ("latin1.txt", b"\xe4", false),
            ("empty.txt", b"", false),
            ("x.safetensors", b"text", false),
        ] {
            let path = root.path().join(name);
            fs_err::write(&path, content).unwrap();
            assert_eq!(is_sound_text(&path), expected, "{name}");
        }
        assert!(!is_sound_text(&root.path().join("nowhere.txt")));
    }
}
