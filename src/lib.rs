//! Proves that every model of a Docker Compose inference stack will load, before any engine starts.
//!
//! `options -> project -> plan -> facts -> findings -> report -> exit code`; `ARCHITECTURE.md` is
//! the map.

pub mod check;
pub mod cli;
pub mod compose;
pub mod docker;
pub mod engine;
pub mod error;
pub mod facts;
pub mod finding;
pub mod hub;
pub mod lanes;
pub mod model;
pub mod mounts;
pub mod options;
pub mod path;
pub mod progress;
pub mod project;
pub mod redact;
pub mod report;
pub mod smoke;
pub mod source_map;
pub mod stack;
pub mod survey;
pub mod view;
pub mod yaml;
