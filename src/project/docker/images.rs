//! What images say about the containers that will be made from them.

use std::collections::BTreeSet;
use std::time::SystemTime;

use bollard::models::ImageInspect;
use futures_util::StreamExt as _;
use indexmap::IndexMap;
use tracing::warn;

use super::connection::Connection;
use super::{Container, DockerError, QUESTIONS_AT_ONCE, inspect, timestamp};
use crate::look::Look;
use crate::options::DockerOptions;
use crate::path::{ServicePath, clean};

/// The defaults of an image, which a service may replace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// The words of the entrypoint.
    pub entrypoint: Vec<String>,
    /// The words of the command.
    pub command: Vec<String>,
    /// Environment.
    pub environment: IndexMap<String, Option<String>>,
    /// Labels.
    pub labels: IndexMap<String, String>,
    /// The user; empty: root.
    pub user: String,
    /// The working directory.
    pub working_dir: Option<ServicePath>,
    /// Where it has volumes (`VOLUME`), sorted.
    pub volumes: Vec<ServicePath>,
    /// A time that it is no younger than.
    pub made: Option<SystemTime>,
}

/// What Docker has of the images with these references. What can be no reference is left out.
pub async fn images(
    options: &DockerOptions,
    references: &BTreeSet<String>,
) -> IndexMap<String, Look<Image>> {
    let Ok(connection) = Connection::open(options) else { return IndexMap::new() };
    let references = references.iter().filter(|reference| is_reference(reference));
    let connection = &connection;
    futures_util::stream::iter(references)
        .map(async |reference| (reference.clone(), image(connection, reference).await))
        .buffered(QUESTIONS_AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

async fn image(connection: &Connection, reference: &str) -> Look<Image> {
    let request = format!("GET /images/{reference}/json");
    match connection.ask(&request, connection.docker.inspect_image(reference)).await {
        Ok(image) => Look::Seen(of_inspect(image)),
        // A proxy that passes less may answer so as well, in other words.
        Err(DockerError::Refused { status: 404, reason, .. })
            if reason.to_lowercase().contains("no such image") =>
        {
            Look::Absent
        }
        Err(error) => {
            warn!(image = reference, %error, "its defaults are not known");
            Look::Unknown(error.to_string())
        }
    }
}

/// Whether a text can be an image reference; it becomes a part of a path, unescaped.
fn is_reference(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/@".contains(&byte);
    !text.is_empty()
        && text.bytes().all(allowed)
        && text.split('/').all(|part| part.starts_with(|first: char| first.is_ascii_alphanumeric()))
}

fn of_inspect(image: ImageInspect) -> Image {
    let made = image.created.as_deref().and_then(timestamp::parse);
    let config = image.config.unwrap_or_default();
    let volumes = config.volumes.unwrap_or_default().into_iter();
    let mut volumes: Vec<ServicePath> =
        volumes.map(|path| ServicePath::new(clean(path.as_ref()))).collect();
    volumes.sort();
    Image {
        made,
        volumes,
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        environment: inspect::environment(&config.env.unwrap_or_default()),
        labels: inspect::sorted(config.labels.unwrap_or_default()),
        user: config.user.unwrap_or_default(),
        working_dir: config.working_dir.filter(|path| !path.is_empty()).map(ServicePath::new),
    }
}

impl From<&Container> for Image {
    /// What a container has got from its image, or from an older file: what a service says of it now is
    /// not the image's.
    fn from(container: &Container) -> Self {
        Self {
            entrypoint: container.entrypoint.clone(),
            command: container.command.clone(),
            environment: container.environment.clone(),
            labels: container.labels.clone(),
            user: container.user.clone(),
            working_dir: container.working_dir.clone(),
            volumes: Vec::new(),
            made: container.created,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_reference_is_asked_about() {
        for (text, expected) in [
            ("vllm/vllm-openai:v0.11.0", true),
            ("localhost:5000/a/b@sha256:00", true),
            ("preflight:test", true),
            ("", false),
            ("../containers/json", false),
            ("a/../../info", false),
            ("a?all=1", false),
            ("a b", false),
            ("a//b", false),
        ] {
            assert_eq!(is_reference(text), expected, "{text}");
        }
    }
}
