//! Whether Docker runs on the machine that this process runs on: whose disk its mounts are.

use std::net::IpAddr;
use std::os::fd::AsRawFd as _;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::system::uname;

use super::archive::has_host_path;
use super::connection::{Address, Connection, address};
use super::context::{self, Endpoint};
use super::{DockerError, Observation};
use crate::options::DockerOptions;
use crate::path::HostPath;

/// The lowest number that a file of this process is opened under, to be found by; most processes
/// have fewer files, and may have 1024.
const RARE: i32 = 512;

/// What a machine calls itself and its kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name of the host.
    pub name: String,
    /// The kernel's release.
    pub kernel: String,
}

impl Identity {
    fn own() -> Self {
        let system = uname();
        Self {
            name: system.nodename().to_string_lossy().into_owned(),
            kernel: system.release().to_string_lossy().into_owned(),
        }
    }
}

/// Where Docker is, as configured, if paths of the project are not paths of its host, or if that is
/// not known; absent: they are. `directory` is the folder of the project.
///
/// A socket of this machine may lead to another one, or to a virtual machine that shares folders:
/// that its host does not have the project is the proof. Behind a port may be this machine:
/// that its host sees this process is the proof, or, where that may not be asked, that it listens here
/// and calls itself as this machine does.
pub async fn elsewhere(
    options: &DockerOptions,
    observation: &Result<Observation, DockerError>,
    directory: &HostPath,
) -> Option<String> {
    if !options.enabled {
        return None;
    }
    let endpoint = match context::endpoint(options) {
        Ok(endpoint) => endpoint,
        Err(DockerError::Context { name, .. }) => return Some(format!("the context {name}")),
        Err(_) => return None,
    };
    let is_here = match (kind(&endpoint), observation) {
        (Ok(Address::Socket(_)), Ok(observation)) => {
            let identity = observation.docker.identity.as_ref();
            // A container of its own has a name of its own.
            observation.myself.is_some()
                || identity.is_none_or(|known| *known == Identity::own())
                || asked(options, directory).await != Some(false)
        }
        (Ok(Address::Socket(_)), Err(_)) => true,
        (Ok(Address::Tcp(address)), Ok(observation)) => match sees_this_process(options).await {
            Some(seen) => seen,
            None => is_loopback(&address) && observation.docker.identity == Some(Identity::own()),
        },
        (Ok(Address::Tcp(_)) | Err(_), _) => false,
    };
    (!is_here).then_some(endpoint.host)
}

fn kind(endpoint: &Endpoint) -> Result<Address, DockerError> {
    address(&endpoint.host, endpoint.certificates.is_some())
}

/// Whether Docker's host has `path`; absent: it cannot be asked.
async fn asked(options: &DockerOptions, path: &HostPath) -> Option<bool> {
    has_host_path(&Connection::open(options).ok()?, path).await
}

/// Whether Docker's host sees a file that this process has open, under a number that is rare.
async fn sees_this_process(options: &DockerOptions) -> Option<bool> {
    let file = fs_err::File::open("/").ok()?;
    let process = rustix::process::getpid().as_raw_nonzero().get();
    let number = RARE + process % 256;
    let open = fcntl_dupfd_cloexec(&file, number).ok()?;
    let path = HostPath::new(format!("/proc/{process}/fd/{}", open.as_raw_fd()));
    let seen = asked(options, &path).await;
    drop(open);
    seen
}

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_this_machine_is_known_by_its_looks() {
        for (address, expected) in [
            ("127.0.0.1:2375", true),
            ("localhost:2375", true),
            ("[::1]:2375", true),
            ("10.0.0.7:2375", false),
            ("localhost.example:2375", false),
            ("box", false),
        ] {
            assert_eq!(is_loopback(address), expected, "{address}");
        }
    }
}
