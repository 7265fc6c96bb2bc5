//! Which containers a project has: of a list, no more is read than that.

use bollard_stubs::models::ContainerSummaryStateEnum;
use serde::{Deserialize, Deserializer};

use super::connection::Connection;
use super::question::Question;
use super::{Container, DockerError, label};
use crate::bounded::Bounded;
use crate::limits::MOST_CONTAINERS;

/// What is read of a container in a list.
#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(default, rename = "Id")]
    id: String,
    #[serde(default, rename = "Labels", deserialize_with = "or_default")]
    labels: ListedLabels,
    /// One that is not known makes the list one that cannot be read.
    #[serde(default, rename = "State")]
    _state: Option<ContainerSummaryStateEnum>,
}

#[derive(Debug, Default, Deserialize)]
struct ListedLabels {
    #[serde(default, rename = "com.docker.compose.oneoff")]
    one_off: Option<String>,
    #[serde(default, rename = "com.docker.compose.hook")]
    hook: Option<String>,
}

/// Where there is `null` as well.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The ids of the containers of `project` but the own one, one-off ones and hooks.
///
/// # Errors
/// When Docker does not list them, or more than a project can have.
pub(super) async fn of_project(
    connection: &Connection,
    project: &str,
    myself: Option<&Container>,
) -> Result<Vec<String>, DockerError> {
    let filter = serde_json::json!({"label": [format!("{}={project}", label::PROJECT)]});
    let filter = filter.to_string();
    let query = [("all", "true"), ("filters", filter.as_str())];
    let question = Question { query: &query, ..Question::get("/containers/json") };
    let Bounded::<Listed, MOST_CONTAINERS>(listed) = connection.ask_many(&question).await?;
    let is_sibling = |listed: &Listed| {
        let one_off = listed.labels.one_off.as_deref() == Some(label::TRUE);
        !one_off && listed.labels.hook.is_none() && myself.is_none_or(|own| own.id != listed.id)
    };
    let siblings = listed.into_iter().filter(is_sibling);
    Ok(siblings.map(|listed| listed.id).filter(|id| is_id(id)).collect())
}

/// Whether a text can be the id or the name of a container; it becomes a part of a path.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}
