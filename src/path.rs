//! The three names of one file, as three types that cannot be mixed up.

pub(crate) mod expansion;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// A path on the Docker host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPath(PathBuf);

/// A path inside the container of an engine. Absolute, `/`-separated, lexically clean.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePath(PathBuf);

/// A path as this process can open it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPath(PathBuf);

macro_rules! path_space {
    ($name:ident) => {
        impl $name {
            /// Wraps a path that is known to belong to this space.
            pub fn new(path: impl Into<PathBuf>) -> Self {
                Self(path.into())
            }

            /// The path itself.
            #[must_use]
            pub fn as_path(&self) -> &Path {
                &self.0
            }

            /// A path below this one.
            #[must_use]
            pub fn join(&self, below: impl AsRef<Path>) -> Self {
                let below = below.as_ref();
                if below.as_os_str().is_empty() { self.clone() } else { Self(self.0.join(below)) }
            }

            /// What is left of this path behind `ancestor`; empty when they are equal, absent
            /// when this path is not below it.
            #[must_use]
            pub fn below<'a>(&'a self, ancestor: &Self) -> Option<&'a Path> {
                self.0.strip_prefix(&ancestor.0).ok()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.display().fmt(f)
            }
        }
    };
}

path_space!(HostPath);
path_space!(ServicePath);
path_space!(LocalPath);

/// As many links as Linux follows in one path (path_resolution(7)).
pub(crate) const MOST_LINKS: usize = 40;

/// The names and `..` of a path.
pub(crate) fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

/// Removes `.`, `..` and doubled slashes without looking at the disk, as Go's `path.Clean` does.
#[must_use]
pub fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match cleaned.components().next_back() {
                Some(Component::Normal(_)) => {
                    cleaned.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                Some(Component::CurDir | Component::ParentDir) | None => cleaned.push(".."),
            },
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                cleaned.push(component);
            }
        }
    }
    if cleaned.as_os_str().is_empty() { PathBuf::from(".") } else { cleaned }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_agrees_with_go_path_clean() {
        for (path, expected) in [
            ("/a/../b/", "/b"),
            ("a//b/./c", "a/b/c"),
            ("../x", "../x"),
            ("../../x", "../../x"),
            ("/..", "/"),
            ("a/..", "."),
            ("", "."),
        ] {
            assert_eq!(clean(Path::new(path)), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn below_compares_whole_components() {
        let models = ServicePath::new("/models");
        assert_eq!(ServicePath::new("/models/a").below(&models), Some(Path::new("a")));
        assert_eq!(ServicePath::new("/models-2/a").below(&models), None);
        assert_eq!(models.join(""), models);
    }
}
