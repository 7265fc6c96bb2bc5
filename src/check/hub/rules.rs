//! The rules of the hub family and what `preflight explain` says about them.

use crate::exit_code::ExitCode;
use crate::finding::{Rule, Severity};

pub(super) static OFFLINE: Rule = Rule {
    id: "offline",
    severity: Severity::Error,
    exit: ExitCode::Network,
    docs: "Files of a lane are missing, and preflight was told not to use the network.

`--offline` and `HF_HUB_OFFLINE=1` are meant for hosts where the models are already in place. A \
missing file can then only be reported.

## Example

```console
$ HF_HUB_OFFLINE=1 preflight fetch
```

## Fix

Run `preflight fetch` once where the hub can be reached, or copy the files to the lane's folder.",
};

pub(super) static TOKEN_MISSING: Rule = Rule {
    id: "token-missing",
    severity: Severity::Error,
    exit: ExitCode::Access,
    docs: "The repository is gated, and no token is set.

Gated repositories show their listing to everyone and their files only to accounts that accepted \
the terms. The token tells which account it is.

## Example

`hf://meta-llama/Llama-3.2-11B-Vision-Instruct` without `HF_TOKEN`.

## Fix

Accept the terms on the repository's page, make a token with the right to read, and set it:

```sh
export HF_TOKEN=hf_...
```

In a container, `HF_TOKEN` has to be in the service's environment, or the token in a secret named \
`hf_token`.",
};

pub(super) static TOKEN_REJECTED: Rule = Rule {
    id: "token-rejected",
    severity: Severity::Error,
    exit: ExitCode::Access,
    docs: "The hub does not know the token: it has expired, was revoked, or was copied in part.

A wrong token is worse than none: it closes public repositories too.

## Example

`HF_TOKEN=hf_abc` where the token is longer.

## Fix

Make a new token and set `HF_TOKEN`; or unset it where only public repositories are used.",
};

pub(super) static MODEL_GATED: Rule = Rule {
    id: "model-gated",
    severity: Severity::Error,
    exit: ExitCode::Access,
    docs: "The token is valid, and its owner has not been let in.

The authors of a gated repository decide who may have its files; some do so by hand, which can \
take days.

## Example

`meta-llama/Llama-3.2-11B-Vision-Instruct` with the token of an account that never accepted the \
licence.

## Fix

Open the page that the finding names with the account that owns the token, accept the terms, and \
wait for the answer.",
};

pub(super) static ACCESS_FORBIDDEN: Rule = Rule {
    id: "access-forbidden",
    severity: Severity::Error,
    exit: ExitCode::Access,
    docs: "The hub refuses access and gives a reason of its own, which the finding repeats.

Mostly a fine-grained token without the right to read gated repositories, or a repository that has \
been disabled.

## Example

A token made for one organisation, used for a repository of another.

## Fix

Give the token the right in its settings, or use another repository.",
};

pub(super) static MODEL_NOT_FOUND: Rule = Rule {
    id: "model-not-found",
    severity: Severity::Error,
    exit: ExitCode::Access,
    docs: "The hub has no such repository, or has one that is private.

The hub gives the same answer to both, so that nobody can learn which private repositories exist. \
The answer cannot tell a misspelt name from a token that is missing.

## Example

`hf://Qwen/Qwen2.5-Coder-32B-Instruc`

## Fix

Correct the name; for a private repository set `HF_TOKEN` to a token that may read it.",
};

pub(super) static REVISION_NOT_FOUND: Rule = Rule {
    id: "revision-not-found",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "The repository exists and has no such branch, tag or commit.

Another revision is another model: none is taken in its place, and nothing is fetched.

## Example

`hf://Qwen/Qwen2.5-7B-Instruct@v2`

## Fix

Name a revision that the repository's page shows, or leave `@...` out for `main`.",
};

pub(super) static FILE_NOT_IN_REPO: Rule = Rule {
    id: "file-not-in-repo",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "The repository exists and has no file of that name.

Names are compared exactly first, then without regard to case and to `-`, `.` and `_`. If two files \
remain, none is taken.

## Example

`hf://bartowski/granite-3.0-8b-instruct-GGUF/granite-3.0-8b-Q4.gguf`

## Fix

Use one of the names that the finding lists.",
};

pub(super) static RATE_LIMITED: Rule = Rule {
    id: "rate-limited",
    severity: Severity::Error,
    exit: ExitCode::Network,
    docs: "The hub has had too many requests from this address or account.

It counts in windows of five minutes. preflight waits for the end of a window; this is what is left \
after that. Requests without a token share the limit of the address, which in a company or a cloud \
may be that of many.

## Example

Twenty CI jobs behind one address, none with a token, that all fetch at nine o'clock.

## Fix

Set `HF_TOKEN`, or come back later.",
};

pub(super) static HUB_UNREACHABLE: Rule = Rule {
    id: "hub-unreachable",
    severity: Severity::Error,
    exit: ExitCode::Network,
    docs: "The hub gives no answer, or one that makes no sense, after several attempts.

The finding repeats the innermost cause: a name that cannot be resolved, a connection that is \
refused, a certificate that is not trusted, an error of the hub itself.

## Example

An init container on a Compose network with `internal: true`.

## Fix

Check from the same place that the endpoint answers. `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` and \
`HF_ENDPOINT` mean what they mean elsewhere.",
};

pub(super) static UNSAFE_NAME: Rule = Rule {
    id: "unsafe-name",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs:
        "The repository lists a file whose name leads out of the lane's folder, or hides what it \
is: `..`, an absolute path, a backslash, a control character, or a name that `hf` keeps for itself.

No repository needs such a name. Nothing of the repository is fetched.

## Example

A repository that lists `../../.ssh/authorized_keys`.

## Fix

Do not use the repository. If you trust it, leave the file out with `exclude`.",
};

pub(super) static DISK_SPACE_SHORT: Rule = Rule {
    id: "disk-space-short",
    severity: Severity::Error,
    exit: ExitCode::Disk,
    docs: "What has to be fetched does not fit on the disk. Known before the first byte.

Lanes that share a disk are counted together.

## Example

A 64 GB model and a 50 GB disk.

## Fix

Free the space that the finding names, or choose lanes with `--lane`.",
};

pub(super) static REVISION_NOT_PINNED: Rule = Rule {
    id: "revision-not-pinned",
    severity: Severity::Note,
    exit: ExitCode::Ready,
    docs: "The source names a branch or a tag, which can move.

Two hosts that fetch on two days can then serve two models.

## Example

`hf://Qwen/Qwen2.5-7B-Instruct`

## Fix

Name the commit, as the finding shows.",
};

pub(super) static DOWNLOAD_CORRUPT: Rule = Rule {
    id: "download-corrupt",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs: "The bytes that arrived are not the ones that the hub lists, twice in a row.

Every file is hashed while it arrives and compared with the hub's own id of its content. What does \
not agree is never given its final name.

## Example

A caching proxy that still serves last week's `config.json` under this week's address.

## Fix

Fetch again. If it stays, something between here and the hub changes files: a caching proxy, a \
mirror that is out of date, bad memory.",
};

pub(super) static DOWNLOAD_STALLED: Rule = Rule {
    id: "download-stalled",
    severity: Severity::Error,
    exit: ExitCode::Network,
    docs: "The connection stayed open and brought nothing, several times in a row.

preflight leaves a silent connection and continues on a new one where the old one ended. This is \
what is left when that does not help.

## Example

A firewall that forgets connections after a minute and tells neither side.

## Fix

Fetch again; look at proxies and at the path to the hub's storage, which is another host than the \
hub.",
};

pub(super) static DOWNLOAD_TIMED_OUT: Rule = Rule {
    id: "download-timed-out",
    severity: Severity::Error,
    exit: ExitCode::Network,
    docs: "Fetching took longer than `--timeout` allows.

Without that flag a fetch may take as long as it moves. What has come is kept beside the files, and \
the next fetch goes on from there.

## Example

```console
$ preflight fetch --timeout 10m
```

## Fix

Fetch again, or give it more time.",
};

pub(super) static DISK_FULL: Rule = Rule {
    id: "disk-full",
    severity: Severity::Error,
    exit: ExitCode::Disk,
    docs: "The disk, or the quota of the user, was full while a file was written.

Something else has used what was free before the fetch began. What has come is kept.

## Example

A database on the same disk grows by 20 GB while 18 of 40 GB have arrived.

## Fix

Free space and fetch again.",
};

pub(super) static LOCKED_BY_OTHER: Rule = Rule {
    id: "locked-by-other",
    severity: Severity::Error,
    exit: ExitCode::Locked,
    docs: "Another process (a second preflight, `hf download`, an engine) brings the same file. It was \
waited for while it moved, and for a minute after that.

A process that has ended holds nothing: the kernel frees its lock. Where the file system has no \
locks, preflight keeps a file beside the lock that is renewed every five seconds, and takes over what \
was not renewed for a minute. So the process named here is alive and stuck, or was stopped.

## Example

```console
$ preflight fetch
coder: waiting for model.safetensors: held by pid 4242 (`hf`), which has not moved for 50 s
```

## Fix

Look at that process, end it if it does nothing, and fetch again.",
};

pub(in crate::check) static NOT_WRITABLE: Rule = Rule {
    id: "not-writable",
    severity: Severity::Error,
    exit: ExitCode::Mount,
    docs: "Files of a lane have to be fetched, and preflight may not write into their folder: its \
own mount of the models is read-only, or the folder belongs to another user.

It is said before the first byte: a download of hours that ends in `permission denied` helps nobody.

## Example

```yaml
services:
  preflight:
    user: 1000:1000
    volumes: [./models:/models]   # owned by root
```

## Fix

Mount it without `:ro` in preflight's service, run preflight as the folder's owner \
(`PREFLIGHT_UID`, `PREFLIGHT_GID`), or fetch by hand with `preflight fetch`.",
};

pub(super) static SYMLINK_LEAVES_FOLDER: Rule = Rule {
    id: "symlink-leaves-folder",
    severity: Severity::Error,
    exit: ExitCode::Mount,
    docs:
        "A folder below a lane's folder is a symbolic link that leads out of it, and a file of the \
repository would be written through it.

preflight writes model files below the lane's folder and nowhere else: what a hub lists must not \
decide which other folder of the host is written to. The lane's folder itself may be a link.

## Example

`models/coder/1_Pooling -> /etc/app`, and a repository with `1_Pooling/config.json`.

## Fix

Remove the link, or put the whole lane where it leads.",
};

pub(super) static WOULD_FETCH: Rule = Rule {
    id: "would-fetch",
    severity: Severity::Note,
    exit: ExitCode::Ready,
    docs: "`preflight fetch --dry-run` has asked the source of a lane and looked at the disk, and this \
is what a fetch would bring: every file, where to, and how large.

The lane counts as ready, because nothing stands in the way of its fetch. Its files were not judged.

## Example

```console
$ preflight fetch --dry-run --lane coder
```

## Fix

Run `preflight fetch`.",
};

pub(super) static FILES_LEFT_OUT: Rule = Rule {
    id: "files-left-out",
    severity: Severity::Note,
    exit: ExitCode::Ready,
    docs: "The repository has files that the lane's engine does not load, and they are not fetched: the \
same weights as pickles beside safetensors, for another program (ONNX, OpenVINO, TensorFlow, Flax, \
GGUF), in the layout of their authors (`original/`, `consolidated*`), and what a training run left.

A file of an unknown name is always fetched. `include` and `exclude` of the lane win.

## Example

`meta-llama/Llama-3.2-11B-Vision-Instruct` has 21 GB below `original/` that vLLM never opens.

## Fix

Nothing has to be done. To have them, name them:

```yaml
x-preflight:
  lanes:
    fast_rag:
      include: [\"*\"]
```",
};
