//! Interpolation of a whole tree, and the casts that Compose applies to a fixed list of paths
//! afterwards (compose-go v2.9.1 `interpolation/interpolation.go`, `loader/interpolate.go`).

use super::dotenv::{refuse, unset};
use super::environment::Environment;
use super::fault::Fault;
use super::interpolate::expand;
use super::tree::{Kind, Node};
use crate::project::Warning;

/// How many bytes all values of a document may expand to.
const TOTAL_LIMIT: usize = 32 << 20;

/// Replaces the variables in every value below `root`; keys are left alone.
pub(super) fn interpolate(
    root: &mut Node,
    environment: &Environment,
    warnings: &mut Vec<Warning>,
) -> Result<(), Fault> {
    let mut walk = Walk { environment, warnings, path: Vec::new(), total: 0 };
    walk.node(root)
}

struct Walk<'a, 'tree> {
    environment: &'a Environment,
    warnings: &'a mut Vec<Warning>,
    path: Vec<&'tree str>,
    total: usize,
}

impl<'tree> Walk<'_, 'tree> {
    fn node(&mut self, node: &'tree mut Node) -> Result<(), Fault> {
        if node.as_str().is_some() {
            self.text(node)?;
            return self.cast(node);
        }
        match &mut node.kind {
            Kind::Sequence(items) => {
                for item in items {
                    self.path.push("[]");
                    self.node(item)?;
                    self.path.pop();
                }
                Ok(())
            }
            Kind::Mapping(entries) => {
                for (key, entry) in entries {
                    self.path.push(key);
                    self.node(&mut entry.value)?;
                    self.path.pop();
                }
                Ok(())
            }
            Kind::Null
            | Kind::Bool(_)
            | Kind::Int(_)
            | Kind::Float(_)
            | Kind::String(_)
            | Kind::Time(_) => Ok(()),
        }
    }

    fn text(&mut self, node: &mut Node) -> Result<(), Fault> {
        let Some(text) = node.as_str().filter(|text| text.contains('$')) else { return Ok(()) };
        let expansion = expand(text, &|name| self.environment.get(name))
            .map_err(|error| refuse(&node.place, &error))?;
        self.total += expansion.text.len();
        node.kind = Kind::String(expansion.text);
        node.place.variables = expansion.variables;
        let service = match self.path.as_slice() {
            ["services", service, ..] => Some((*service).to_owned()),
            _ => None,
        };
        let warnings = unset(&node.place);
        self.warnings.extend(warnings.map(|it| Warning { service: service.clone(), ..it }));
        if self.total > TOTAL_LIMIT {
            return Err(node.refuse("the values of the file expand to too many bytes"));
        }
        Ok(())
    }

    fn cast(&mut self, node: &mut Node) -> Result<(), Fault> {
        let Some(cast) = cast_of(&self.path) else { return Ok(()) };
        let Some(text) = node.as_str() else { return Ok(()) };
        let path = self.path.join(".");
        let kind = match cast {
            Cast::Integer => text.parse::<i64>().ok().map(|value| Kind::Int(i128::from(value))),
            Cast::Float => text.parse::<f64>().ok().map(Kind::Float),
            Cast::Bool => boolean(text).map(Kind::Bool),
        };
        let Some(kind) = kind else {
            return Err(node.refuse(format!("`{path}` must be {}, not `{text}`", cast.described())));
        };
        if cast == Cast::Bool && !matches!(text.to_ascii_lowercase().as_str(), "true" | "false") {
            let message = format!("`{text}` is no boolean in YAML 1.2: write `true` or `false`");
            self.warnings.push(Warning::new(message, node.place.clone()));
        }
        node.kind = kind;
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cast {
    Integer,
    Float,
    Bool,
}

impl Cast {
    fn described(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Float => "a number",
            Self::Bool => "a boolean",
        }
    }
}

/// The words that Compose takes for a boolean where one is needed.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "y" | "yes" | "on" => Some(true),
        "false" | "n" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn cast_of(path: &[&str]) -> Option<Cast> {
    match path {
        ["services", _, rest @ ..] => service_cast(rest),
        ["networks" | "volumes" | "secrets" | "configs", _, "external"]
        | ["networks", _, "internal" | "attachable" | "enable_ipv4" | "enable_ipv6"] => {
            Some(Cast::Bool)
        }
        _ => None,
    }
}

fn service_cast(path: &[&str]) -> Option<Cast> {
    Some(match path {
        [
            "cpu_count" | "cpu_period" | "cpu_quota" | "cpu_rt_period" | "cpu_rt_runtime"
            | "cpu_shares" | "oom_score_adj" | "pids_limit" | "scale",
        ]
        | ["deploy", "replicas"]
        | ["deploy", "update_config" | "rollback_config", "parallelism"]
        | ["deploy", "restart_policy", "max_attempts"]
        | ["deploy", "placement", "max_replicas_per_node"]
        | ["healthcheck", "retries"]
        | ["ports", "[]", "target"]
        | ["ulimits", _]
        | ["ulimits", _, "hard" | "soft"] => Cast::Integer,
        ["cpu_percent" | "cpus"]
        | ["deploy", "update_config" | "rollback_config", "max_failure_ratio"] => Cast::Float,
        ["init" | "oom_kill_disable" | "privileged" | "read_only" | "stdin_open" | "tty"]
        | ["healthcheck", "disable"]
        | ["volumes", "[]", "read_only"]
        | ["volumes", "[]", "volume", "nocopy"] => Cast::Bool,
        _ => return None,
    })
}
