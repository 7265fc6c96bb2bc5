//! The report for a program.
