//! A lock for file systems without locks: a file that its holder renews.
//!
//! Every bidder puts a file with a name of its own beside the lock file and then looks whether there
//! are others. Of two that come at once each sees the other, and both withdraw. A lease that has not
//! been renewed for too long is no rival any more; neither is that of a process that has ended.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;

use super::LOCK_MODE;
use super::owner::{self, Owner};
use crate::beneath::{Beneath, Use};
use crate::facts::hub::retries::random;

/// A lease that is held.
#[derive(Debug, Clone)]
pub(super) struct Lease {
    place: Beneath,
    owner: Owner,
}

/// How an attempt to get one ended.
#[derive(Debug)]
pub(super) enum Bid {
    Won(Lease),
    Lost(Rivals),
    Tied,
}

/// The leases of others, and what they say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rivals(Vec<(Beneath, String)>);

impl Lease {
    /// Bids for the lock `lock`. Rivals whose pulse is `stale` do not count. Blocking.
    pub(super) fn take(lock: &Beneath, stale: Option<u64>) -> io::Result<Bid> {
        let counts = |rivals: &Rivals| !rivals.0.is_empty() && stale != Some(rivals.pulse());
        let (rivals, _) = Rivals::of(lock, None)?;
        if counts(&rivals) {
            return Ok(Bid::Lost(rivals));
        }
        let mut name = lock.name().to_owned();
        name.push(format!(".{:016x}.lease", random()));
        let lease = Self { place: lock.beside(name), owner: Owner::myself() };
        let file = lease.place.open(Use::New)?;
        let written = lease.owner.write(&file, 0).and_then(|()| {
            lease.place.hand_over(&file, LOCK_MODE)?;
            Rivals::of(lock, Some(&lease.place))
        });
        match written {
            Ok((rivals, gone)) if !counts(&rivals) => {
                let old = rivals.0.iter().map(|(place, _)| place).chain(&gone);
                // Whoever comes next would only skip them again.
                old.for_each(|place| drop(place.remove()));
                Ok(Bid::Won(lease))
            }
            Ok(_) => {
                lease.give_back();
                Ok(Bid::Tied)
            }
            Err(error) => {
                lease.give_back();
                Err(error)
            }
        }
    }

    /// Whether it is still there; if so, it is as new. A file system that does not answer at the
    /// moment does not mean that it is lost. Blocking.
    pub(super) fn renew(&self, beat: u64) -> bool {
        match self.place.open(Use::Write) {
            Ok(file) => {
                drop(self.owner.write(&file, beat));
                true
            }
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Frees the lock.
    pub(super) fn give_back(&self) {
        drop(self.place.remove());
    }

    pub(super) fn place(&self) -> &Beneath {
        &self.place
    }
}

impl Rivals {
    /// The leases of the lock `lock` but for `own`; those of processes that have ended apart.
    fn of(lock: &Beneath, own: Option<&Beneath>) -> io::Result<(Self, Vec<Beneath>)> {
        let start = format!("{}.", lock.name().display());
        let (mut rivals, mut gone) = (Vec::new(), Vec::new());
        for name in lock.folder().names()? {
            let (place, name) = (lock.beside(&name), name.display().to_string());
            if !name.starts_with(&start) || !name.ends_with(".lease") || own == Some(&place) {
                continue;
            }
            // One that is given back at this moment is none.
            let Ok(file) = place.open(Use::Read) else { continue };
            let text = owner::read(&file);
            if Owner::parse(&text).is_some_and(|owner| owner.is_gone()) {
                gone.push(place);
            } else {
                rivals.push((place, text));
            }
        }
        rivals.sort_unstable();
        Ok((Self(rivals), gone))
    }

    /// Differs when a rival came, went or renewed.
    pub(super) fn pulse(&self) -> u64 {
        let mut pulse = DefaultHasher::new();
        self.0.hash(&mut pulse);
        pulse.finish()
    }

    /// The first that says who it is.
    pub(super) fn who(&self) -> Option<String> {
        self.0.iter().find_map(|(_, text)| Some(Owner::parse(text)?.to_string()))
    }
}
