//! Names that belong to a flag, by release: tables whose lines begin with `FLAG=NAME`.

use crate::plan::engine::release_table::{Entry, ReleaseTable, Standing};

/// The names of one flag.
pub(super) struct Listed<'a> {
    pub(super) table: ReleaseTable,
    pub(super) flag: &'a str,
}

impl Listed<'_> {
    /// How a release stands to a name. [`Standing::Here`]: it has it, or may, or lists none for that flag.
    pub(super) fn standing(&self, name: &str, release: Option<&[u32]>) -> Standing {
        let around = release.and_then(|release| self.table.around(release));
        let is_old = release.is_some_and(|release| !self.table.is_older_than(release));
        if around.is_none() && is_old {
            return Standing::Here;
        }
        let (below, above) = around.unwrap_or((self.last(), self.last()));
        let lists = |index: usize| self.names().any(|entry| entry.is_in(index));
        let has = |index| self.names().any(|entry| entry.name == name && entry.is_in(index));
        if !lists(below) || !lists(above) || has(below) || has(above) {
            return Standing::Here;
        }
        if around.is_some() { Standing::Missing } else { Standing::Unknown }
    }

    /// The names that a release has; of one that is not known, those of the newest.
    pub(super) fn names_of(&self, release: Option<&[u32]>) -> Vec<&'static str> {
        let around = release.and_then(|release| self.table.around(release));
        let (at, _) = around.unwrap_or((self.last(), self.last()));
        self.names().filter(|entry| entry.is_in(at)).map(|entry| entry.name).collect()
    }

    /// The names of any release, without their flag.
    fn names(&self) -> impl Iterator<Item = Entry> {
        let of_flag = |entry: Entry| {
            let name = entry.name.strip_prefix(self.flag)?.strip_prefix('=')?;
            Some(Entry { name, ..entry })
        };
        self.table.entries().filter_map(of_flag)
    }

    fn last(&self) -> usize {
        self.table.releases().count().saturating_sub(1)
    }
}
