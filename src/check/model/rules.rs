//! What can be wrong with the files of a model: identity, severity, exit code and explanation.

use super::{configuration, reach, router};
use crate::exit_code::ExitCode;
use crate::finding::{Rule, Severity};

/// Every rule of this family, in the order of the documentation.
pub(super) static ALL: &[&Rule] = &[
    &FILES_MISSING,
    &FILE_TRUNCATED,
    &FILE_TOO_LONG,
    &FILE_CORRUPT,
    &LFS_POINTER,
    &NOT_A_MODEL,
    &PARTIAL_DOWNLOAD,
    &SPARSE_FILE,
    &ZEROS_IN_DATA,
    &GGUF_INVALID,
    &GGUF_SPLIT_INCOMPLETE,
    &SAFETENSORS_INVALID,
    &SHARD_MISSING,
    &INDEX_MISMATCH,
    &CONFIG_MISSING,
    &CONFIG_INVALID,
    &TOKENIZER_MISSING,
    &PROCESSOR_MISSING,
    &ARCHITECTURE_UNSUPPORTED,
    &UNREADABLE,
    &UNSAFE_PICKLE,
    &NOT_LOOKED_AT,
    &TAKEN_ON_TRUST,
    &configuration::QUANTIZATION_CONFLICT,
    &configuration::DTYPE_DIFFERS,
    &configuration::CONTEXT_TOO_LONG,
    &configuration::CONTEXT_NOT_LIMITED,
    &configuration::TENSOR_PARALLEL,
    &configuration::REMOTE_CODE,
    &configuration::DUPLICATE_WEIGHTS,
    &configuration::OTHER_LAYOUT,
    &configuration::CHAT_TEMPLATE_MISSING,
    &configuration::GGUF_IN_VLLM,
    &reach::UNREADABLE_BY_USER,
    &reach::SYMLINK_LEAVES_MOUNT,
    &reach::NAME_DIFFERS,
    &router::MODELS_SHARE_FOLDER,
];

pub(in crate::check) static FILES_MISSING: Rule = Rule {
    id: "files-missing",
    severity: Severity::Error,
    exit: ExitCode::Incomplete,
    docs: "\
A path that the engine opens leads to nothing, or to a folder without weights.

The engine would exit as soon as it starts, or take the path for the name of a repository and try to
download that. Docker makes a folder of a bind mount whose source is missing, so an empty folder is
often a mistyped mount.

Example: `-m /models/gguf/reader.gguf` while the folder holds `Reader-Q4_K_M.gguf`.

Fix: run `preflight fetch --lane LANE` if the lane has a source, or put the files where the message
says, or correct the path in the service's command.",
};

pub(super) static FILE_TRUNCATED: Rule = Rule {
    id: "file-truncated",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs: "\
A file is shorter than its own header says.

A download or a copy stopped early. llama.cpp exits with `tensor data is not within the file bounds`,
the safetensors library with `incomplete metadata, file not fully covered`. One missing byte is enough.

Example: 4912890000 of 4920734272 bytes, because `curl` was interrupted and started without `-C -`.

Fix: delete the file and fetch it again.",
};

pub(super) static FILE_TOO_LONG: Rule = Rule {
    id: "file-too-long",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs: "\
A file is longer than its own header says.

Two downloads were appended to each other, or a server sent something behind the file. The safetensors
library refuses such a file. llama.cpp loads a GGUF file with bytes behind its end, so there it is a
warning.

Example: a resumed download of a file that was complete already.

Fix: delete the file and fetch it again.",
};

pub(in crate::check) static FILE_CORRUPT: Rule = Rule {
    id: "file-corrupt",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs: "\
A file has the right name and not the content that it must have: zeros instead of a header, an archive
without its table of contents, a tokenizer that is no JSON.

The engine exits while it loads. Zeros at the start mean that space was reserved for a download that
never came.

Example: a 5 GB file of zeros that `aria2c` allocated before it was stopped.

Fix: delete the file and fetch it again.",
};

pub(super) static LFS_POINTER: Rule = Rule {
    id: "lfs-pointer",
    severity: Severity::Error,
    exit: ExitCode::Incomplete,
    docs: "\
A file is the three lines of text that git keeps in place of a large file.

The repository was cloned without git-lfs, so that every weight is a pointer of some 130 bytes. llama.cpp
then says `invalid magic characters: 'vers'`, the safetensors library `header too large`.

Example: `version https://git-lfs.github.com/spec/v1`, then `oid sha256:...` and `size 4976698672`.

Fix: run `git lfs pull` in the clone, or `preflight fetch --lane LANE`.",
};

pub(super) static NOT_A_MODEL: Rule = Rule {
    id: "not-a-model",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs: "\
A file is not what its engine opens: a web page, an error message in JSON, an archive, a model in
another format, a folder instead of a file, a projector instead of a model.

A download without `-L`, without a token or from a page's address instead of the file's saves what the
server answered under the model's name.

Example: `model.gguf` holds `<!doctype html>`: the address had `/blob/` instead of `/resolve/`.

Fix: delete the file and fetch the right one, or correct the path in the service's command.",
};

pub(super) static PARTIAL_DOWNLOAD: Rule = Rule {
    id: "partial-download",
    severity: Severity::Warning,
    exit: ExitCode::Incomplete,
    docs: "\
Beside the model lies a file of a download that has not ended: `.incomplete`, `.aria2`, `.part`,
`.crdownload`, `-partial`.

Either a download is still going on, or it was stopped. With `aria2c` the model itself already has its
full size while parts of it are still empty, and only the `.aria2` file tells.

Example: `model.gguf` and `model.gguf.aria2`.

Fix: let the download finish, or start it again, or delete the leftover if the model is known to be whole.",
};

pub(super) static SPARSE_FILE: Rule = Rule {
    id: "sparse-file",
    severity: Severity::Warning,
    exit: ExitCode::Corrupt,
    docs: "\
A file takes less space on the disk than it is long, so parts of it may never have been written.

An engine reads such holes as zeros and serves nonsense without an error. A compressed file system
(btrfs, zfs) shows the same for a healthy file, which is why this is a warning.

Example: a file of 5 GB of which 1 GB is on the disk.

Fix: run `preflight verify --deep`, which compares hashes; fetch the file again if they differ.",
};

pub(super) static ZEROS_IN_DATA: Rule = Rule {
    id: "zeros-in-data",
    severity: Severity::Warning,
    exit: ExitCode::Corrupt,
    docs: "\
Several of the places that were sampled in the weights of a model hold nothing but zeros.

Space was reserved for a download, and parts of it never came; the header is whole, so every engine
loads the file and serves nonsense. Single tensors can be zero for a reason, which is why this is a
warning: only a hash tells.

Example: `aria2c` without `--file-allocation=none` was stopped half-way, and its `.aria2` file deleted.

Fix: run `preflight verify --deep`, which compares hashes; fetch the file again if they differ.",
};

pub(super) static GGUF_INVALID: Rule = Rule {
    id: "gguf-invalid",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs: "\
The header of a GGUF file says something that llama.cpp does not accept: a version, a type, a count or
an offset that cannot be, a key or a tensor that is needed and missing.

The same rules are applied as by llama.cpp, without loading anything. A header that breaks them can
also be an attack on a program that reads it less carefully: do not load such a file.

Example: `has format version 1`: converted in 2023, before the format changed.

Fix: fetch the file again; if its source has the same, convert the model anew or take another one.",
};

pub(super) static GGUF_SPLIT_INCOMPLETE: Rule = Rule {
    id: "gguf-split-incomplete",
    severity: Severity::Error,
    exit: ExitCode::Incomplete,
    docs: "\
A model is split over several GGUF files, and not all of them are there, or they do not belong together.

llama.cpp is given the first file, `...-00001-of-00003.gguf`, and looks for the others beside it under
exactly those names.

Example: the first of three files was downloaded and renamed to `model.gguf`.

Fix: put all parts into one folder under their own names and name the first in the command.",
};

pub(super) static SAFETENSORS_INVALID: Rule = Rule {
    id: "safetensors-invalid",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs: "\
The header of a safetensors file is not valid: no JSON, an unknown type, tensors that overlap or leave a
gap, a size that does not follow from shape and type.

The safetensors library checks the same and refuses the file, after the engine has spent its minutes
starting.

Example: a file that was damaged on a failing disk.

Fix: delete the file and fetch it again.",
};

pub(super) static SHARD_MISSING: Rule = Rule {
    id: "shard-missing",
    severity: Severity::Error,
    exit: ExitCode::Incomplete,
    docs: "\
The weights are split over several files, and at least one is not there. The index names it, or the
numbers in the names of the others do.

vLLM 0.12.0 starts with a quantised model whose shard is missing, and serves nonsense; without
quantisation it fails after everything else was loaded.

Example: `model-00007-of-00014.safetensors` was skipped by a download that ran out of disk.

Fix: run `preflight fetch --lane LANE`, or copy the missing files beside the others.",
};

pub(super) static INDEX_MISMATCH: Rule = Rule {
    id: "index-mismatch",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs: "\
`model.safetensors.index.json` says which file holds which tensor, and the files say otherwise; or the
index itself cannot be read.

Files of two revisions of a model lie in one folder. The engine fails, or leaves weights uninitialised.
A total size that differs is only a warning: some tools write it wrongly.

Example: the index is of a newer revision than `model-00002-of-00004.safetensors`.

Fix: fetch the whole folder again at one revision.",
};

pub(super) static CONFIG_MISSING: Rule = Rule {
    id: "config-missing",
    severity: Severity::Error,
    exit: ExitCode::Incomplete,
    docs: "\
The folder of a model has no `config.json`.

vLLM, TGI, TEI and SGLang read it first; vLLM says `Could not detect config format for no config file
found`. Weights alone cannot be served.

Example: only `*.safetensors` was downloaded.

Fix: run `preflight fetch --lane LANE`, or copy the small files of the repository beside the weights.",
};

pub(super) static CONFIG_INVALID: Rule = Rule {
    id: "config-invalid",
    severity: Severity::Error,
    exit: ExitCode::Corrupt,
    docs: "\
`config.json` (or another small document of the model) cannot be read, or does not say what the model is.

transformers stops with `It looks like the config file is not a valid JSON file` or `Unrecognized model`.

Example: the file is empty, because a disk was full.

Fix: fetch the file again.",
};

pub(super) static TOKENIZER_MISSING: Rule = Rule {
    id: "tokenizer-missing",
    severity: Severity::Error,
    exit: ExitCode::Incomplete,
    docs: "\
The folder of a model has no tokenizer: no `tokenizer.json`, `tokenizer.model`, `vocab.json` with
`merges.txt`, `vocab.txt`, `tekken.json` or the like.

The engine fails after it has read its configuration, often with an obscure message about `NoneType`.

Example: a fine-tuned model was saved without its tokenizer.

Fix: copy the tokenizer of the base model into the folder, or name it with `--tokenizer`.",
};

pub(super) static PROCESSOR_MISSING: Rule = Rule {
    id: "processor-missing",
    severity: Severity::Warning,
    exit: ExitCode::Incomplete,
    docs: "\
A model that takes images or sound has no `preprocessor_config.json`.

transformers stops with `Can't load image processor`, unless the engine is told to serve text alone.

Example: a vision model of which only weights, configuration and tokenizer were downloaded.

Fix: run `preflight fetch --lane LANE`, or copy the file from the repository.",
};

pub(super) static ARCHITECTURE_UNSUPPORTED: Rule = Rule {
    id: "architecture-unsupported",
    severity: Severity::Warning,
    exit: ExitCode::Corrupt,
    docs: "\
The engine does not have the model's architecture, its tokenizer or a type of its tensors: not yet, or
no longer.

It is an error when the engine's release is known from the image's tag and preflight knows what that
release supports, otherwise a warning.

Example: `MllamaForConditionalGeneration` (Llama 3.2 Vision) was removed from vLLM after 0.10.2.

Fix: pin a release of the engine that has the architecture, or choose another model.",
};

pub(super) static UNREADABLE: Rule = Rule {
    id: "unreadable",
    severity: Severity::Error,
    exit: ExitCode::Mount,
    docs: "\
preflight may not read a file: its mode and its owner do not allow it, or those of a folder above it.

The engine usually runs as another user than the one who downloaded the model; what preflight may not
read, it will most likely not be allowed to read either. Some tools write files with mode 0600.

Example: `has mode 0600 and belongs to 1000:1000, preflight runs as 65532:65532`.

Fix: `chmod -R a+rX` on the model's folder, as the owner of the files.",
};

pub(super) static UNSAFE_PICKLE: Rule = Rule {
    id: "unsafe-pickle",
    severity: Severity::Warning,
    exit: ExitCode::Corrupt,
    docs: "\
The weights are Python pickles (`.bin`, `.pt`, `.pth`).

Loading a pickle can run code that someone put into it; transformers refuses it with torch before 2.6
(CVE-2025-32434). Nothing but its end can be checked from outside.

Example: `pytorch_model.bin` from a repository that offers no safetensors.

Fix: take a revision of the model with safetensors, or convert it.",
};

pub(super) static NOT_LOOKED_AT: Rule = Rule {
    id: "not-looked-at",
    severity: Severity::Note,
    exit: ExitCode::Unjudged,
    docs: "\
preflight could not look at a file, so it says nothing about it.

It is not mounted into preflight's own container, or the place it lies in cannot be looked into. A
required lane with such a file has the verdict `unknown` and the exit code 3.

Example: a named volume that only the engine's service mounts.

Fix: mount the same models folder into preflight's service, read-only is enough.",
};

pub(super) static TAKEN_ON_TRUST: Rule = Rule {
    id: "taken-on-trust",
    severity: Severity::Note,
    exit: ExitCode::Ready,
    docs: "\
The engine opens something that preflight did not look at, and the lane is judged without it.

It is a chat template, a grammar or a folder that no mount reaches, as images bring them along, or it is
the weights of a format of their own (`--load-format tensorizer`). If they are not there after all, the
engine ends at its start.

Example: `--chat-template examples/tool_chat_template_hermes.jinja`, which the image of vLLM has.

Fix: nothing, if it is in the image. Else mount it into the service and into preflight.",
};
