//! What a service asks for beyond processor and memory.

use serde_json::Value;

/// The devices of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hardware {
    /// `gpus` and `deploy.resources.reservations.devices`.
    pub requests: Vec<DeviceRequest>,
    /// `runtime`; absent: Docker's default.
    pub runtime: Option<String>,
    /// `devices`: paths of the host, and names of the Container Device Interface.
    pub devices: Vec<String>,
}

/// One request for devices that Docker has to find.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Which driver has to find them; empty: whichever can.
    pub driver: String,
    /// What they have to be capable of (`gpu`).
    pub capabilities: Vec<String>,
    /// Exactly these.
    pub ids: Vec<String>,
    /// How many, where it does not say which: -1 is all, 0 none. Absent: not said.
    pub count: Option<i64>,
}

impl Hardware {
    /// Of a service in the canonical document of a project.
    #[must_use]
    pub fn of_document(document: &Value, service: &str) -> Self {
        let service = &document["services"][service];
        let reserved = &service["deploy"]["resources"]["reservations"]["devices"];
        let short = list(&service["gpus"]).map(|request| DeviceRequest {
            // What `gpus` asks for goes without saying (compose-go types/device.go).
            capabilities: words(&request["capabilities"]).chain(["gpu".to_owned()]).collect(),
            ..request_of(request)
        });
        let path = |device: &Value| {
            let path = device.as_str().or(device["source"].as_str())?;
            // A CDI name has its colon, if any, behind a `=`.
            Some(path.split_once(':').map_or(path, |(host, _)| host).to_owned())
        };
        Self {
            requests: list(reserved).map(request_of).chain(short).collect(),
            runtime: service["runtime"].as_str().map(str::to_owned),
            devices: list(&service["devices"]).filter_map(path).collect(),
        }
    }

    /// Whether a GPU is asked for in a way that Docker has to answer.
    #[must_use]
    pub fn requests_gpu(&self) -> bool {
        self.requests.iter().any(DeviceRequest::is_for_gpu)
    }

    /// Whether devices of the Container Device Interface are asked for.
    #[must_use]
    pub fn requests_cdi(&self) -> bool {
        self.requests.iter().any(|request| request.driver == "cdi")
            || self.cdi_names().next().is_some()
    }

    /// The names of the Container Device Interface (`nvidia.com/gpu=all`).
    pub fn cdi_names(&self) -> impl Iterator<Item = &str> {
        let requested = self.requests.iter().filter(|request| request.driver == "cdi");
        let ids = requested.flat_map(|request| request.ids.iter());
        ids.chain(&self.devices).map(String::as_str).filter(|name| is_cdi_name(name))
    }

    /// The device files of the host that are handed in.
    pub fn device_files(&self) -> impl Iterator<Item = &str> {
        self.devices.iter().map(String::as_str).filter(|device| device.starts_with('/'))
    }
}

impl DeviceRequest {
    /// Whether it is for GPUs, through another driver than the Container Device Interface.
    pub(super) fn is_for_gpu(&self) -> bool {
        self.driver != "cdi"
            && (self.driver == "nvidia" || self.capabilities.iter().any(|word| word == "gpu"))
    }
}

/// `vendor/class=name` (the CDI specification).
fn is_cdi_name(name: &str) -> bool {
    !name.starts_with('/') && name.split_once('=').is_some_and(|(kind, _)| kind.contains('/'))
}

fn request_of(request: &Value) -> DeviceRequest {
    DeviceRequest {
        driver: request["driver"].as_str().unwrap_or_default().to_owned(),
        capabilities: words(&request["capabilities"]).collect(),
        ids: words(&request["device_ids"]).collect(),
        count: count(&request["count"]),
    }
}

/// A number, or `all`.
fn count(value: &Value) -> Option<i64> {
    match value.as_str() {
        Some("all") => Some(-1),
        Some(text) => text.parse().ok(),
        None => value.as_i64(),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn words(value: &Value) -> impl Iterator<Item = String> {
    list(value).filter_map(|word| word.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(service: &Value) -> Hardware {
        Hardware::of_document(&serde_json::json!({"services": {"vllm": service}}), "vllm")
    }

    #[test]
    fn every_way_to_ask_for_a_gpu_is_known() {
        for (service, expected) in [
            (serde_json::json!({"gpus": [{"count": -1}]}), true),
            (
                serde_json::json!({"deploy": {"resources": {"reservations": {"devices": [
                    {"capabilities": ["gpu"], "driver": "nvidia", "count": -1}]}}}}),
                true,
            ),
            (serde_json::json!({"runtime": "nvidia"}), false),
            (serde_json::json!({}), false),
            (
                serde_json::json!({"gpus": [{"driver": "cdi", "device_ids": ["a.com/gpu=0"]}]}),
                false,
            ),
        ] {
            assert_eq!(of(&service).requests_gpu(), expected, "{service}");
        }
        assert_eq!(
            of(&serde_json::json!({"runtime": "nvidia"})).runtime.as_deref(),
            Some("nvidia")
        );
    }

    #[test]
    fn device_files_and_cdi_names_are_told_apart() {
        let hardware = of(&serde_json::json!({
            "devices": ["/dev/kfd:/dev/kfd:rwm", {"source": "/dev/dri", "target": "/dev/dri"},
                        "nvidia.com/gpu=all", "amd.com/gpu=0:1"],
            "gpus": [{"driver": "cdi", "device_ids": ["nvidia.com/gpu=1"]}],
        }));
        assert_eq!(hardware.device_files().collect::<Vec<_>>(), ["/dev/kfd", "/dev/dri"]);
        let names: Vec<_> = hardware.cdi_names().collect();
        assert_eq!(names, ["nvidia.com/gpu=1", "nvidia.com/gpu=all", "amd.com/gpu=0"]);
    }
}
