//! The files of this machine.
