//! What names of files say, told by the names alone: nothing is looked at.

pub(crate) mod hub_cache;
pub(crate) mod one_file;
pub(crate) mod split;
pub(crate) mod weights;
