//! How long a container may fail its health check before Docker calls it unhealthy. Pure.

use std::time::Duration;

use serde_json::Value;

/// What Docker does where nothing is said (moby 28.5 daemon/health.go).
const INTERVAL: Duration = Duration::from_secs(30);
const RETRIES: u32 = 3;

/// When a health check is run, and how often it may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthTiming {
    interval: Duration,
    retries: u32,
    start_period: Duration,
}

impl HealthTiming {
    /// Of a service in the canonical document of a project.
    #[must_use]
    pub fn of_document(document: &Value, service: &str) -> Self {
        let said = &document["services"][service]["healthcheck"];
        let duration = |name: &str| said[name].as_str().and_then(duration);
        let is_set = |interval: &Duration| !interval.is_zero();
        let retries = said["retries"].as_u64().and_then(|retries| u32::try_from(retries).ok());
        Self {
            interval: duration("interval").filter(is_set).unwrap_or(INTERVAL),
            retries: retries.filter(|retries| *retries > 0).unwrap_or(RETRIES),
            start_period: duration("start_period").unwrap_or_default(),
        }
    }

    /// The time from the start of a container on after which it is unhealthy, at the latest, where its
    /// check fails at once every time.
    #[must_use]
    pub fn patience(self) -> Duration {
        self.start_period.saturating_add(self.interval.saturating_mul(self.retries))
    }
}

/// A duration as Compose prints it: `1m30s`, `1h0m0s`, `1.5s`.
fn duration(text: &str) -> Option<Duration> {
    let mut seconds = 0.0_f64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let end = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(end);
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "\u{b5}s" | "us" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = next;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_waited_for_as_docker_waits() {
        let check = |said: Value, expected: u64| {
            let document = serde_json::json!({"services": {"vllm": {"healthcheck": said}}});
            let found = HealthTiming::of_document(&document, "vllm").patience();
            assert_eq!(found, Duration::from_secs(expected), "{document}");
        };
        check(serde_json::json!(null), 90);
        check(serde_json::json!({"interval": "10s", "retries": 5}), 50);
        check(serde_json::json!({"interval": "0s", "retries": 0, "start_period": "1m30s"}), 180);
        check(serde_json::json!({"start_period": "1h0m0s"}), 3690);
        check(serde_json::json!({"interval": "500ms", "retries": 4}), 2);
    }

    #[test]
    fn what_is_no_duration_is_none() {
        for text in ["10", "s", "1x", "1h2"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
