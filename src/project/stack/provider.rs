//! Whether the project is the one that Compose has called preflight for, as the provider of one of its
//! services: Compose names neither its files nor its folder.

use super::trust::{self, Withheld};
use crate::options::provider::{TYPE, meant, takes};
use crate::options::{Options, ProjectOptions};
use crate::project::Project;
use crate::project::compose::LoadError;
use crate::project::docker::DockerError;
use crate::source_map::SourceMap;

/// What to do about it.
const NAME_THEM: &str =
    "name them in the service: `provider: {options: {file: /srv/stack/compose.yaml}}`";

/// The error for who has no command line to name files in.
pub(super) fn told(error: LoadError, options: &Options) -> LoadError {
    let is_lost = matches!(&error, LoadError::NotFound { .. });
    if is_lost && options.project.provider_of.is_some() {
        return LoadError::Project { message: error.to_string(), hint: Some(NAME_THEM.to_owned()) };
    }
    error
}

/// Refuses another project than Compose has read, and options that Compose does not pass on.
pub(super) fn check(
    project: &Project,
    options: &Options,
    sources: &SourceMap,
) -> Result<(), LoadError> {
    let Some(name) = &options.project.provider_of else { return Ok(()) };
    let service = project.service(name).filter(|service| service.has_own_provider());
    let Some(service) = service else {
        let files = project.files.iter().map(|file| format!("`{}`", file.display()));
        return Err(LoadError::Project {
            message: format!(
                "{} has no service `{name}` with `provider: {{type: {TYPE}}}`, and Docker Compose does not \
                 say which files it has read",
                files.collect::<Vec<_>>().join(", ")
            ),
            hint: Some(NAME_THEM.to_owned()),
        });
    };
    let said = &project.document["services"][name]["provider"]["options"];
    let mut said = said.as_object().into_iter().flat_map(|options| options.keys());
    let Some(unknown) = said.find(|option| takes(option).is_none()) else { return Ok(()) };
    let message = format!("preflight has no option `{unknown}` for a provider");
    let hint = Some(meant(unknown));
    match service.provider.as_ref().and_then(|provider| provider.place.span) {
        Some(span) => Err(LoadError::Invalid { location: sources.location(span), message, hint }),
        None => Err(LoadError::Project { message, hint }),
    }
}

/// Why the token must not be sent: `.env` has its say in the environment of a provider.
pub(super) fn withheld(
    project: &Project,
    options: &Options,
    sources: &mut SourceMap,
) -> Option<Withheld> {
    options.project.provider_of.as_ref()?;
    let directory = Some(project.directory.as_path().to_path_buf());
    let files = ProjectOptions { directory, ..options.project.clone() };
    let nobody = Err(DockerError::Disabled);
    trust::withheld(&options.hub, &files, (&Ok(project.clone()), &nobody), sources)
}
