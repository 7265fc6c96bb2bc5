//! What the process exits with.

/// What the process exits with. With `depends_on`, Compose shows a user nothing but this number,
/// so it names the worst cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// 0: every required lane is ready; warnings allowed.
    Ready,
    /// 1: a bug of preflight.
    Internal,
    /// 2: the command line is wrong, or the project cannot be loaded.
    Usage,
    /// 3: a required lane could not be judged, or there is no lane.
    Unjudged,
    /// 10: files missing or incomplete.
    Incomplete,
    /// 11: files corrupt or not loadable.
    Corrupt,
    /// 12: token, licence or access.
    Access,
    /// 13: network or hub unreachable.
    Network,
    /// 14: not enough disk.
    Disk,
    /// 15: locked by another download that no longer moves.
    Locked,
    /// 16: mount or permission.
    Mount,
    /// 17: engine flags, variables, wiring of a lane.
    Lane,
    /// 20: GPU runtime or device.
    Gpu,
    /// 21: memory or context does not fit.
    Memory,
    /// 30: a container is unhealthy.
    Unhealthy,
    /// 31: the smoke test failed.
    Smoke,
    /// 126: `exec` cannot run the program.
    NotRunnable,
    /// 127: `exec` does not find the program.
    NoProgram,
    /// 130: SIGINT.
    Interrupted,
    /// 143: SIGTERM.
    Terminated,
}

/// The order in which causes are named when there are several.
const PRECEDENCE: [ExitCode; 14] = [
    ExitCode::Usage,
    ExitCode::Mount,
    ExitCode::Lane,
    ExitCode::Access,
    ExitCode::Disk,
    ExitCode::Network,
    ExitCode::Locked,
    ExitCode::Corrupt,
    ExitCode::Incomplete,
    ExitCode::Memory,
    ExitCode::Gpu,
    ExitCode::Unhealthy,
    ExitCode::Smoke,
    ExitCode::Unjudged,
];

impl ExitCode {
    /// Every one, by its number.
    pub const ALL: [Self; 20] = [
        Self::Ready,
        Self::Internal,
        Self::Usage,
        Self::Unjudged,
        Self::Incomplete,
        Self::Corrupt,
        Self::Access,
        Self::Network,
        Self::Disk,
        Self::Locked,
        Self::Mount,
        Self::Lane,
        Self::Gpu,
        Self::Memory,
        Self::Unhealthy,
        Self::Smoke,
        Self::NotRunnable,
        Self::NoProgram,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Unjudged => 3,
            Self::Incomplete => 10,
            Self::Corrupt => 11,
            Self::Access => 12,
            Self::Network => 13,
            Self::Disk => 14,
            Self::Locked => 15,
            Self::Mount => 16,
            Self::Lane => 17,
            Self::Gpu => 20,
            Self::Memory => 21,
            Self::Unhealthy => 30,
            Self::Smoke => 31,
            Self::NotRunnable => 126,
            Self::NoProgram => 127,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the number means, in a few words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ready => "every required lane is ready",
            Self::Internal => "internal error",
            Self::Usage => "usage, or the project cannot be loaded",
            Self::Unjudged => "could not judge",
            Self::Incomplete => "files missing or incomplete",
            Self::Corrupt => "files corrupt or not loadable",
            Self::Access => "token, licence or access",
            Self::Network => "network or hub unreachable",
            Self::Disk => "not enough disk",
            Self::Locked => "locked by another download that no longer moves",
            Self::Mount => "mount or permission",
            Self::Lane => "lane configuration",
            Self::Gpu => "GPU runtime or device",
            Self::Memory => "memory or context does not fit",
            Self::Unhealthy => "container unhealthy",
            Self::Smoke => "smoke test failed",
            Self::NotRunnable => "the engine's program cannot be run",
            Self::NoProgram => "the engine's program is not there",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }

    /// How many causes would be named before it: what keeps everything from starting stands before
    /// what is missing or wrong in one place.
    #[must_use]
    pub fn rank(self) -> usize {
        PRECEDENCE.iter().position(|code| *code == self).unwrap_or(PRECEDENCE.len())
    }

    /// The one of several causes that the process exits with; `Ready` for none.
    #[must_use]
    pub fn worst(causes: &[Self]) -> Self {
        PRECEDENCE.into_iter().find(|code| causes.contains(code)).unwrap_or(Self::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_by_its_number() {
        assert!(ExitCode::ALL.is_sorted_by_key(|code| code.code()));
        let causes = PRECEDENCE.iter().filter(|code| ExitCode::ALL.contains(code));
        assert_eq!(causes.count(), PRECEDENCE.len());
    }

    #[test]
    fn a_wrong_mount_is_named_before_the_files_that_are_missing_because_of_it() {
        assert_eq!(ExitCode::worst(&[ExitCode::Incomplete, ExitCode::Mount]), ExitCode::Mount);
        assert_eq!(ExitCode::worst(&[]), ExitCode::Ready);
    }
}
