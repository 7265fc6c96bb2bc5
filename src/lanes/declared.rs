//! Lanes that are declared.
