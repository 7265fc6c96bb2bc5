//! Which container this process runs in.
