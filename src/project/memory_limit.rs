//! How much memory of the host a service may have. Pure.

use serde_json::Value;

use super::shared_memory::number;

/// How much memory of the host a container may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Bytes; absent: as much as there is.
    pub bytes: Option<u64>,
    /// Bytes of swap beside that; absent: as much as there is.
    pub swap: Option<u64>,
    /// Whether a process may lock as much as it likes of what it maps.
    pub may_lock: bool,
}

impl MemoryLimit {
    /// Of a service in the canonical document of a project. What is said below `deploy` comes first
    /// (docker/compose 2.40.3 pkg/compose/create.go `getDeployResources`).
    #[must_use]
    pub fn of_document(document: &Value, service: &str) -> Self {
        let said = &document["services"][service];
        let deployed = number(&said["deploy"]["resources"]["limits"]["memory"]);
        let bytes = deployed.or_else(|| number(&said["mem_limit"]));
        let both = &said["memswap_limit"];
        let is_endless = both.as_i64() == Some(-1) || both.as_str() == Some("-1");
        let both = if is_endless { Some(None) } else { number(both).map(Some) };
        let lock = &said["ulimits"]["memlock"];
        let lock = lock.as_i64().or_else(|| lock["hard"].as_i64());
        Self::of(bytes, both, lock == Some(-1))
    }

    /// Of a container: `Memory` and `MemorySwap` of its settings, -1 being no limit.
    #[must_use]
    pub fn of_container(bytes: Option<i64>, both: Option<i64>, may_lock: bool) -> Self {
        let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok());
        let both = match both {
            Some(-1) => Some(None),
            both => both.and_then(|both| u64::try_from(both).ok()).map(Some),
        };
        Self::of(bytes, both, may_lock)
    }

    /// Of memory and swap together as much is meant as of memory twice, where nothing is said of them
    /// (moby 28.5 daemon/daemon_unix.go `adaptContainerSettings`).
    fn of(bytes: Option<u64>, both: Option<Option<u64>>, may_lock: bool) -> Self {
        let bytes = bytes.filter(|bytes| *bytes > 0);
        let swap = bytes.and_then(|bytes| match both {
            Some(None) => None,
            Some(Some(both)) if both > 0 => Some(both.saturating_sub(bytes)),
            Some(Some(_)) | None => Some(bytes),
        });
        Self { bytes, swap, may_lock }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limit_is_of_memory_and_of_swap_beside_it() {
        let limit = |bytes: u64, swap: Option<u64>| MemoryLimit {
            bytes: Some(bytes << 20),
            swap: swap.map(|swap| swap << 20),
            may_lock: false,
        };
        for (said, expected) in [
            (json!({}), MemoryLimit::default()),
            (json!({"mem_limit": "0"}), MemoryLimit::default()),
            (json!({"mem_limit": "419430400"}), limit(400, Some(400))),
            (json!({"mem_limit": "400m", "memswap_limit": "400m"}), limit(400, Some(0))),
            (json!({"mem_limit": "400m", "memswap_limit": "1g"}), limit(400, Some(624))),
            (json!({"mem_limit": "400m", "memswap_limit": "-1"}), limit(400, None)),
            (json!({"mem_limit": "400m", "memswap_limit": "0"}), limit(400, Some(400))),
            (
                json!({"deploy": {"resources": {"limits": {"memory": "1g"}}}}),
                limit(1024, Some(1024)),
            ),
            (
                json!({"deploy": {"resources": {"reservations": {"memory": "1g"}}}}),
                MemoryLimit::default(),
            ),
        ] {
            let document = json!({"services": {"a": said}});
            assert_eq!(MemoryLimit::of_document(&document, "a"), expected, "{document}");
        }
    }

    #[test]
    fn what_may_be_locked_is_said_by_a_number_or_two() {
        for (said, expected) in [
            (json!(-1), true),
            (json!({"soft": -1, "hard": -1}), true),
            (json!({"soft": 65536, "hard": 65536}), false),
            (json!(null), false),
        ] {
            let document = json!({"services": {"a": {"ulimits": {"memlock": said}}}});
            assert_eq!(MemoryLimit::of_document(&document, "a").may_lock, expected, "{document}");
        }
    }

    #[test]
    fn a_container_says_what_docker_made_of_it() {
        let of = |bytes, both| {
            let limit = MemoryLimit::of_container(bytes, both, false);
            (limit.bytes, limit.swap)
        };
        assert_eq!(of(Some(0), Some(0)), (None, None));
        assert_eq!(of(Some(100), Some(200)), (Some(100), Some(100)));
        assert_eq!(of(Some(100), Some(100)), (Some(100), Some(0)));
        assert_eq!(of(Some(100), Some(-1)), (Some(100), None));
        assert_eq!(of(None, None), (None, None));
    }
}
