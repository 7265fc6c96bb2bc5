//! What Traefik passes on: its file provider (documentation of Traefik v3, `providers.file` and
//! `loadBalancer.servers`).

use super::{Entry, Program, absolute, paths};
use crate::path::ServicePath;
use crate::plan::wiring::clients::Purpose;
use crate::project::compose::Foreign;
use crate::project::{Service, Text};

pub(super) static PROGRAM: Program = Program { name: "Traefik", images: &["traefik"], files, read };

/// Where it looks for its own configuration.
const OWN: [&str; 2] = ["/etc/traefik/traefik.yml", "/etc/traefik/traefik.yaml"];

/// How files of a folder end that it reads, and that are YAML.
const ENDS: [&str; 2] = ["*.yml", "*.yaml"];

/// Both ways in which the key is written; it does not tell them apart.
const BALANCERS: [&str; 2] = ["loadBalancer", "loadbalancer"];

fn files(service: &Service) -> Vec<ServicePath> {
    let mut files = paths(service, &["--configFile"], "/");
    if files.is_empty() {
        files.extend(OWN.map(ServicePath::new));
    }
    let at = |path: &str| absolute(service, "/", path);
    let own = files.clone().into_iter().filter_map(|path| service.settings.get(&path));
    let own: Vec<Foreign> = own.filter_map(Foreign::read).collect();
    let said = |key: &str| own.iter().find_map(|it| it.text(&format!("/providers/file/{key}")));

    files.extend(paths(service, &["--providers.file.filename"], "/"));
    files.extend(service.variable("TRAEFIK_PROVIDERS_FILE_FILENAME").map(at));
    files.extend(said("filename").map(|file| at(&file.value)));

    let mut folders = paths(service, &["--providers.file.directory"], "/");
    folders.extend(service.variable("TRAEFIK_PROVIDERS_FILE_DIRECTORY").map(at));
    folders.extend(said("directory").map(|folder| at(&folder.value)));
    files.extend(folders.iter().flat_map(|folder| ENDS.map(|end| folder.join(end))));
    files
}

fn read(_service: &Service, _path: &ServicePath, text: &Text) -> Vec<Entry> {
    let Some(config) = Foreign::read(text) else { return Vec::new() };
    let mut found = Vec::new();
    for service in config.below("/http/services") {
        for balancer in BALANCERS {
            for server in config.below(&format!("{service}/{balancer}/servers")) {
                let address = config.text(&format!("{server}/url"));
                let entry = |it| Entry::new(PROGRAM.name, "url", Purpose::Upstream, it);
                found.extend(address.map(entry));
            }
        }
    }
    found
}
