//! How much of somebody else's input is taken: every limit with its reason, and with what tells that it
//! was reached.
//!
//! A limit that a format sets (the longest key of a GGUF, the longest header of safetensors) stands
//! with the format.

use std::time::Duration;

/// The longest path that Linux opens (`PATH_MAX`, limits.h), in bytes: a name in a listing, an index or
/// a lock file that is longer can be no file's. Told as an unsafe name.
pub const LONGEST_PATH: usize = 4096;

/// The longest name that file systems allow (`NAME_MAX`, limits.h), in bytes.
pub const LONGEST_NAME: usize = 255;

/// The most bytes of the Compose files, env files and label files of a project together; no real one
/// comes near it. Told as a file that cannot be read, as are the next ones.
pub const LONGEST_PROJECT_TEXT: u64 = 4 << 20;

/// How many values those may have: scalars, lists and mappings, once more where an alias, an `extends`
/// or an `env_file` repeats them. A thousand services of thirty lines have 40 000; each takes up to a
/// kilobyte. Told at the line that is too much, as are the next three.
pub const MOST_VALUES: usize = 50_000;

/// The most bytes of manifests, those of definitions of custom resources with them: all of KServe's have 10
/// million. Told as a file that cannot be read.
pub const LONGEST_MANIFESTS: u64 = 24 << 20;

/// The most files of a folder of manifests. Told as a folder that is refused.
pub const MOST_MANIFESTS: usize = 1000;

/// How many values those may have together, but for the definitions of custom resources that lie beside
/// them. Told at the line that is too much.
pub const MOST_MANIFEST_VALUES: usize = 200_000;

/// How many variables a service may have.
pub const MOST_VARIABLES: usize = 4096;

/// How many words a command may have.
pub const MOST_WORDS: usize = 8192;

/// The longest word of a command that Linux starts a program with (`MAX_ARG_STRLEN`, binfmts.h), in
/// bytes, without the zero at its end.
pub const LONGEST_WORD: usize = 131_071;

/// How many findings of a kind are told of one lane, or of the project; one more says that there are
/// more.
pub const MOST_ALIKE: usize = 200;

/// The most bytes of a lock file. A line of it has some 200, so that they are of 20 000 files.
pub const LONGEST_LOCK_FILE: u64 = 4 << 20;

/// The most names of a folder that are listed. Told as a folder that could not be looked at.
pub const MOST_NAMES: usize = 100_000;

/// The most names that are looked at below the mounts of a service for something that is not where its
/// engine opens it. What lies behind them is not suggested, which nobody is told.
pub const MOST_NEARBY: usize = 2000;

/// The most names that are looked at below a folder of models: links to folders with links can make
/// more of them than a disk holds. Told as a folder that is refused, as is the next one.
pub const MOST_WALKED: usize = 2_000_000;

/// The most models that are judged below a folder.
pub const MOST_MODELS: usize = 1000;

/// The most bytes that are asked for of the headers of one model that is not here: the longest have 30 MB,
/// and what is read ahead comes on top. Told as a model of which it is not known what it takes.
pub const MOST_OF_DISTANT_HEADERS: u64 = 96 << 20;

/// The most bytes of a configuration of a model; those that list a thousand labels have 100 000. Told as
/// a file that could not be judged, as is an index that is too long; what is in them as a file that cannot
/// be used, as are the next ones.
pub const LONGEST_MODEL_CONFIGURATION: u64 = 1 << 20;

/// The most bytes of an index; those of the largest models have 25 million.
pub const LONGEST_INDEX: u64 = 32 << 20;

/// The most tensors of the header of one file; the largest models have 210 000 in a hundred files.
pub const MOST_TENSORS: usize = 1 << 18;

/// The most tensors of an index: a model of 60 layers with 384 experts, each of three matrices that are
/// quantized into four tensors, has 280 000.
pub const MOST_INDEXED: usize = 400_000;

/// The most bytes that the names of those tensors may take together.
pub const LONGEST_TENSOR_NAMES: usize = 24 << 20;

/// The longest string in the header of a file, in bytes. Those who train adapters write the captions of
/// all their pictures there.
pub const LONGEST_HEADER_STRING: usize = 8 << 20;

/// The most files of weights that an index names; the largest models have some hundreds.
pub const MOST_SHARDS: usize = 10_000;

/// The most bytes of a script that starts an engine, and of a file that its command line goes on in.
/// Told as an engine whose files are not known.
pub const LONGEST_START_TEXT: u64 = 256 << 10;

/// The most configuration files of one service in which it may be told whom to call. What is in more of
/// them is not known.
pub const MOST_SETTINGS: usize = 64;

/// The most bytes of a file with a token; a token has some 40.
pub const LONGEST_TOKEN_FILE: u64 = 64 << 10;

/// The most bytes of a file in which Docker's own program keeps what it was told; it has some hundreds.
pub const LONGEST_DOCKER_CONFIGURATION: u64 = 4 << 20;

/// The most bytes of a file of certificates; those of a whole machine have 250 000.
pub const LONGEST_CERTIFICATES: u64 = 4 << 20;

/// The most bytes of what the kernel tells of this process. A mount has a line of some 200.
pub const LONGEST_OF_KERNEL: u64 = 16 << 20;

/// How long a pipe in the place of a Compose file or an env file is waited for when nobody has it open
/// for writing: whoever serves it comes at once. Told as a file that cannot be read.
pub const LONGEST_SILENCE_OF_A_PIPE: Duration = Duration::from_secs(1);

/// How long such a pipe may take to its end: a keeper of secrets is asked by the shell, over a network.
pub const LONGEST_WAIT_FOR_A_PIPE: Duration = Duration::from_secs(10);

// The run.

/// How long after `--timeout` a run may take to tell what it has. Told as a run that is not done.
pub const LAST_WORD: Duration = Duration::from_secs(5);

// The hub.

/// How many times the silence that a transfer may have (`PREFLIGHT_SILENCE`, 30 s) any other answer may
/// take altogether: a page of a listing has 400 kB, which the slowest of lines bring in two minutes.
/// Told as a hub that cannot be reached.
pub const ANSWER_SILENCES: u32 = 4;

/// How many times that silence it may take to learn what a source holds, all pages and questions about
/// single files included: half an hour. Told as a hub that cannot be reached.
pub const PROBE_SILENCES: u32 = 60;

/// What a body of a file has to bring in [`ANSWER_SILENCES`] of waiting for it, in bytes. A line that is
/// slower than 136 bytes a second brings no model; one that a modem shares among eight connections is
/// seven times as fast. Told as a stalled download.
pub const LEAST_OF_FILE: u64 = 16 * 1024;

/// The longest answer about a repository or page of a listing, in bytes: a page of the hub has 1000
/// files, which are 400 kB. Told as a hub that cannot be reached.
pub const LONGEST_ANSWER: usize = 8 * 1024 * 1024;

/// The longest listing, all its pages, in bytes. Told as a hub that cannot be reached.
pub const LONGEST_LISTING: usize = 40 * 1024 * 1024;

/// The most files and folders that a listing may have: the hub advises to stay below (hub documentation,
/// "Repository limits"). Told as a hub that cannot be reached.
pub const MOST_LISTED: usize = 100_000;

/// The most pages that a listing may have; the hub needs 100 for [`MOST_LISTED`]. Told as a hub that
/// cannot be reached.
pub const MOST_PAGES: usize = 1000;

// The Docker Engine.

/// How long one answer may take, its body included. Told as an engine that does not answer.
pub const DOCKER_ANSWER_TIME: Duration = Duration::from_secs(10);

/// How long may be waited for answers about containers, images or volumes altogether: six that are
/// silent, or thousands that come. Told as an engine that does not answer.
pub const DOCKER_TIME: Duration = Duration::from_secs(60);

/// How long one piece of a container's file may take. Told as a file that cannot be read.
pub const DOCKER_PIECE_TIME: Duration = Duration::from_secs(30);

/// How long may be waited for the files of containers altogether. Told as files that cannot be read.
pub const DOCKER_FILES_TIME: Duration = Duration::from_secs(600);

/// The longest answer, in bytes. A container is listed in 2 kB and inspected in 12. Told as an answer
/// that cannot be read.
pub const LONGEST_DOCKER_ANSWER: usize = 8 * 1024 * 1024;

/// What is taken of answers about containers, images or volumes altogether, in bytes: thousands of
/// containers. Told as an answer that cannot be read.
pub const LONGEST_DOCKER_ANSWERS: usize = 32 * 1024 * 1024;

/// The most values of one answer: each takes up to a hundred times as much memory as text. A container
/// that is listed has a hundred, so that a project may have five hundred of them. Told as an answer that
/// cannot be read.
pub const MOST_DOCKER_VALUES: usize = 50_000;

/// The most folders of a project in which an env file is looked for, before the user's token is sent to
/// another hub than the default one. Told as a token that is withheld.
pub const PROJECT_FOLDERS: usize = 10_000;

/// The most env files that are read for it. Told in the same way.
pub const PROJECT_ENV_FILES: usize = 500;
