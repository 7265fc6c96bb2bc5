//! Lanes that are catalogue.
