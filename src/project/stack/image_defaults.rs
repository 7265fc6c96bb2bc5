//! What a service gets from its image. Pure.

use crate::look::Look;
use crate::path::ServicePath;
use crate::project::docker::Observation;
use crate::project::docker::images::Image;
use crate::project::mounts::is_below_another;
use crate::project::{Mount, MountSource, Project, Service};
use crate::source_map::{Place, Spanned};

impl Project {
    /// Fills in, for every service that is known as it is written, what Docker takes from its image:
    /// entrypoint, command, environment, labels, user and working directory. Where Docker has the image no
    /// more, or does not tell, its container has them. One that is known as its container has it has them
    /// already.
    #[must_use]
    pub fn with_image_defaults(mut self, observation: &Observation) -> Self {
        for service in &mut self.services {
            if service.observed {
                continue;
            }
            let reference = service.image_reference(&self.name);
            let image = reference.and_then(|reference| observation.images.get(&reference));
            let container = || observation.container(&self.name, &service.name.value);
            match image {
                Some(Look::Seen(image)) => fill_in(service, image),
                Some(Look::Absent | Look::Denied(_) | Look::Unknown(_)) | None => {
                    if let Some(container) = container() {
                        fill_in(service, &Image::from(container));
                    }
                }
            }
        }
        self
    }
}

fn fill_in(service: &mut Service, image: &Image) {
    service.has_image = true;
    service.image_labels.clone_from(&image.labels);
    service.image_made = image.made;
    // An entrypoint of the service's own takes the image's command away with the image's entrypoint, and
    // one that is cleared that entrypoint alone (moby 28, daemon/commit.go, `merge`).
    if service.entrypoint.as_ref().is_none_or(Vec::is_empty) {
        if service.command.as_ref().is_none_or(Vec::is_empty) {
            service.command = Some(spanned(&image.command));
        }
        service.entrypoint.get_or_insert_with(|| spanned(&image.entrypoint));
    }
    for (name, value) in &image.environment {
        let value = || Spanned::nowhere(value.clone());
        service.environment.entry(name.clone()).or_insert_with(value);
    }
    for (name, value) in &image.labels {
        service.labels.entry(name.clone()).or_insert_with(|| Spanned::nowhere(value.clone()));
    }
    if service.user.is_none() && !image.user.is_empty() {
        service.user = Some(Spanned::nowhere(image.user.clone()));
    }
    service.working_dir = service.working_dir.take().or_else(|| image.working_dir.clone());
    for target in &image.volumes {
        cover(service, target);
    }
}

/// Adds a volume of the image, if it hides something that another mount shows: Docker mounts one without
/// a name there. A mount at the same target takes its place.
pub(super) fn cover(service: &mut Service, target: &ServicePath) {
    let is_replaced = service.mounts.iter().any(|mount| mount.target == *target);
    if !is_replaced && is_below_another(&service.mounts, target) {
        service.mounts.push(Mount {
            source: MountSource::Anonymous,
            target: target.clone(),
            read_only: false,
            place: Place::nowhere(),
        });
    }
}

fn spanned(words: &[String]) -> Vec<Spanned<String>> {
    words.iter().cloned().map(Spanned::nowhere).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::docker::Container;

    fn image() -> Image {
        Image {
            entrypoint: vec!["vllm".to_owned(), "serve".to_owned()],
            command: vec!["--help".to_owned()],
            environment: [("HF_HOME", "/data"), ("A", "image"), ("GONE", "image")]
                .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
                .into(),
            user: "1000".to_owned(),
            ..Image::default()
        }
    }

    /// `vllm` of the image above, changed by `change`, beside those containers.
    fn filled(change: impl FnOnce(&mut Service), containers: Vec<Container>) -> Service {
        let mut service = Service::named(Spanned::nowhere("vllm".to_owned()));
        service.image = Some(Spanned::nowhere("vllm:1".to_owned()));
        change(&mut service);
        let mut observation = Observation::of(containers);
        observation.images.insert("vllm:1".to_owned(), Look::Seen(image()));
        let project = Project::of("demo", vec![service]).with_image_defaults(&observation);
        project.services.into_iter().next().unwrap()
    }

    fn words(words: Option<&Vec<Spanned<String>>>) -> Vec<&str> {
        words.into_iter().flatten().map(|word| word.value.as_str()).collect()
    }

    #[test]
    fn what_a_service_does_not_say_is_the_image_s() {
        let service = filled(|_| {}, Vec::new());
        assert_eq!(words(service.entrypoint.as_ref()), ["vllm", "serve"]);
        assert_eq!(words(service.command.as_ref()), ["--help"]);
        assert_eq!(service.user.unwrap().value, "1000");
        assert_eq!(service.environment["HF_HOME"].value.as_deref(), Some("/data"));
    }

    #[test]
    fn what_a_service_says_is_its_own() {
        let own = |text: &str| Some(vec![Spanned::nowhere(text.to_owned())]);
        let service = filled(
            |service| {
                service.command = own("--model");
                service.user = Some(Spanned::nowhere("7".to_owned()));
                let variables = [("A", Some("file".to_owned())), ("GONE", None)];
                let variables = variables.map(|(name, value)| (name.to_owned(), value));
                service.environment =
                    variables.map(|(name, value)| (name, Spanned::nowhere(value))).into();
            },
            Vec::new(),
        );
        assert_eq!(words(service.entrypoint.as_ref()), ["vllm", "serve"]);
        assert_eq!(words(service.command.as_ref()), ["--model"]);
        assert_eq!(service.user.unwrap().value, "7");
        assert_eq!(service.environment["A"].value.as_deref(), Some("file"));
        assert_eq!(service.environment["GONE"].value, None);
        let service = filled(|service| service.entrypoint = own("sh"), Vec::new());
        assert_eq!(words(service.entrypoint.as_ref()), ["sh"]);
        assert_eq!(words(service.command.as_ref()), Vec::<&str>::new());
    }

    #[test]
    fn an_entrypoint_that_is_cleared_is_none() {
        let service = filled(|service| service.entrypoint = Some(Vec::new()), Vec::new());
        assert_eq!(words(service.entrypoint.as_ref()), Vec::<&str>::new());
        assert_eq!(words(service.command.as_ref()), ["--help"]);
        let service = filled(|service| service.command = Some(Vec::new()), Vec::new());
        assert_eq!(words(service.entrypoint.as_ref()), ["vllm", "serve"]);
        assert_eq!(words(service.command.as_ref()), ["--help"]);
    }

    #[test]
    fn a_container_says_what_its_image_no_longer_does() {
        let mut container = Container::of_service("demo", "vllm");
        container.entrypoint = vec!["vllm".to_owned(), "serve".to_owned()];
        container.command = vec!["--port".to_owned(), "81".to_owned()];
        container.environment.insert("HF_HOME".to_owned(), Some("/data".to_owned()));
        let gone = |service: &mut Service| {
            service.image = Some(Spanned::nowhere("vllm:gone".to_owned()));
        };
        let service = filled(gone, vec![container.clone()]);
        assert_eq!(words(service.entrypoint.as_ref()), ["vllm", "serve"]);
        assert_eq!(words(service.command.as_ref()), ["--port", "81"]);
        assert_eq!(service.environment["HF_HOME"].value.as_deref(), Some("/data"));
        let said = |service: &mut Service| {
            gone(service);
            service.command = Some(vec![Spanned::nowhere("/m".to_owned())]);
        };
        let service = filled(said, vec![container]);
        assert_eq!(words(service.command.as_ref()), ["/m"]);
    }

    #[test]
    fn what_is_built_is_known_by_the_name_that_compose_gives_it() {
        let mut service = Service::named(Spanned::nowhere("vllm".to_owned()));
        service.has_image = true;
        let mut observation = Observation::of(Vec::new());
        observation.images.insert("demo-vllm".to_owned(), Look::Seen(image()));
        let project = Project::of("demo", vec![service]).with_image_defaults(&observation);
        assert_eq!(words(project.services[0].entrypoint.as_ref()), ["vllm", "serve"]);
    }

    #[test]
    fn a_container_speaks_for_itself() {
        let container = || vec![Container::of_service("demo", "vllm")];
        let service = filled(|service| service.observed = true, container());
        assert_eq!((service.entrypoint, service.user), (None, None));
        let service = filled(|_| {}, container());
        assert_eq!(service.user.unwrap().value, "1000");
    }
}
