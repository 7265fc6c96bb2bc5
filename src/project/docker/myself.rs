//! Which container this process runs in, as far as its own files tell.
//!
//! What is found here is a proposal: only Docker knows whether there is such a container.

use std::path::Path;

use crate::limits::LONGEST_OF_KERNEL;
use crate::regular_file;

/// The bind mounts that Docker makes from the container's own folder.
const INJECTED: [&str; 3] = ["hostname", "hosts", "resolv.conf"];

/// Digits of a whole container id.
const ID_LENGTH: usize = 64;

/// Digits of the host name that Docker gives a container by default.
const SHORT_ID_LENGTH: usize = 12;

/// The id of the own container as its files propose it: what is mounted on `/etc/hostname` and its
/// kin, else the control group, else the host name.
///
/// `mountinfo` and `cgroup` are the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`,
/// `hostname` is the system's; each may be empty. The host name only yields the first 12 digits.
/// Absent where nothing looks like a container.
///
/// The folder that holds these files need not be called `containers` (it may be a mount of its
/// own: nginx-proxy/docker-gen issue 747), and Podman has a `userdata` in between
/// (nginx-proxy/acme-companion issue 1092).
#[must_use]
pub fn container_id(mountinfo: &str, cgroup: &str, hostname: &str) -> Option<String> {
    mountinfo
        .lines()
        .find_map(id_of_mount)
        .or_else(|| cgroup.lines().find_map(id_of_control_group))
        .or_else(|| short_id(hostname.trim()))
        .map(str::to_owned)
}

/// [`container_id`] of this process; a file that cannot be read says nothing. Blocking.
#[must_use]
pub fn propose() -> Option<String> {
    let read = |path| regular_file::text(Path::new(path), LONGEST_OF_KERNEL).unwrap_or_default();
    container_id(
        &read("/proc/self/mountinfo"),
        &read("/proc/self/cgroup"),
        &read("/proc/sys/kernel/hostname"),
    )
}

/// `36 35 98:0 /var/lib/docker/containers/<id>/hostname /etc/hostname rw ...`: the fourth word is
/// the path in the mounted file system, the fifth is where it is mounted (proc(5)).
fn id_of_mount(line: &str) -> Option<&str> {
    let mut words = line.split(' ').skip(3);
    let root = words.next()?;
    let mount_point = words.next()?;
    let name =
        INJECTED.into_iter().find(|name| mount_point.strip_prefix("/etc/") == Some(*name))?;
    let folder = Path::new(root.strip_suffix(name)?);
    let folder = if folder.ends_with("userdata") { folder.parent()? } else { folder };
    folder.file_name()?.to_str().filter(|id| is_hexadecimal(id, ID_LENGTH))
}

/// `4:memory:/docker/<id>`, `0::/system.slice/docker-<id>.scope`,
/// `1:name=systemd:/machine.slice/libpod-<id>.scope/container`. Version 2 in a namespace of its own
/// says `0::/`, which tells nothing.
fn id_of_control_group(line: &str) -> Option<&str> {
    let path = line.splitn(3, ':').nth(2)?;
    path.rsplit('/').find_map(|name| {
        let name = name.strip_suffix(".scope").unwrap_or(name);
        let id = name.rsplit('-').next().unwrap_or(name);
        is_hexadecimal(id, ID_LENGTH).then_some(id)
    })
}

fn short_id(hostname: &str) -> Option<&str> {
    is_hexadecimal(hostname, SHORT_ID_LENGTH).then_some(hostname)
}

fn is_hexadecimal(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4ee3f2c1a90b7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e";
    const OTHER: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

    fn check(mountinfo: &str, cgroup: &str, hostname: &str, expected: Option<&str>) {
        let fill = |text: &str| text.replace("OTHER", OTHER).replace("ID", ID);
        assert_eq!(
            container_id(&fill(mountinfo), &fill(cgroup), hostname).as_deref(),
            expected,
            "{mountinfo} {cgroup} {hostname}"
        );
    }

    #[test]
    fn docker_mounts_the_files_of_the_container_over_etc() {
        let mountinfo = "\
638 537 0:51 / / rw,relatime master:199 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/AB,upperdir=/var/lib/docker/overlay2/OTHER/diff
646 638 8:1 /var/lib/docker/containers/ID/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/sda1 rw
647 638 8:1 /var/lib/docker/containers/ID/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw
648 638 8:1 /var/lib/docker/containers/ID/hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw
";
        check(mountinfo, "0::/\n", "vllm", Some(ID));
    }

    #[test]
    fn the_folder_of_the_containers_may_be_a_mount_of_its_own() {
        check("1 2 8:1 /ID/hosts /etc/hosts rw - ext4 /dev/sdb rw", "", "", Some(ID));
    }

    #[test]
    fn podman_has_a_folder_in_between() {
        let mountinfo = "\
701 690 0:24 /containers/overlay-containers/ID/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw
";
        check(mountinfo, "", "", Some(ID));
    }

    #[test]
    fn a_mount_of_another_container_s_files_elsewhere_is_not_the_own() {
        let mountinfo = "\
10 1 8:1 /var/lib/docker/containers/OTHER/hostname /watched/hostname ro - ext4 /dev/sda1 rw
11 1 8:1 /srv/hosts /etc/hosts ro - ext4 /dev/sda1 rw
";
        check(mountinfo, "", "box", None);
    }

    #[test]
    fn control_groups_of_version_1_name_the_container() {
        check("", "12:pids:/docker/ID\n11:memory:/docker/ID\n", "", Some(ID));
        check("", "1:name=systemd:/system.slice/docker-ID.scope\n", "", Some(ID));
        check("", "9:cpu:/machine.slice/libpod-ID.scope/container\n", "", Some(ID));
    }

    #[test]
    fn a_control_group_of_version_2_names_it_only_outside_of_a_namespace() {
        check("", "0::/system.slice/docker-ID.scope\n", "", Some(ID));
        check("", "0::/\n", "", None);
    }

    #[test]
    fn the_host_name_is_the_last_resort() {
        check("", "0::/\n", "4ee3f2c1a90b\n", Some("4ee3f2c1a90b"));
        for hostname in ["workstation", "4ee3f2c1a90", "4EE3F2C1A90B", "4ee3f2c1a90b7", ""] {
            check("", "0::/\n", hostname, None);
        }
    }

    #[test]
    fn a_host_is_no_container() {
        let mountinfo = "\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
31 22 0:25 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
95 22 0:51 / /var/lib/docker/overlay2/OTHER/merged rw - overlay overlay rw
96 31 0:4 net:[4026532281] /run/docker/netns/abc rw - nsfs nsfs rw
";
        check(mountinfo, "0::/user.slice/user-1000.slice/session-2.scope\n", "workstation", None);
    }

    #[test]
    fn garbage_is_no_container() {
        for text in
            ["", "\n\n", "a b", "1 2 3 / /etc/hosts", "1 2 3  /etc/hosts", "::::", "é é é é é"]
        {
            check(text, text, text, None);
        }
    }
}
