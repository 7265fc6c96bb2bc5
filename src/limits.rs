//! How much of somebody else's input is taken: every limit with its reason, and with what tells that it
//! was reached.
//!
//! A limit that a format sets (the longest key of a GGUF, the longest header of safetensors) stands
//! with the format.

/// The longest path that Linux opens (`PATH_MAX`, limits.h), in bytes: a name in a listing, an index or
/// a lock file that is longer can be no file's. Told as an unsafe name.
pub const LONGEST_PATH: usize = 4096;

/// The longest name that file systems allow (`NAME_MAX`, limits.h), in bytes.
pub const LONGEST_NAME: usize = 255;
