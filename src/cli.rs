//! The command line: the only place that names clap or reads the environment.
