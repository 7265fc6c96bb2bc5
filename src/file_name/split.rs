//! Names of the parts of a model in several files: `STEM-00002-of-00003.ENDING`.

use std::fmt;

/// The name of one part (llama.cpp `llama_split_path`, huggingface_hub 0.36.2
/// `serialization/_base.py`). Its [`fmt::Display`] is the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SplitName<'a> {
    /// What all parts begin with, folders included.
    pub(crate) stem: &'a str,
    /// Counted from 1.
    pub(crate) number: u32,
    /// How many parts there are.
    pub(crate) count: u32,
    /// With its dot.
    pub(crate) ending: &'a str,
}

impl<'a> SplitName<'a> {
    /// Reads a name or a path; absent: it is not that of a part.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let (rest, ending) = name.split_at(name.rfind('.')?);
        let (rest, count) = rest.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        Some(Self { stem, number: five_digits(number)?, count: five_digits(count)?, ending })
    }

    /// The same of a GGUF file alone.
    pub(crate) fn of_gguf(name: &'a str) -> Option<Self> {
        Self::parse(name).filter(|part| part.ending == ".gguf")
    }

    /// Whether it is the part that llama.cpp opens a model through.
    pub(crate) fn is_first(&self) -> bool {
        self.number == 1
    }

    /// The name of another part of the same model.
    pub(crate) fn part(self, number: u32) -> Self {
        Self { number, ..self }
    }

    /// The names of all parts.
    pub(crate) fn parts(self) -> impl Iterator<Item = String> {
        (1..=self.count).map(move |number| self.part(number).to_string())
    }

    /// Whether `name` is that of a part of the same model (llama.cpp, common/download.cpp
    /// `get_split_files`).
    pub(crate) fn has_part(self, name: &str) -> bool {
        SplitName::parse(name).is_some_and(|other| other.part(self.number) == self)
    }
}

impl fmt::Display for SplitName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stem, number, count, ending } = self;
        write!(f, "{stem}-{number:05}-of-{count:05}{ending}")
    }
}

/// Whether the router of llama.cpp takes a file for the first part: it looks for these words
/// wherever they stand (build 11669).
pub(crate) fn says_first(name: &str) -> bool {
    name.contains("-00001-of-")
}

fn five_digits(text: &str) -> Option<u32> {
    let is_number = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_it_is_written() {
        let name = "q4/m-of-x-00002-of-00003.gguf";
        let part = SplitName::of_gguf(name).unwrap();
        assert_eq!(part, SplitName { stem: "q4/m-of-x", number: 2, count: 3, ending: ".gguf" });
        assert_eq!(part.to_string(), name);
        assert!(!part.is_first() && part.part(1).is_first());
        let names: Vec<_> = SplitName::parse("m-00002-of-00002.bin").unwrap().parts().collect();
        assert_eq!(names, ["m-00001-of-00002.bin", "m-00002-of-00002.bin"]);
    }

    #[test]
    fn other_names_are_no_parts() {
        for name in [
            "m.gguf",
            "m-1-of-2.gguf",
            "m-00001-of-2.gguf",
            "m-+0001-of-00002.gguf",
            "m-00001-of-000002.gguf",
            "00001-of-00002.gguf",
            "m-00001-of-00002",
            "m-00001-of-00002-v2.gguf",
        ] {
            assert_eq!(SplitName::parse(name), None, "{name}");
        }
        assert_eq!(SplitName::of_gguf("m-00001-of-00002.bin"), None);
        assert!(says_first("m-00001-of-00002-v2.gguf"));
    }

    #[test]
    fn parts_of_one_model_differ_in_their_number_alone() {
        let first = SplitName::parse("m-00001-of-00002.gguf").unwrap();
        assert!(first.has_part("m-00002-of-00002.gguf"));
        for other in ["m-00001-of-00003.gguf", "n-00001-of-00002.gguf", "m-00001-of-00002.bin"] {
            assert!(!first.has_part(other), "{other}");
        }
    }
}
