//! What volumes were made with, whatever a file says now.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::Volume;
use futures_util::StreamExt as _;
use indexmap::IndexMap;
use tracing::warn;

use super::connection::Connection;
use super::{DockerError, QUESTIONS_AT_ONCE, inspect};
use crate::look::Look;
use crate::options::DockerOptions;
use crate::path::HostPath;

/// A volume as Docker has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerVolume {
    /// `local`, or the name of a plugin.
    pub driver: String,
    /// What it was made with (`driver_opts`). May hold a password.
    pub options: BTreeMap<String, String>,
    /// The folder of the host that it stands for; absent for one of Docker's own, or a file system.
    pub device: Option<HostPath>,
}

/// What Docker has of the volumes with these names. What can be no name is left out.
pub async fn volumes(
    options: &DockerOptions,
    names: BTreeSet<&str>,
) -> IndexMap<String, Look<DockerVolume>> {
    let Ok(connection) = Connection::open(options) else { return IndexMap::new() };
    let connection = &connection;
    futures_util::stream::iter(names.into_iter().filter(|name| is_name(name)))
        .map(async |name| (name.to_owned(), volume(connection, name).await))
        .buffered(QUESTIONS_AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

async fn volume(connection: &Connection, name: &str) -> Look<DockerVolume> {
    let request = format!("GET /volumes/{name}");
    match connection.ask(&request, connection.docker.inspect_volume(name)).await {
        Ok(volume) => Look::Seen(of_inspect(volume)),
        // A proxy that passes less may answer so as well, in other words.
        Err(DockerError::Refused { status: 404, reason, .. })
            if reason.to_lowercase().contains("no such volume") =>
        {
            Look::Absent
        }
        Err(error) => {
            warn!(volume = name, %error, "its options are not known");
            Look::Unknown(error.to_string())
        }
    }
}

fn of_inspect(volume: Volume) -> DockerVolume {
    let device = inspect::volume_device(&volume);
    DockerVolume { driver: volume.driver, options: volume.options.into_iter().collect(), device }
}

/// Whether a text can be the name of a volume (moby 28 volume/local `RestrictedNamePattern`); it
/// becomes a part of a path, unescaped.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_name_is_asked_about() {
        for (text, expected) in
            [("demo_models", true), ("a.b-c", true), ("", false), ("../x", false), ("a?b", false)]
        {
            assert_eq!(is_name(text), expected, "{text}");
        }
    }
}
