//! What fills a cache of the hub before an engine looks into it: the hub's own client, a call of its library,
//! or whatever copies a cache.

use std::path::Path;

use super::{Brings, Earlier};
use crate::path::{ServicePath, clean};
use crate::plan::engine::cache_variables::BELOW_HOME;

/// The programs of the client.
const CLIENTS: [&str; 2] = ["hf", "huggingface-cli"];

/// Calls of the library that fill a cache.
const CALLS: [&str; 3] = ["snapshot_download", "hf_hub_download", "from_pretrained"];

/// What such a call is told where to put it with.
const PLACES: [&str; 2] = ["local_dir", "cache_dir"];

impl Earlier {
    /// Whether it brings a repository to `folder`, which is that of the repository in a cache of the hub. `said`
    /// is the cache that the variables of its service name.
    #[must_use]
    pub fn fills(
        &self,
        repository: &str,
        folder: &ServicePath,
        said: Option<&ServicePath>,
    ) -> Option<Brings> {
        if CLIENTS.contains(&self.program.as_str()) {
            return self.downloads(repository, folder, said);
        }
        let is_call = |word: &String| CALLS.iter().any(|call| word.contains(call));
        match self.words.iter().find(|word| is_call(word)) {
            Some(text) => calls(text, repository, folder, said),
            None => self.brings(folder),
        }
    }

    /// The same of `hf download`.
    fn downloads(
        &self,
        repository: &str,
        folder: &ServicePath,
        said: Option<&ServicePath>,
    ) -> Option<Brings> {
        let is_word = |wanted: &str| self.words.iter().any(|word| word == wanted);
        if !is_word("download") || !self.behind(&["--local-dir"]).is_empty() {
            return None;
        }
        let is_there = match self.behind(&["--cache-dir"]).first() {
            Some(cache) if cache.starts_with('/') => Some(is_in(folder, &clean(Path::new(cache)))),
            Some(_) => None,
            None => is_kept_there(folder, said),
        };
        let is_named = is_word(repository);
        let brings = match (is_named || self.is_open, is_there) {
            (false, _) | (true, Some(false)) => return None,
            (true, Some(true)) if is_named => Brings::Said,
            (true, Some(true) | None) => Brings::Perhaps,
        };
        Some(brings)
    }
}

/// The same of a text that calls the library: its names may be those of variables.
fn calls(
    text: &str,
    repository: &str,
    folder: &ServicePath,
    said: Option<&ServicePath>,
) -> Option<Brings> {
    let is_named = names(text, repository);
    let literal =
        |begin: &str| ['\'', '"'].iter().any(|quote| text.contains(&format!("{begin}{quote}")));
    let names_other =
        || CALLS.iter().any(|call| literal(&format!("{call}("))) || literal("repo_id=");
    let says_place = PLACES.iter().any(|place| text.contains(place));
    let is_there = if says_place { None } else { is_kept_there(folder, said) };
    match (is_named, is_there) {
        (_, Some(false)) => None,
        (true, Some(true)) => Some(Brings::Said),
        (true, None) => Some(Brings::Perhaps),
        (false, Some(true) | None) => (!names_other()).then_some(Brings::Perhaps),
    }
}

/// Whether a program keeps its downloads where `folder` is, as far as that can be told: the home that its
/// image has is not known.
fn is_kept_there(folder: &ServicePath, said: Option<&ServicePath>) -> Option<bool> {
    match said {
        Some(said) => Some(is_in(folder, said.as_path())),
        None => {
            let usual = folder.as_path().parent().is_some_and(|cache| cache.ends_with(BELOW_HOME));
            usual.then_some(true)
        }
    }
}

fn is_in(folder: &ServicePath, cache: &Path) -> bool {
    folder.as_path().parent() == Some(cache)
}

/// Whether a text has a repository in it as a whole name.
fn names(text: &str, repository: &str) -> bool {
    let is_part = |it: char| it.is_alphanumeric() || "-_./".contains(it);
    text.match_indices(repository).any(|(at, _)| {
        let before = text.get(..at).unwrap_or("");
        let behind = text.get(at + repository.len()..).unwrap_or("");
        !before.ends_with(is_part) && !behind.starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::words::Word;
    use crate::source_map::Place;

    /// What a line with words between `|` brings of `o/r` into the cache `/data/hub`.
    fn check(line: &str, said: Option<&str>, expected: Option<Brings>) {
        let word = |text: &str| {
            let unknown = text.starts_with('$').then(|| "not known".to_owned());
            Word { unknown, ..Word::known(text, &Place::nowhere()) }
        };
        let words: Vec<Word> = line.split('|').map(word).collect();
        let earlier = Earlier::of(&words, &[], None).unwrap();
        let folder = ServicePath::new("/data/hub/models--o--r");
        let found = earlier.fills("o/r", &folder, said.map(ServicePath::new).as_ref());
        assert_eq!(found, expected, "{line} {said:?}");
    }

    #[test]
    fn the_client_of_the_hub_fills_the_cache_that_its_variables_name() {
        let (said, perhaps) = (Some(Brings::Said), Some(Brings::Perhaps));
        for (line, cache, expected) in [
            ("hf|download|o/r", Some("/data/hub"), said),
            ("huggingface-cli|download|o/r|--quiet", Some("/data/hub"), said),
            ("hf|download|o/r|--cache-dir|/data/hub/", Some("/elsewhere"), said),
            ("hf|download|o/r|--cache-dir=/other", Some("/data/hub"), None),
            ("hf|download|o/r", Some("/elsewhere"), None),
            ("hf|download|o/r|--local-dir|/data/hub", Some("/data/hub"), None),
            ("hf|download|o/r-2", Some("/data/hub"), None),
            ("hf|download|$MODEL", Some("/data/hub"), perhaps),
            ("hf|download|o/r", None, perhaps),
            ("hf|auth|login|o/r", Some("/data/hub"), None),
        ] {
            check(line, cache, expected);
        }
    }

    #[test]
    fn a_call_of_the_library_fills_it_as_far_as_its_text_tells() {
        let (said, perhaps) = (Some(Brings::Said), Some(Brings::Perhaps));
        for (text, cache, expected) in [
            ("snapshot_download('o/r')", Some("/data/hub"), said),
            ("snapshot_download('o/r')", Some("/elsewhere"), None),
            ("snapshot_download(\"o/r-2\")", Some("/data/hub"), None),
            ("snapshot_download(repo_id=name)", Some("/data/hub"), perhaps),
            ("snapshot_download('o/r', cache_dir=where)", Some("/elsewhere"), perhaps),
            ("print('o/r')", Some("/data/hub"), None),
        ] {
            check(&format!("python3|-c|{text}"), cache, expected);
        }
    }

    #[test]
    fn what_copies_a_cache_brings_what_is_in_it() {
        check("cp|-r|/seed|/data/hub", None, Some(Brings::Said));
        check("/scripts/download.sh", None, Some(Brings::Perhaps));
        check("chown|-R|1000|/data", None, None);
    }
}
