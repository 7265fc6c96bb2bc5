//! Why the way that preflight was called does not make sense.

use std::path::PathBuf;

use thiserror::Error;

use super::COMMANDS;
use crate::suggest;

/// Why the way that preflight was called does not make sense.
#[derive(Debug, Error)]
pub enum OptionsError {
    /// A path that is not there.
    #[error("there is no `{path}`")]
    NoSuchPath {
        /// As typed.
        path: PathBuf,
        /// What is there instead: a file of nearly that name, a link that leads nowhere.
        instead: Option<String>,
        /// Why it cannot be looked at.
        #[source]
        source: std::io::Error,
    },
    /// PATH and `-f` name different things.
    #[error("PATH `{path}` and `-f` cannot be used together")]
    PathAndFile {
        /// As typed.
        path: PathBuf,
    },
    /// PATH before and behind the subcommand.
    #[error("PATH is given twice; `{path}` is the first")]
    TwoPaths {
        /// As typed.
        path: PathBuf,
    },
    /// `-o` without a format that is known.
    #[error("`{value}` is not an output: expected FORMAT=FILE or FILE")]
    Output {
        /// As typed.
        value: String,
        /// The formats that it may have meant, as a question.
        question: Option<String>,
    },
    /// YAML is what `preflight config` prints.
    #[error("only `preflight config` has the format `yaml`")]
    YamlReport,
    /// `-o` into a folder that is not there.
    #[error("the report `{path}` cannot be written: there is no folder `{folder}`")]
    OutputFolder {
        /// As typed.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// A format that the subcommand does not have.
    #[error("`preflight {task}` has no format `{format}`")]
    FormatOfTask {
        /// The subcommand.
        task: &'static str,
        /// As typed.
        format: String,
    },
    /// A token that cannot be a header, or a file that cannot be read.
    #[error("the Hugging Face token from {origin} cannot be used: {reason}")]
    Token {
        /// The variable or the file.
        origin: String,
        /// What is wrong, without the token.
        reason: String,
    },
    /// `HF_ENDPOINT` that is no address of a server.
    #[error(
        "`HF_ENDPOINT` is `{value}`, which is not a URL that begins with `https://` or `http://`"
    )]
    Endpoint {
        /// As set, without a user and a password.
        value: String,
    },
    /// SRC and DEST that make no pairs, or of which one cannot be what it is.
    #[error("{what}")]
    Delivery {
        /// What is wrong.
        what: String,
        /// What to do about it; absent: the text says it.
        instead: Option<String>,
    },
    /// A flag that is about a project, where there is none.
    #[error("`{flag}` is about a project, and `preflight fetch SRC DEST` has none")]
    FlagOfProject {
        /// As it is typed.
        flag: &'static str,
    },
    /// The working directory is gone.
    #[error("the working directory cannot be found")]
    WorkingDirectory(#[source] std::io::Error),
}

impl OptionsError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::PathAndFile { path } => Some(format!("write `-f {}` instead", path.display())),
            Self::Output { question, .. } => {
                let example = || "for example `-o json=report.json`".to_owned();
                Some(question.clone().unwrap_or_else(example))
            }
            Self::YamlReport => Some("`--format json` for a program".to_owned()),
            Self::OutputFolder { folder, .. } => Some(format!("`mkdir -p {}`", folder.display())),
            Self::FormatOfTask { .. } => Some("it has `human` and `json`".to_owned()),
            Self::NoSuchPath { instead: Some(instead), .. } => Some(instead.clone()),
            Self::NoSuchPath { path, .. } => {
                let likely = suggest::likely(path.to_str()?, COMMANDS.into_iter());
                likely.first().map(|command| format!("did you mean `preflight {command}`?"))
            }
            Self::Endpoint { value } => {
                let host = value.split_once("//").map_or(value.as_str(), |(_, rest)| rest);
                Some(format!("`HF_ENDPOINT=https://{host}`"))
            }
            Self::Delivery { instead, .. } => instead.clone(),
            Self::FlagOfProject { .. } => Some("leave it out".to_owned()),
            Self::TwoPaths { .. } | Self::Token { .. } | Self::WorkingDirectory(_) => None,
        }
    }
}
