//! What an engine refuses about its words.

use crate::plan::engine::Elsewhere;

/// Something about its words that an engine refuses, so that it will exit at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// `--flag=value`, given to an engine that knows only `--flag value`.
    JoinedValue {
        /// As written.
        flag: String,
        /// What stands behind the `=`.
        value: String,
    },
    /// A flag that the release does not have.
    UnknownFlag(UnknownFlag),
    /// A value that the engine does not take.
    BadValue {
        /// The flag or variable.
        by: String,
        /// As written.
        value: String,
        /// What it takes, as it stands behind `takes`: `JSON`, ``one of `auto`, `half` ``.
        expected: String,
        /// Whether the release of the image is known to refuse it.
        is_certain: bool,
    },
    /// A value is joined to a switch, which takes none.
    SwitchValue {
        /// As written.
        flag: String,
        /// What stands behind the `=`.
        value: String,
    },
    /// What only one engine refuses, and only its file can say.
    Refused(Refusal),
    /// The value of a variable is in quotes, which belong to it.
    QuotedVariable {
        /// The variable.
        variable: String,
        /// What stands between them.
        meant: String,
        /// Whether it says what is opened, where it is kept, or a number that is needed.
        decides: bool,
    },
    /// A flag that needs a value is the last word, or another flag follows it.
    NoValue {
        /// As written.
        flag: String,
    },
    /// The value that names a file or a model is empty.
    EmptyValue {
        /// The flag or variable.
        by: String,
    },
    /// The same of the flag that names the model.
    EmptyModel {
        /// The flag.
        by: String,
        /// What the engine does then, as a sentence without its full stop; absent: it exits.
        instead: Option<&'static str>,
    },
    /// The word behind a flag is a flag itself, and the engine takes it for the value (llama.cpp).
    SwallowedFlag {
        /// The flag that is without its value.
        flag: String,
        /// The one behind it.
        next: String,
        /// Whether the engine exits at that: `next` takes a value itself, or `flag` does not take any
        /// text for one.
        exits: bool,
    },
    /// A line starts the engine as it is written, and not as Compose takes it.
    CommandCut(CutCommand),
    /// A number was expected.
    NotANumber {
        /// The flag or variable.
        by: String,
        /// As written.
        value: String,
    },
    /// Only the beginning of a word is the number that the engine reads.
    NumberCut {
        /// The flag or variable.
        by: String,
        /// As written.
        value: String,
        /// What is read of it.
        read: String,
    },
    /// Two models are named, one by position; newer releases refuse that, older ones differ.
    ModelTwice {
        /// The one that was read.
        model: String,
        /// The other.
        other: String,
    },
    /// A word that is neither a flag nor a value of one.
    ExtraWord {
        /// As written.
        word: String,
    },
    /// The address of a repository's page stands where its name is meant.
    AddressOfRepository {
        /// The flag or variable.
        by: String,
        /// As written.
        address: String,
        /// The name, as the engine takes it.
        name: String,
    },
    /// A flag that takes a list is given again, and the engine takes the last list alone.
    ListReplaced {
        /// The flag.
        flag: String,
        /// What the earlier lists name, as it has to be written in the last one.
        lost: Vec<String>,
    },
    /// The command repeats the program that the entrypoint already is, so that the engine takes
    /// its own name for a word of its command line.
    ProgramRepeated {
        /// The program, with the words that belong to it.
        program: String,
    },
    /// The entrypoint is the engine, and the command another program: the engine takes it for words of
    /// its own.
    ProgramBehindEntrypoint {
        /// The engine's program, with the words that belong to it.
        entrypoint: String,
        /// The first words of the command.
        words: String,
        /// The first of them.
        program: String,
    },
    /// The words start no server.
    StartsNoServer(StartsNoServer),
    /// The image is nearly called like one that the engine's project publishes.
    ImageMisspelt {
        /// That one, without registry and tag.
        meant: &'static str,
        /// Whether its owner publishes no image of the name that is written.
        is_certain: bool,
    },
}

/// Words that start no server, and that were read as if they did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartsNoServer {
    /// The first of them.
    pub left: String,
    /// What starts the server in this image.
    pub server: String,
    /// What of that is missing.
    pub missing: String,
    /// The words in the place of which it belongs; empty: in front of the others.
    pub instead: String,
    /// What to do where it is the image that has another program; absent: to write the words.
    pub fix: Option<&'static str>,
}

/// A flag that an engine does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownFlag {
    /// As written.
    pub flag: String,
    /// As the engine's parser reads it, `_` as `-`.
    pub(super) name: String,
    /// Whether it is refused whatever the image holds: its release is known and does not have the
    /// flag, or the flag is one of something else.
    pub is_certain: bool,
    /// The newest release that was read.
    pub newest: &'static str,
    /// A release that has it.
    pub elsewhere: Option<Elsewhere>,
    /// What it is a flag of; absent: of nothing that is known.
    pub owner: Option<String>,
    /// The flags that it is the beginning of, if there are several.
    pub alike: Vec<&'static str>,
}

/// What an engine refuses about its words, in its own terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong and what happens then, as a sentence without its full stop.
    pub why: String,
    /// What to do about it, as an imperative without its full stop.
    pub fix: String,
    /// Whether the image is known to refuse it.
    pub is_certain: bool,
}

/// A line of which Compose does not take what its author means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutCommand {
    /// `command` or `entrypoint`.
    pub key: &'static str,
    /// The operator that it is cut off at; absent: all of its words are taken, and the first of them
    /// alone is the script of a shell.
    pub at: Option<String>,
    /// The words that are left of entrypoint and command.
    pub left: String,
    /// Whether the service says its entrypoint, so that these words are all that is run.
    pub own_entrypoint: bool,
    /// Whether they start the engine after all, without a word of its command line.
    pub bare: bool,
    /// Whether the line is several lines, each a command.
    pub lines: bool,
}

impl Complaint {
    /// Whether it is about something that is empty or not there: a variable that is not set may be why.
    #[must_use]
    pub fn misses_something(&self) -> bool {
        let is_empty = match self {
            Self::EmptyValue { .. } => true,
            Self::NotANumber { value, .. } | Self::BadValue { value, .. } => value.is_empty(),
            Self::ExtraWord { word } => word.is_empty(),
            Self::JoinedValue { .. }
            | Self::UnknownFlag(_)
            | Self::SwitchValue { .. }
            | Self::Refused(_)
            | Self::QuotedVariable { .. }
            | Self::NumberCut { .. }
            | Self::NoValue { .. }
            | Self::EmptyModel { .. }
            | Self::SwallowedFlag { .. }
            | Self::CommandCut { .. }
            | Self::ModelTwice { .. }
            | Self::AddressOfRepository { .. }
            | Self::ListReplaced { .. }
            | Self::ProgramRepeated { .. }
            | Self::ProgramBehindEntrypoint { .. }
            | Self::StartsNoServer(_)
            | Self::ImageMisspelt { .. } => false,
        };
        is_empty || self.loses_value()
    }

    /// Whether a flag is without its value.
    #[must_use]
    pub fn loses_value(&self) -> bool {
        match self {
            Self::NoValue { .. }
            | Self::EmptyModel { .. }
            | Self::SwallowedFlag { .. }
            | Self::ProgramBehindEntrypoint { .. }
            | Self::StartsNoServer(_) => true,
            Self::JoinedValue { .. }
            | Self::UnknownFlag(_)
            | Self::BadValue { .. }
            | Self::SwitchValue { .. }
            | Self::Refused(_)
            | Self::QuotedVariable { .. }
            | Self::NumberCut { .. }
            | Self::EmptyValue { .. }
            | Self::CommandCut { .. }
            | Self::NotANumber { .. }
            | Self::ModelTwice { .. }
            | Self::ExtraWord { .. }
            | Self::AddressOfRepository { .. }
            | Self::ListReplaced { .. }
            | Self::ProgramRepeated { .. }
            | Self::ImageMisspelt { .. } => false,
        }
    }
}
