//! Which containers a project has.

use std::collections::HashMap;

use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::connection::Connection;
use super::{Container, DockerError, label};

/// The ids of the containers of `project` but the own one, one-off ones and hooks.
///
/// # Errors
/// When Docker does not list them.
pub(super) async fn of_project(
    connection: &Connection,
    project: &str,
    myself: Option<&Container>,
) -> Result<Vec<String>, DockerError> {
    let filter = HashMap::from([("label", vec![format!("{}={project}", label::PROJECT)])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filter).build();
    let listed = connection
        .ask("GET /containers/json", connection.docker.list_containers(Some(options)))
        .await?;
    let id = |container: ContainerSummary| {
        let labels = container.labels.unwrap_or_default();
        let one_off = labels.get(label::ONE_OFF).is_some_and(|value| value == label::TRUE);
        let is_hook = labels.contains_key(label::HOOK);
        container.id.filter(|id| !one_off && !is_hook && myself.is_none_or(|own| own.id != *id))
    };
    Ok(listed.into_iter().filter_map(id).collect())
}
