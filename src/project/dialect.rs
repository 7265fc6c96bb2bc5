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
    /// Who may give it one that it does not ask for.
    pub gpu_unasked: &'static str,
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
}

const COMPOSE: Words = Words {
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
    gpu_unasked: "the default runtime of Docker may give it one",
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
};

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
    more_shared_memory: "mount `{type: tmpfs, target: /dev/shm, tmpfs: {size: 1073741824}}` into the \
                         service",
    more_memory: |needed| {
        format!(
            "allow the service {needed} MiB (`deploy: {{resources: {{limits: {{memory: {needed}M}}}}}}`)"
        )
    },
    ..COMPOSE
};

static KUBERNETES: Words = Words {
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
    gpu_unasked: "a node may give its GPUs to every container",
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
};

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
}
