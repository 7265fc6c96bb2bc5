//! What is put on the disk below somebody's folder gets its name only once it is whole, readable by
//! all, and owned as the folder that it is in.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::HubError;
use super::partial::{DATA, stem};
use super::retries::random;
use crate::beneath::{Beneath, LinkInTheWay, Use};

/// `.NAME.XXXXXXXX.incomplete` beside `destination`: the same file system, and no other run has the
/// same name.
fn scratch(destination: &Beneath) -> Beneath {
    let digits = random() & 0xffff_ffff;
    destination.beside(format!(".{}.{digits:08x}.{DATA}", stem(destination)))
}

/// Makes `folder` and what is missing above it, each readable by all and owned like its parent.
/// Blocking.
pub(crate) fn make_folders(folder: &Beneath) -> Result<(), HubError> {
    folder.make_folders().map_err(|error| failure(folder.path(), &error))
}

/// Whether `folder`, which exists, does not tell upper case from lower. Blocking.
pub(crate) fn ignores_case(folder: &Beneath) -> Result<bool, HubError> {
    let name = format!(".case-{:016x}", random());
    let written = folder.join(name.to_uppercase());
    written.open(Use::New).map_err(|error| failure(written.path(), &error))?;
    let ignores = folder.join(&name).exists();
    drop(written.remove());
    Ok(ignores)
}

/// Writes a small file that is not a model, as a whole. Blocking.
pub(crate) fn write_note(path: &Beneath, text: &str) -> Result<(), HubError> {
    make_folders(&path.folder())?;
    path.write_whole(&scratch(path), text.as_bytes()).map_err(|error| failure(path.path(), &error))
}

/// Gives a finished file its name, in the place of whatever has it.
pub(crate) fn rename(from: &Beneath, to: &Beneath) -> Result<(), HubError> {
    from.rename(to).map_err(|error| failure(to.path(), &error))?;
    // The rename has happened; not every file system can sync a folder.
    drop(to.folder().sync_folder());
    Ok(())
}

/// What a failure to write means.
pub(crate) fn failure(path: &Path, error: &io::Error) -> HubError {
    if let Some(link) = error.get_ref().and_then(|it| it.downcast_ref::<LinkInTheWay>()) {
        return link.clone().into();
    }
    let path = path.to_path_buf();
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        return HubError::DiskFull { path };
    }
    if error.kind() == ErrorKind::FileTooLarge {
        return HubError::FileTooLarge { path };
    }
    // The innermost cause: the others repeat the path.
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    HubError::NotWritable { path, reason: cause.to_string() }
}

/// A name from elsewhere with its control characters escaped.
pub(crate) fn printable(name: &str) -> String {
    let escape = |character: char| -> String {
        if character.is_control()
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            character.escape_default().to_string()
        } else {
            character.to_string()
        }
    };
    name.chars().map(escape).collect()
}
