//! What a service has as `/dev/shm`, through which processes of one engine hand each other data. Pure.

use std::path::Path;

use serde_json::Value;

use crate::project::MountSource;

/// Where it is.
const PATH: &str = "/dev/shm";

/// What Docker makes where nobody says otherwise (moby 28.5 daemon/config/config.go, `DefaultShmSize`).
const DEFAULT: u64 = 64 << 20;

/// How deep services are followed that share the memory of another.
const DEEPEST: usize = 8;

/// What a service has as `/dev/shm`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SharedMemory {
    /// So many bytes.
    Limited {
        /// Bytes.
        bytes: u64,
        /// Whether that is what Docker makes where nobody says otherwise.
        by_default: bool,
    },
    /// The host's, or a file system without a limit of its own.
    Unlimited,
    /// It is not known.
    #[default]
    Unknown,
}

impl SharedMemory {
    /// Of a service in the canonical document of a project.
    #[must_use]
    pub fn of_document(document: &Value, service: &str) -> Self {
        Self::of_service(&document["services"], service, 0)
    }

    fn of_service(services: &Value, service: &str, depth: usize) -> Self {
        let said = &services[service];
        if !said.is_object() {
            return Self::Unknown;
        }
        match said["ipc"].as_str().unwrap_or_default() {
            "host" => return Self::Unlimited,
            "none" => return Self::Unknown,
            ipc => match ipc.split_once(':') {
                Some(("service", other)) if depth < DEEPEST => {
                    return Self::of_service(services, other, depth + 1);
                }
                Some(_) => return Self::Unknown,
                None => {}
            },
        }
        if let Some(mounted) = of_tmpfs(&said["tmpfs"]).or_else(|| of_volumes(&said["volumes"])) {
            return mounted;
        }
        let size = &said["shm_size"];
        if size.is_null() {
            return Self::DEFAULT;
        }
        number(size).map_or(Self::Unknown, Self::limited)
    }

    /// Of a container: its limit, its mode (`host`, `private`, `container:ID`), what is mounted there.
    #[must_use]
    pub fn of_container(bytes: Option<i64>, mode: Option<&str>, tmpfs: Option<&str>) -> Self {
        match mode.unwrap_or_default() {
            "host" => return Self::Unlimited,
            "none" => return Self::Unknown,
            mode if mode.starts_with("container:") => return Self::Unknown,
            _ => {}
        }
        if let Some(options) = tmpfs {
            return of_options(options);
        }
        let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
        match bytes {
            Some(DEFAULT) => Self::DEFAULT,
            Some(bytes) => Self::limited(bytes),
            None => Self::Unknown,
        }
    }

    /// What a container has there that mounts something over it whose size is not told.
    #[must_use]
    pub fn mounted(source: &MountSource) -> Self {
        match source {
            MountSource::Bind { .. } => Self::Unlimited,
            MountSource::Tmpfs
            | MountSource::Volume { .. }
            | MountSource::Anonymous
            | MountSource::Copied(_)
            | MountSource::Other(_) => Self::Unknown,
        }
    }

    /// Whether what is mounted at `target` takes its place.
    #[must_use]
    pub fn is_at(target: &Path) -> bool {
        target == Path::new(PATH)
    }

    const DEFAULT: Self = Self::Limited { bytes: DEFAULT, by_default: true };

    fn limited(bytes: u64) -> Self {
        // Docker takes 0 for nothing said.
        if bytes == 0 { Self::DEFAULT } else { Self::Limited { bytes, by_default: false } }
    }
}

/// `tmpfs: /dev/shm:size=2g`.
fn of_tmpfs(list: &Value) -> Option<SharedMemory> {
    let list = list.as_array()?.iter().filter_map(Value::as_str);
    let mut options = list.filter_map(|entry| {
        let (target, options) = entry.split_once(':').unwrap_or((entry, ""));
        (target.trim_end_matches('/') == PATH).then_some(options)
    });
    options.next().map(of_options)
}

/// A `tmpfs` without a size is as large as half of the memory.
fn of_options(options: &str) -> SharedMemory {
    let Some(size) = options.split(',').find_map(|option| option.strip_prefix("size=")) else {
        return SharedMemory::Unlimited;
    };
    amount(size).map_or(SharedMemory::Unknown, SharedMemory::limited)
}

fn of_volumes(list: &Value) -> Option<SharedMemory> {
    let is_there = |mount: &&Value| {
        mount["target"].as_str().is_some_and(|target| target.trim_end_matches('/') == PATH)
    };
    let mount = list.as_array()?.iter().find(is_there)?;
    Some(match mount["type"].as_str() {
        Some("bind") => SharedMemory::Unlimited,
        Some("tmpfs") => {
            let size = number(&mount["tmpfs"]["size"]).filter(|size| *size > 0);
            size.map_or(SharedMemory::Unlimited, SharedMemory::limited)
        }
        Some(_) | None => SharedMemory::Unknown,
    })
}

/// Bytes, as a number or as text.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str().and_then(amount))
}

/// `2g`, as the kernel and Compose read it.
fn amount(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (digits, shift) = match text.char_indices().next_back()? {
        (end, 'k') => (text.get(..end)?, 10),
        (end, 'm') => (text.get(..end)?, 20),
        (end, 'g') => (text.get(..end)?, 30),
        (end, 't') => (text.get(..end)?, 40),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_mounted_comes_before_the_size_and_the_mode_before_both() {
        let limited = |bytes| SharedMemory::Limited { bytes, by_default: false };
        for (said, expected) in [
            (json!({}), SharedMemory::DEFAULT),
            (json!({"shm_size": "1073741824"}), limited(1 << 30)),
            (json!({"shm_size": "64"}), limited(64)),
            (json!({"shm_size": "0"}), SharedMemory::DEFAULT),
            (json!({"ipc": "host", "shm_size": "64"}), SharedMemory::Unlimited),
            (json!({"ipc": "shareable"}), SharedMemory::DEFAULT),
            (json!({"ipc": "service:other"}), limited(2 << 30)),
            (json!({"ipc": "service:vllm"}), SharedMemory::Unknown),
            (json!({"ipc": "container:1f"}), SharedMemory::Unknown),
            (json!({"tmpfs": ["/run", "/dev/shm:rw,size=2g"], "shm_size": "64"}), limited(2 << 30)),
            (json!({"tmpfs": ["/dev/shm"]}), SharedMemory::Unlimited),
            (json!({"tmpfs": ["/dev/shm:size=50%"]}), SharedMemory::Unknown),
            (json!({"volumes": [{"type": "bind", "target": "/dev/shm"}]}), SharedMemory::Unlimited),
            (
                json!({"volumes": [{"type": "tmpfs", "target": "/dev/shm", "tmpfs": {"size": "4096"}}]}),
                limited(4096),
            ),
        ] {
            let other = json!({"shm_size": "2147483648"});
            let document = json!({"services": {"vllm": said, "other": other}});
            assert_eq!(SharedMemory::of_document(&document, "vllm"), expected, "{document}");
        }
        assert_eq!(SharedMemory::of_document(&json!({}), "vllm"), SharedMemory::Unknown);
    }

    #[test]
    fn a_container_tells_what_docker_made() {
        let of = SharedMemory::of_container;
        assert_eq!(of(Some(64 << 20), Some("private"), None), SharedMemory::DEFAULT);
        let limited = SharedMemory::Limited { bytes: 1 << 30, by_default: false };
        assert_eq!(of(Some(1 << 30), Some("shareable"), None), limited);
        assert_eq!(of(Some(64 << 20), Some("host"), None), SharedMemory::Unlimited);
        assert_eq!(of(Some(64 << 20), Some("container:1f"), None), SharedMemory::Unknown);
        assert_eq!(of(Some(64 << 20), None, Some("size=1g")), limited);
        assert_eq!(of(None, None, None), SharedMemory::Unknown);
    }
}
