//! What each attribute of a Compose document is, as data: the types of compose-go v2.9.1
//! `types/types.go` with their `json` tags. [`super::document`] prints by it and refuses by it.

/// What a value must be, and how it is printed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A string. Left out when empty.
    Text,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// `pull_policy`.
    PullPolicy,
    /// A string, number or boolean, printed as a string. Left out when empty.
    PrintedText,
    /// Left out when false.
    Flag,
    /// The same, where a word is no boolean.
    Switch,
    /// Kept even when false.
    Choice,
    /// Left out when 0.
    Integer,
    /// Kept even when 0.
    Count,
    /// Left out when 0.
    Number,
    /// A size; printed as a string of bytes.
    Bytes,
    /// Printed as Go prints it.
    Duration,
    /// The same, left out when 0.
    NonZeroDuration,
    /// A list of different strings.
    Texts,
    /// A list of strings that may repeat.
    Lines,
    /// A string or a list of strings; printed as a list.
    TextOrTexts,
    /// A list of strings and whole numbers; printed as strings.
    Printed,
    /// A string or a boolean, printed as a string. Left out when empty.
    TextOrFlag,
    /// `container_name`.
    ContainerName,
    /// A size that must be a string.
    BytesText,
    /// A number from the first to the second.
    Within(i128, i128, &'static Self),
    /// Words: a string that is split, or a list of strings. Kept when empty.
    Command,
    /// `healthcheck.test`.
    Test,
    /// `K=V` pairs; a key without a value is null.
    Variables,
    /// `K=V` pairs; a key without a value is empty.
    Pairs,
    /// `extra_hosts`.
    Hosts,
    /// A number or `all`; all is -1.
    DeviceCount,
    /// An octal file mode.
    Mode,
    /// A mapping of strings and numbers.
    DriverOptions,
    /// A mapping with these keys; left out when it is not there.
    Record(&'static [Field]),
    /// The same, where other keys are accepted and not printed.
    Open(&'static [Field]),
    /// The same, where these keys must be there.
    Needs(&'static [&'static str], &'static [Field]),
    /// The same, where every key is printed even if it is not written.
    Full(&'static [Field]),
    /// The same, where null is allowed; Go prints `placement` and `resources` although empty.
    NullableRecord(&'static [Field]),
    /// A mapping for something that is run: its command must be there.
    Hook(&'static [Field]),
    /// A mapping whose values are printed as lists.
    Options,
    /// A list.
    List(&'static Self),
    /// A mapping whose keys the user chooses; left out when empty.
    Table(&'static Self),
    /// `ulimits`.
    Limits,
    /// `build.ssh`: keys, each with its path if it has one.
    Keys,
    /// The same, where a value may be null.
    NullableTable(&'static Self),
    /// A mapping that is printed as it is.
    Object,
    /// Printed as it is.
    Any,
    /// Accepted and not printed.
    Unprinted,
    /// What only releases of Docker Compose from this one on have. Printed as it is.
    Newer(&'static str),
}

impl Shape {
    /// Whether it may be null.
    pub(super) fn is_nullable(self) -> bool {
        matches!(self, Command | NullableRecord(_))
    }

    /// What the value must be, in a message.
    pub(super) fn described(self) -> &'static str {
        match self {
            Text | OneOf(_) | PullPolicy | PrintedText | ContainerName => "a string",
            TextOrFlag => "a string or a boolean",
            Within(_, _, inner) => inner.described(),
            Flag | Switch | Choice => "a boolean",
            Integer | Count | Number | DeviceCount | Mode => "a number",
            Bytes | BytesText => "a size like `16g`",
            Duration | NonZeroDuration => "a duration like `90s`",
            Texts | Lines | Printed | List(_) => "a list",
            TextOrTexts | Command | Test => "a string or a list of strings",
            Variables | Pairs | Hosts | Keys => "a mapping or a list of strings",
            Record(_) | Needs(..) | NullableRecord(_) | Hook(_) | DriverOptions | Options
            | Table(_) | Limits | Full(_) | NullableTable(_) | Object | Any | Unprinted
            | Newer(_) | Open(_) => "a mapping",
        }
    }
}

/// A key of a [`Shape::Record`].
pub(super) type Field = (&'static str, Shape);

use Shape::{
    Any, Bytes, BytesText, Choice, Command, ContainerName, Count, DeviceCount, DriverOptions,
    Duration, Flag, Full, Hook, Hosts, Integer, Keys, Limits, Lines, List, Mode, Needs, Newer,
    NonZeroDuration, NullableRecord, NullableTable, Number, Object, OneOf, Open, Options, Pairs,
    Printed, PrintedText, PullPolicy, Record, Switch, Table, Test, Text, TextOrFlag, TextOrTexts,
    Texts, Unprinted, Variables, Within,
};

/// No number of a Compose file is larger.
const MAX: i128 = u64::MAX as i128;

/// A service.
pub(super) const SERVICE: &[Field] = &[
    ("annotations", Pairs),
    ("attach", Choice),
    ("blkio_config", Record(BLOCK_DEVICES)),
    ("build", Record(BUILD)),
    ("cap_add", Texts),
    ("cap_drop", Texts),
    ("cgroup", OneOf(&["host", "private"])),
    ("cgroup_parent", Text),
    ("command", Command),
    ("configs", List(&Record(FILE_MOUNT))),
    ("container_name", ContainerName),
    ("cpu_count", Within(0, MAX, &Integer)),
    ("cpu_percent", Within(0, 100, &Number)),
    ("cpu_period", Integer),
    ("cpu_quota", Integer),
    ("cpu_rt_period", Integer),
    ("cpu_rt_runtime", Integer),
    ("cpu_shares", Integer),
    ("cpus", Number),
    ("cpuset", Text),
    ("credential_spec", Record(&[("config", Text), ("file", Text), ("registry", Text)])),
    ("depends_on", Table(&Record(DEPENDENCY))),
    ("deploy", NullableRecord(DEPLOY)),
    ("develop", NullableRecord(&[("watch", List(&Needs(&["action", "path"], WATCH)))])),
    ("device_cgroup_rules", Texts),
    ("devices", List(&Needs(&["source"], DEVICE))),
    ("dns", TextOrTexts),
    ("dns_opt", Texts),
    ("dns_search", TextOrTexts),
    ("domainname", Text),
    ("entrypoint", Command),
    ("env_file", List(&Record(&[("format", Any), ("path", Any), ("required", Any)]))),
    ("environment", Variables),
    ("expose", Printed),
    // Only where it names a service that is null.
    ("extends", Any),
    ("external_links", Texts),
    ("extra_hosts", Hosts),
    ("gpus", List(&Open(DEVICE_REQUEST))),
    ("group_add", Printed),
    ("healthcheck", Record(HEALTHCHECK)),
    ("hostname", Text),
    ("image", Text),
    ("init", Choice),
    ("ipc", Text),
    ("isolation", Text),
    ("label_file", Any),
    ("labels", Pairs),
    ("links", Texts),
    ("logging", Record(&[("driver", Text), ("options", DriverOptions)])),
    ("mac_address", Text),
    ("mem_limit", Bytes),
    ("mem_reservation", Bytes),
    ("mem_swappiness", Within(-MAX, MAX, &Bytes)),
    ("memswap_limit", Bytes),
    ("models", NullableTable(&Record(&[("endpoint_var", Text), ("model_var", Text)]))),
    ("network_mode", Text),
    ("networks", NullableTable(&Record(SERVICE_NETWORK))),
    ("oom_kill_disable", Flag),
    ("oom_score_adj", Within(-1000, 1000, &Integer)),
    ("pid", Text),
    ("pids_limit", Integer),
    ("platform", Text),
    ("ports", List(&Record(PORT))),
    ("post_start", List(&Hook(HOOK))),
    ("pre_start", Newer("5.3")),
    ("pre_stop", List(&Hook(HOOK))),
    ("privileged", Flag),
    ("profiles", Texts),
    ("provider", Needs(&["type"], &[("options", Options), ("type", Text)])),
    ("pull_policy", PullPolicy),
    ("pull_refresh_after", Unprinted),
    ("read_only", Flag),
    ("restart", Text),
    ("runtime", Text),
    ("scale", Count),
    ("secrets", List(&Record(FILE_MOUNT))),
    ("security_opt", Texts),
    ("shm_size", Bytes),
    ("stdin_open", Flag),
    ("stop_grace_period", Duration),
    ("stop_signal", Text),
    ("storage_opt", Object),
    ("sysctls", Pairs),
    ("tmpfs", TextOrTexts),
    ("tty", Flag),
    ("ulimits", Limits),
    ("use_api_socket", Switch),
    ("user", Text),
    ("userns_mode", Text),
    ("uts", Text),
    ("volumes", List(&Record(MOUNT))),
    ("volumes_from", Texts),
    ("working_dir", Text),
];

const BLOCK_DEVICES: &[Field] = &[
    ("device_read_bps", List(&Full(RATE))),
    ("device_read_iops", List(&Full(RATE))),
    ("device_write_bps", List(&Full(RATE))),
    ("device_write_iops", List(&Full(RATE))),
    ("weight", WEIGHT),
    ("weight_device", List(&Full(&[("path", Text), ("weight", WEIGHT)]))),
];

const RATE: &[Field] = &[("path", Text), ("rate", Within(-MAX, MAX, &Bytes))];

const WEIGHT: Shape = Within(0, 65535, &Integer);

const BUILD: &[Field] = &[
    ("additional_contexts", Pairs),
    ("args", Variables),
    ("cache_from", Lines),
    ("cache_to", Lines),
    ("context", Text),
    ("dockerfile", Text),
    ("dockerfile_inline", Text),
    ("entitlements", Lines),
    ("extra_hosts", Hosts),
    ("isolation", Text),
    ("labels", Pairs),
    ("network", Text),
    ("no_cache", Flag),
    ("no_cache_filter", Newer("5.0")),
    ("platforms", Lines),
    ("privileged", Flag),
    ("provenance", TextOrFlag),
    ("pull", Flag),
    ("sbom", TextOrFlag),
    ("secrets", List(&Record(FILE_MOUNT))),
    ("shm_size", Within(-MAX, MAX, &Bytes)),
    ("ssh", Keys),
    ("tags", Lines),
    ("target", Text),
    ("ulimits", Limits),
];

const CONDITIONS: &[&str] =
    &["service_started", "service_healthy", "service_completed_successfully"];

const MOUNT_TYPES: &[&str] = &["bind", "volume", "tmpfs", "cluster", "npipe", "image"];

const DEPENDENCY: &[Field] =
    &[("condition", OneOf(CONDITIONS)), ("required", Choice), ("restart", Flag)];

const DEPLOY: &[Field] = &[
    ("endpoint_mode", Text),
    ("labels", Pairs),
    ("mode", Text),
    ("placement", Record(PLACEMENT)),
    ("replicas", Count),
    ("resources", Record(&[("limits", Record(LIMITS)), ("reservations", Record(RESERVATIONS))])),
    ("restart_policy", Record(RESTART_POLICY)),
    ("rollback_config", Record(UPDATE)),
    ("update_config", Record(UPDATE)),
];

const PLACEMENT: &[Field] = &[
    ("constraints", Lines),
    ("max_replicas_per_node", Integer),
    ("preferences", List(&Record(&[("spread", Text)]))),
];

const LIMITS: &[Field] = &[("cpus", Number), ("memory", BytesText), ("pids", Integer)];

const RESERVATIONS: &[Field] = &[
    ("cpus", Number),
    ("devices", List(&Needs(&["capabilities"], DEVICE_REQUEST))),
    (
        "generic_resources",
        List(&Record(&[("discrete_resource_spec", Full(&[("kind", Text), ("value", Integer)]))])),
    ),
    ("memory", BytesText),
];

const RESTART_POLICY: &[Field] =
    &[("condition", Text), ("delay", Duration), ("max_attempts", Count), ("window", Duration)];

const UPDATE: &[Field] = &[
    ("delay", NonZeroDuration),
    ("failure_action", Text),
    ("max_failure_ratio", Number),
    ("monitor", NonZeroDuration),
    ("order", OneOf(&["start-first", "stop-first"])),
    ("parallelism", Within(0, MAX, &Count)),
];

const DEVICE: &[Field] = &[("permissions", Text), ("source", Text), ("target", Text)];

const DEVICE_REQUEST: &[Field] = &[
    ("capabilities", Texts),
    ("count", DeviceCount),
    ("device_ids", Texts),
    ("driver", Text),
    ("options", Pairs),
];

const FILE_MOUNT: &[Field] =
    &[("gid", Text), ("mode", Mode), ("source", Text), ("target", Text), ("uid", Text)];

const HEALTHCHECK: &[Field] = &[
    ("disable", Flag),
    ("interval", Duration),
    ("retries", Within(0, MAX, &Count)),
    ("start_interval", Duration),
    ("start_period", Duration),
    ("test", Test),
    ("timeout", Duration),
];

const HOOK: &[Field] = &[
    ("command", Command),
    ("environment", Variables),
    ("privileged", Flag),
    ("user", Text),
    ("working_dir", Text),
];

const WATCH: &[Field] = &[
    ("action", OneOf(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"])),
    ("exec", Hook(HOOK)),
    ("ignore", TextOrTexts),
    ("include", TextOrTexts),
    ("initial_sync", Switch),
    ("path", Text),
    ("target", Text),
];

const MOUNT: &[Field] = &[
    (
        "bind",
        Record(&[
            ("create_host_path", Flag),
            ("propagation", Text),
            ("recursive", OneOf(&["enabled", "disabled", "writable", "readonly"])),
            ("selinux", OneOf(&["z", "Z"])),
        ]),
    ),
    ("consistency", Text),
    ("image", Record(&[("subpath", Text)])),
    ("read_only", Flag),
    ("source", Text),
    ("target", Text),
    ("tmpfs", Record(&[("mode", Within(0, MAX, &Integer)), ("size", Within(0, MAX, &Bytes))])),
    ("type", OneOf(MOUNT_TYPES)),
    ("volume", Record(&[("labels", Pairs), ("nocopy", Flag), ("subpath", Text)])),
];

const PORT: &[Field] = &[
    ("app_protocol", Text),
    ("host_ip", Text),
    ("mode", Text),
    ("name", Text),
    ("protocol", Text),
    ("published", PrintedText),
    ("target", Within(0, MAX, &Integer)),
];

const SERVICE_NETWORK: &[Field] = &[
    ("aliases", Texts),
    ("driver_opts", DriverOptions),
    ("gw_priority", Integer),
    ("interface_name", Text),
    ("ipv4_address", Text),
    ("ipv6_address", Text),
    ("link_local_ips", Texts),
    ("mac_address", Text),
    ("priority", Integer),
];

/// A top-level network.
pub(super) const NETWORK: &[Field] = &[
    ("attachable", Flag),
    ("driver", Text),
    ("driver_opts", DriverOptions),
    ("enable_ipv4", Choice),
    ("enable_ipv6", Choice),
    ("external", Flag),
    ("internal", Flag),
    ("ipam", Record(&[("config", List(&Record(POOL))), ("driver", Text), ("options", Unprinted)])),
    ("labels", Pairs),
    ("name", Text),
];

const POOL: &[Field] =
    &[("aux_addresses", Pairs), ("gateway", Text), ("ip_range", Text), ("subnet", Text)];

/// A top-level volume.
pub(super) const VOLUME: &[Field] = &[
    ("driver", Text),
    ("driver_opts", DriverOptions),
    ("external", Flag),
    ("labels", Pairs),
    ("name", Text),
];

/// A top-level secret.
pub(super) const SECRET: &[Field] = &[
    ("driver", Text),
    ("driver_opts", DriverOptions),
    ("environment", Text),
    ("external", Flag),
    ("file", Text),
    ("labels", Pairs),
    ("name", Text),
    ("template_driver", Text),
];

/// A top-level config.
pub(super) const CONFIG: &[Field] = &[
    ("content", Text),
    ("environment", Text),
    ("external", Flag),
    ("file", Text),
    ("labels", Pairs),
    ("name", Text),
    ("template_driver", Text),
];

/// A top-level model.
pub(super) const MODEL: Shape = Needs(
    &["model"],
    &[
        ("context_size", Within(-MAX, MAX, &Integer)),
        ("model", Text),
        ("name", Text),
        ("runtime_flags", Lines),
    ],
);
