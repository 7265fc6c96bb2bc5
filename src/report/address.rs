//! How programs name a file of the user: relative to the root of the checkout where that is
//! possible, else absolute; as a path, or as a URI.

use std::path::{Component, Path, PathBuf};

use crate::options::Base;

/// `file` relative to the root, with no `.` and `..` in it; absolute if it is not below the root.
pub(super) fn path(file: &Path, base: &Base) -> PathBuf {
    let absolute = clean(&base.here.join(file));
    let relative = absolute.strip_prefix(clean(&base.root)).map(Path::to_path_buf);
    relative.ok().filter(|path| !path.as_os_str().is_empty()).unwrap_or(absolute)
}

/// `file` as the reference that SARIF wants: relative as in [`path()`], or a `file:` URI.
pub(super) fn uri(file: &Path, base: &Base) -> String {
    let path = path(file, base);
    let scheme = if path.is_absolute() { "file://" } else { "" };
    let mut uri = scheme.to_owned();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                cleaned.push(component);
            }
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expected_path: &str, expected_uri: &str) {
        let base = Base { here: "/work/repo/ops".into(), root: "/work/repo".into() };
        assert_eq!(path(Path::new(file), &base), Path::new(expected_path));
        assert_eq!(uri(Path::new(file), &base), expected_uri);
    }

    #[test]
    fn files_are_named_from_the_root_of_the_checkout() {
        check("compose.yaml", "ops/compose.yaml", "ops/compose.yaml");
        check("../a b/ü.yaml", "a b/ü.yaml", "a%20b/%C3%BC.yaml");
        check("/work/repo/x.yaml", "x.yaml", "x.yaml");
        check("/etc/x.yaml", "/etc/x.yaml", "file:///etc/x.yaml");
        check("/work/repo", "/work/repo", "file:///work/repo");
    }
}
