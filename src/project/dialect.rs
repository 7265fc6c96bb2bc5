//! In which language a project is written, and what that calls things. Who tells of a project asks for
//! words here, and never which language it is.

use std::path::Path;

/// The language of the files of a project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Docker Compose's.
    #[default]
    Compose,
    /// Docker Swarm's, which is that of Compose with other effects.
    Swarm,
    /// Kubernetes': each container of a Pod is a service.
    Kubernetes,
}

/// How something is said of a project in the words of its language.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// What it is that is not edited, and what to do instead; absent: it is.
    pub not_edited: Option<(&'static str, &'static str)>,
    /// Why no service waits for another one, if none does.
    pub nobody_waits: Option<&'static str>,
    /// What one of its services is.
    pub service: &'static str,
    /// Where what is written is run, if nobody here can be asked about it.
    pub runs_at: Option<&'static str>,
    /// Why what is in a volume is not seen by hand; behind the name of the volume.
    pub volume_is_elsewhere: &'static str,
    /// Why a path of the host is not seen where the host is another machine.
    pub host_is_elsewhere: &'static str,
    /// How files that this machine does not have get seen by hand.
    pub see_files: &'static str,
    /// The same of what is in a volume.
    pub see_volume: &'static str,
    /// How the preflight of a stack gets to see them.
    pub see_inside: &'static str,
    /// What the words of a program are written under.
    pub arguments: &'static str,
    /// What a service is told about preflight in.
    pub label: &'static str,
    /// How a lane is declared.
    pub declare_lane: &'static str,
    /// How the path of a lane is said.
    pub say_path: &'static str,
    /// How a service asks for a GPU.
    pub ask_for_gpu: &'static str,
    /// What says that it wants so many.
    pub so_many_gpus: fn(u64) -> String,
    /// Who may give it one that it does not ask for.
    pub gpu_unasked: &'static str,
    /// How engines get GPUs of their own.
    pub other_gpus: &'static str,
    /// How a service may keep what it maps in memory.
    pub lock_memory: &'static str,
    /// How a service, the second, may write to what is mounted at a path.
    pub mount_writable: fn(&str, &str) -> String,
    /// The same of preflight, in whose volume, or folder of the host, something is missing.
    pub preflight_writable: fn(&str) -> String,
    /// The same where the rights of its user do not suffice.
    pub preflight_rights: &'static str,
    /// How preflight gets to see what a service has mounted.
    pub see_same: &'static str,
    /// How a port of the host, the first, leads to one of a service.
    pub publish_at: fn(u16, u16) -> String,
    /// Which services a lane may name.
    pub name_service: &'static str,
    /// How preflight gets to know where engines answer.
    pub say_address: &'static str,
    /// Whose the size of `/dev/shm` is that nobody says.
    pub shared_memory_by_default: &'static str,
    /// Whether that is what it gets, wherever it is run.
    pub shared_memory_is_certain: bool,
    /// How a service gets more of it.
    pub more_shared_memory: &'static str,
    /// How a service gets more memory, in MiB.
    pub more_memory: fn(u64) -> String,
    /// How the models are mounted at a folder.
    pub mount_models: fn(&str) -> String,
    /// How a service keeps what it downloads into a folder: its name, and the folder.
    pub keep_cache: fn(&str, &str) -> String,
    /// How a folder and a name in it come into a volume.
    pub fill_volume: fn(&str, &Path) -> String,
    /// What services have printed, as something that is read.
    pub log: fn(&[String]) -> String,
    /// What shows whether services run.
    pub state: fn(&[String]) -> String,
    /// How services are started again as they are written.
    pub start_again: fn(&[String]) -> String,
}

const COMPOSE: Words = Words {
    service: "service",
    not_edited: None,
    nobody_waits: None,
    runs_at: None,
    volume_is_elsewhere: "belongs to Docker",
    host_is_elsewhere: "the files are on the machine of the Docker Engine",
    see_files: "make the containers with `docker compose create`: preflight looks into them and nothing \
                is started; or run it as a service of the stack",
    see_volume: "run `docker compose create` first: what is in a volume is seen through the container",
    see_inside: "mount the models into preflight as the service has them",
    arguments: "`command`",
    label: "label",
    declare_lane: "declare one with the labels `preflight.lane` and `preflight.path` of its service, or \
                   under `x-preflight: {lanes: ...}`; `preflight explain no-lane` shows both",
    say_path: "name the model in `command`, or say its path with the label `preflight.path` of the \
               service",
    ask_for_gpu: "give the service `gpus: all`, or `deploy: {resources: {reservations: {devices: \
                  [{driver: nvidia, count: all, capabilities: [gpu]}]}}}`",
    so_many_gpus: |count| format!("`count: {count}`, or as many `device_ids`"),
    gpu_unasked: "the default runtime of Docker may give it one",
    other_gpus: "give them other GPUs (`device_ids`)",
    lock_memory: "say `ulimits: {memlock: -1}` of the service",
    mount_writable: |path, service| format!("mount `{path}` without `:ro` in service `{service}`"),
    preflight_writable: |host| {
        format!(
            "mount the models without `:ro` in preflight's service; the shipped `preflight.yaml` does it \
             with `MODELS_PATH={host}` in `.env`"
        )
    },
    preflight_rights: "set `PREFLIGHT_UID` and `PREFLIGHT_GID` to the folder's owner, or change the owner",
    see_same: "mount the same models folder into the `preflight` service, read-only is enough",
    publish_at: |host, port| format!("`\"{host}:{port}\"`"),
    name_service: "name a service of the project, or enable the profile that the service belongs to with \
                   `--profile`",
    say_address: "let preflight ask Docker where the containers are (without `--no-docker`), or say it with \
                  `x-preflight: {lanes: {LANE: {smoke: {url: ...}}}}`",
    shared_memory_by_default: "Docker's default",
    shared_memory_is_certain: true,
    more_shared_memory: "set `shm_size: 1gb` of the service, or `ipc: host`",
    more_memory: |needed| format!("allow the service {needed} MiB (`mem_limit: {needed}m`)"),
    mount_models: |folder| {
        format!("mount the models folder there, for example `${{MODELS_PATH:-./models}}:{folder}`")
    },
    keep_cache: |service, folder| {
        format!(
            "add `- huggingface:{folder}` to the `volumes` of service `{service}`, and \
             `huggingface:` to the `volumes` of the project"
        )
    },
    fill_volume: |name, path| {
        let folder = path.parent().unwrap_or(Path::new("")).display();
        let file = path.file_name().map(Path::new).unwrap_or(Path::new("")).display();
        format!(
            "it has to be in the volume `{name}`: `docker run --rm -v {name}:/to -v .:/from:ro alpine sh -c \
             'mkdir -p /to/{folder} && cp -r /from/{file} /to/{folder}/'` takes it from the folder that \
             you are in; or correct the path that the service is given"
        )
    },
    log: |services| format!("`docker compose logs --tail 50{}`", spaced(services)),
    state: |services| format!("`docker compose ps -a{}`", spaced(services)),
    start_again: |services| format!("`docker compose up -d{}`", spaced(services)),
};

fn spaced(services: &[String]) -> String {
    services.iter().map(|service| format!(" {service}")).collect()
}

/// Seen from the machine that deploys it, a volume is on any node.
static SWARM: Words = Words {
    not_edited: Some((
        "is a stack for Docker Swarm",
        "put `preflight exec --` in front of the engines: docs/swarm.md shows a stack",
    )),
    nobody_waits: Some("Docker Swarm waits for nobody"),
    volume_is_elsewhere: "belongs to a node of the Swarm",
    see_files: "run preflight as a job of the stack, with the same volume at the same path",
    see_volume: "run preflight as a job of the stack, with the same volume at the same path",
    ask_for_gpu: "make `nvidia` the default runtime of the nodes, and reserve a GPU with \
                  `generic_resources`",
    gpu_unasked: "the default runtime of a node may give it one",
    say_address: "say it with `x-preflight: {lanes: {LANE: {smoke: {url: ...}}}}`",
    other_gpus: "run them on other nodes (`deploy: {placement: ...}`)",
    more_shared_memory: "mount `{type: tmpfs, target: /dev/shm, tmpfs: {size: 1073741824}}` into the \
                         service",
    more_memory: |needed| {
        format!(
            "allow the service {needed} MiB (`deploy: {{resources: {{limits: {{memory: {needed}M}}}}}}`)"
        )
    },
    log: |services| format!("`docker service logs STACK{}`", named(services)),
    state: |_| "`docker stack ps STACK`".to_owned(),
    start_again: |_| "`docker stack deploy -c FILE STACK`".to_owned(),
    ..COMPOSE
};

/// The first of the services, as a stack calls it.
fn named(services: &[String]) -> String {
    services.first().map(|service| format!("_{service}")).unwrap_or_default()
}

static KUBERNETES: Words = Words {
    service: "container",
    not_edited: Some((
        "are manifests of Kubernetes",
        "put an init container into the Pod: docs/kubernetes.md shows one",
    )),
    nobody_waits: None,
    runs_at: Some("the cluster"),
    volume_is_elsewhere: "is in the cluster",
    host_is_elsewhere: "the files are on a node of the cluster",
    see_files: "run preflight as an init container of the Pod, with the same volume at the same path",
    see_volume: "run preflight as an init container of the Pod, with the same volume at the same path",
    see_inside: "mount the volume of the models into the container of preflight, at the same path",
    arguments: "`args`",
    label: "annotation",
    declare_lane: "declare one with the annotations `preflight.lane/CONTAINER` and \
                   `preflight.path/CONTAINER` of its Pod",
    say_path: "name the model in `args`, or say its path with the annotation `preflight.path/CONTAINER` \
               of the Pod",
    ask_for_gpu: "give the container `resources: {limits: {nvidia.com/gpu: 1}}`",
    so_many_gpus: |count| format!("`limits: {{nvidia.com/gpu: {count}}}`"),
    gpu_unasked: "a node may give its GPUs to every container",
    other_gpus: "give each GPUs of its own (`limits: {nvidia.com/gpu: 1}`)",
    lock_memory: "let the container's `securityContext` say `capabilities: {add: [IPC_LOCK]}`",
    mount_writable: |path, container| {
        format!("mount `{path}` without `readOnly` in container `{container}`")
    },
    preflight_writable: |_| {
        "mount the volume of the models into the container of preflight without `readOnly`"
            .to_owned()
    },
    preflight_rights: "let the `securityContext` of the Pod say `fsGroup` with the group of the folder, or \
                       that of preflight `runAsUser` with its owner",
    see_same: "mount the same volume into the container of preflight, at the same path; `readOnly` is enough",
    publish_at: |host, _| format!("`hostPort: {host}`"),
    name_service: "name a container of the manifests as `preflight plan` shows it: `KIND/NAME/CONTAINER`",
    say_address: "say it in a file beside the manifests, `x-preflight: {lanes: {LANE: {smoke: {url: ...}}}}`: a \
                  port of this machine behind `kubectl port-forward`, or run it in the cluster",
    shared_memory_by_default: "what most nodes give a container",
    shared_memory_is_certain: false,
    more_shared_memory: "mount an `emptyDir: {medium: Memory, sizeLimit: 1Gi}` at `/dev/shm`",
    more_memory: |needed| {
        format!("allow the container {needed} MiB (`limits: {{memory: {needed}Mi}}`)")
    },
    mount_models: |folder| {
        format!(
            "mount the volume with the models there: `volumeMounts: [{{name: models, mountPath: {folder}}}]`, \
             and `models` under `volumes` of the Pod"
        )
    },
    keep_cache: |service, folder| {
        format!(
            "mount a volume with a claim at `{folder}` of `{service}`: `volumeMounts: [{{name: \
             huggingface, mountPath: {folder}}}]`"
        )
    },
    fill_volume: |name, path| {
        let path = path.display();
        format!(
            "it has to be at `{path}` in the volume `{name}`, or correct the path that the container is \
             given"
        )
    },
    log: |services| match services.first().and_then(|service| service.rsplit_once('/')) {
        Some((pod, container)) => {
            format!("`kubectl logs --tail 50 {} -c {container}`", object(pod))
        }
        None => "the log of its container".to_owned(),
    },
    state: |services| match services.first().and_then(|service| service.rsplit_once('/')) {
        Some((pod, _)) => format!("`kubectl describe {}`", object(pod)),
        None => "`kubectl get pods`".to_owned(),
    },
    start_again: |_| "`kubectl apply -f FILE`".to_owned(),
};

/// `kind/name` of the object that makes a Pod.
fn object(pod: &str) -> &str {
    let mut slashes = pod.match_indices('/').map(|(at, _)| at);
    let end = slashes.nth(1).unwrap_or(pod.len());
    pod.get(..end).unwrap_or(pod)
}

impl Dialect {
    /// The words of the language.
    #[must_use]
    pub fn words(self) -> &'static Words {
        match self {
            Self::Compose => &COMPOSE,
            Self::Swarm => &SWARM,
            Self::Kubernetes => &KUBERNETES,
        }
    }

    /// A sentence about services in the words of the language. What stands between backticks is
    /// somebody's own.
    #[must_use]
    pub fn told(self, sentence: &str) -> String {
        let word = self.words().service;
        let parts = sentence.split('`').enumerate().map(|(index, part)| match index % 2 {
            0 => with_word(part, word),
            _ => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("`")
    }
}

/// What a sentence calls a service that speaks of no language.
const SERVICE: &str = "service";

/// The same with another word for a service; longer words that have it in them stay.
fn with_word(part: &str, word: &str) -> String {
    let mut said = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, behind)) = rest.split_once(SERVICE) {
        let is_part = |it: char| it.is_alphanumeric() || matches!(it, '_' | '-' | '/');
        let ends = behind.strip_prefix('s').unwrap_or(behind);
        let is_word = !before.ends_with(is_part) && !ends.starts_with(is_part);
        said.push_str(before);
        said.push_str(if is_word { word } else { SERVICE });
        rest = behind;
    }
    said + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sentence: &str, expected: &str) {
        assert_eq!(Dialect::Compose.told(sentence), sentence);
        assert_eq!(Dialect::Kubernetes.told(sentence), expected);
    }

    #[test]
    fn a_service_is_called_as_its_language_calls_it() {
        check(
            "the command of service `a/service` names none",
            "the command of container `a/service` names none",
        );
        check("the service's services, a service", "the container's containers, a container");
        check("serviced by micro-service, service_a", "serviced by micro-service, service_a");
        check("`a service", "`a service");
    }
}
