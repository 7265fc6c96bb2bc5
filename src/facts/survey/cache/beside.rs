//! A snapshot whose weights lie in one cache, and the rest of it in another.

use std::path::{Path, PathBuf};

use crate::look::{Look, Stat};
use crate::project::view::{ReadSeek, View};

/// Looks into the folder `own`, and takes what is not there from `elsewhere`.
pub(super) struct Beside<'a> {
    /// What is looked through.
    pub(super) view: &'a dyn View,
    /// The folder that is asked first.
    pub(super) own: &'a Path,
    /// Its other half; absent: there is none.
    pub(super) elsewhere: Option<&'a Path>,
}

impl Beside<'_> {
    /// The same path in the other half.
    fn other(&self, path: &Path) -> Option<PathBuf> {
        Some(self.elsewhere?.join(path.strip_prefix(self.own).ok()?))
    }

    fn either<T>(&self, path: &Path, look: impl Fn(&Path) -> Look<T>) -> Look<T> {
        match (look(path), self.other(path)) {
            (Look::Absent, Some(other)) => look(&other),
            (found, _) => found,
        }
    }
}

impl View for Beside<'_> {
    fn stat(&self, path: &Path) -> Look<Stat> {
        self.either(path, |path| self.view.stat(path))
    }

    fn list(&self, path: &Path) -> Look<Vec<String>> {
        let own = self.view.list(path);
        let Some(other) = self.other(path).map(|other| self.view.list(&other)) else { return own };
        match (own, other) {
            (Look::Seen(mut names), Look::Seen(more)) => {
                names.extend(more);
                names.sort_unstable();
                names.dedup();
                Look::Seen(names)
            }
            (Look::Absent, other) => other,
            (own, _) => own,
        }
    }

    fn open(&self, path: &Path) -> Look<Box<dyn ReadSeek + '_>> {
        self.either(path, |path| self.view.open(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::view::local::LocalView;

    #[test]
    fn what_is_not_beside_the_weights_is_taken_from_the_other_half() {
        let root = tempfile::tempdir().unwrap();
        let (own, elsewhere) = (root.path().join("own"), root.path().join("elsewhere"));
        for (folder, name) in [(&own, "w"), (&own, "both"), (&elsewhere, "both"), (&elsewhere, "c")]
        {
            fs_err::create_dir_all(folder).unwrap();
            fs_err::write(folder.join(name), folder.to_str().unwrap()).unwrap();
        }
        let text = |beside: &Beside<'_>, name: &str| {
            let mut text = String::new();
            let Look::Seen(mut file) = beside.open(&own.join(name)) else { return None };
            file.read_to_string(&mut text).unwrap();
            Some(text)
        };
        let half = Beside { view: &LocalView, own: &own, elsewhere: None };
        let whole = Beside { elsewhere: Some(&elsewhere), ..half };
        assert_eq!(whole.list(&own), Look::Seen(vec!["both".into(), "c".into(), "w".into()]));
        assert_eq!(text(&whole, "both"), Some(own.display().to_string()));
        assert_eq!(text(&whole, "c"), Some(elsewhere.display().to_string()));
        assert_eq!(text(&half, "c"), None);
        assert!(whole.stat(&own.join("c")).seen().is_some());
    }
}
