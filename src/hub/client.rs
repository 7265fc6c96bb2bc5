//! Revision to commit, listing, access: what `hf-hub` is used for.
