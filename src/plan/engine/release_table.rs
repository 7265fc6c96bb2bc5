//! Which names the releases of an engine have: architectures, variables, flags.

/// A table as `tests/setup` makes it: a line of `releases`, then one line for each name, with a mark
/// for each release.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseTable {
    text: &'static str,
}

/// One name.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// `+` or `-` for each release.
    pub marks: &'static str,
    /// The last release that had it, where the engine itself remembers it.
    pub last: Option<&'static str>,
}

/// What a table says of something in one release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    Here,
    /// It is not there.
    Missing,
    /// The release is between two of the table that differ, or outside of it.
    Unknown,
}

impl Entry {
    /// Whether the release with that index has it.
    #[must_use]
    pub fn is_in(self, release: usize) -> bool {
        self.marks.as_bytes().get(release) == Some(&b'+')
    }
}

impl ReleaseTable {
    /// The table that is written so.
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text }
    }

    /// The releases that were read, the oldest first.
    pub fn releases(self) -> impl DoubleEndedIterator<Item = &'static str> {
        let first = self.lines().next().unwrap_or_default();
        let (_, releases) = first.split_once(' ').unwrap_or_default();
        releases.split(' ')
    }

    /// The newest release that was read.
    #[must_use]
    pub fn newest(self) -> &'static str {
        self.releases().next_back().unwrap_or_default()
    }

    /// Every name.
    pub fn entries(self) -> impl Iterator<Item = Entry> {
        self.lines().skip(1).filter_map(|line| {
            let mut words = line.split(' ');
            Some(Entry { name: words.next()?, marks: words.next()?, last: words.next() })
        })
    }

    /// The line of that name.
    #[must_use]
    pub fn entry(self, name: &str) -> Option<Entry> {
        self.entries().find(|entry| entry.name == name)
    }

    /// How a release stands to something that the releases with some indices have.
    pub fn standing(self, version: &[u32], has: impl Fn(usize) -> bool) -> Standing {
        match self.around(version).map(|(below, above)| (has(below), has(above))) {
            Some((true, true)) => Standing::Here,
            Some((false, false)) => Standing::Missing,
            Some((true, false) | (false, true)) | None => Standing::Unknown,
        }
    }

    /// The indices of the releases between which that one is, which is itself where it was read, and
    /// all of its own where it names several (`3.3`); absent: the table does not speak of it.
    #[must_use]
    pub fn around(self, version: &[u32]) -> Option<(usize, usize)> {
        let releases: Vec<Vec<u32>> = self.releases().map(numbers).collect();
        between(&releases, version)
    }

    /// Whether the table speaks of that release.
    #[must_use]
    pub fn covers(self, version: &[u32]) -> bool {
        let is_from = |first: &str| numbers(first).as_slice() <= version;
        self.releases().next().is_some_and(is_from) && !self.is_older_than(version)
    }

    /// Whether that release is newer than every one that was read.
    #[must_use]
    pub fn is_older_than(self, version: &[u32]) -> bool {
        numbers(self.newest()).as_slice() < version
    }

    fn lines(self) -> impl Iterator<Item = &'static str> {
        self.text.lines().filter(|line| !line.starts_with('#'))
    }
}

/// The indices of the releases, the oldest first, between which that one is; see
/// [`ReleaseTable::around`].
pub(super) fn between(releases: &[Vec<u32>], version: &[u32]) -> Option<(usize, usize)> {
    let is_own = |release: &Vec<u32>| version.len() < release.len() && release.starts_with(version);
    if let Some(first) = releases.iter().position(is_own) {
        return Some((first, releases.iter().rposition(is_own)?));
    }
    let below = releases.partition_point(|it| it.as_slice() <= version).checked_sub(1)?;
    if releases.get(below).is_some_and(|it| it == version) {
        return Some((below, below));
    }
    (below + 1 < releases.len()).then_some((below, below + 1))
}

/// The numbers of a release: `0.12.0`, `v0.12.0`, `b4719`.
#[must_use]
pub fn numbers(release: &str) -> Vec<u32> {
    let digits = release.trim_start_matches(|it: char| !it.is_ascii_digit());
    digits.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::engine::Engine;

    const TABLE: ReleaseTable = ReleaseTable::new(
        "# How it was made.\nreleases 0.9.2 0.11.2 0.12.0\nold ++-\nnew --+ 0.13\n",
    );

    #[test]
    fn a_release_between_two_that_differ_is_not_known() {
        use Standing::{Here, Missing, Unknown};
        for (name, version, expected) in [
            ("old", "0.9.2", Here),
            ("old", "0.10.0", Here),
            ("old", "v0.11.2", Here),
            ("old", "0.11.9", Unknown),
            ("old", "0.12.0", Missing),
            ("old", "0.12.1", Unknown),
            ("old", "0.1.0", Unknown),
            ("new", "0.10.0", Missing),
            ("new", "0.12.0", Here),
        ] {
            let entry = TABLE.entry(name).unwrap();
            let standing = TABLE.standing(&numbers(version), |release| entry.is_in(release));
            assert_eq!(standing, expected, "{name} in {version}");
        }
        assert_eq!(TABLE.entry("new").unwrap().last, Some("0.13"));
        assert!(TABLE.entry("other").is_none());
    }

    #[test]
    fn every_table_is_well_formed() {
        let tables = Engine::ALL.into_iter().flat_map(|engine| {
            let architectures = engine.releases().architectures.as_ref().map(|known| known.table);
            let variables = engine.command_line().known_variables.as_ref();
            let quantizations = engine.command_line().quantizations;
            let quantizations = quantizations.map(|known| known.table());
            [architectures, variables.map(|known| known.table), quantizations]
        });
        let tables: Vec<_> = tables.flatten().collect();
        assert!(tables.len() >= 5, "{}", tables.len());
        for table in tables {
            let releases: Vec<_> = table.releases().map(numbers).collect();
            assert!(releases.is_sorted() && !releases.is_empty(), "{releases:?}");
            assert!(table.entries().count() > 20);
            for entry in table.entries() {
                assert_eq!(entry.marks.len(), releases.len(), "{}", entry.name);
                assert!(entry.marks.bytes().all(|mark| b"+-".contains(&mark)), "{}", entry.name);
                assert!(entry.last.is_none_or(|last| numbers(last).len() >= 2), "{}", entry.name);
            }
        }
    }
}
