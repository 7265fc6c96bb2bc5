//! What the engine answers about the files of a container.

use std::path::Path;

use base64::Engine as _;

use super::fake_engine::FakeEngine;

/// The type bits of Go's `os.FileMode`.
pub(crate) const FOLDER: u32 = 1 << 31 | 0o755;
pub(crate) const LINK: u32 = 1 << 27 | 0o777;
pub(crate) const FILE: u32 = 0o644;

/// The question about `path` in the container `id`, as [`FakeEngine::raw`] knows it.
pub(crate) fn request(method: &str, id: &str, path: &str) -> String {
    format!("{method} /containers/{id}/archive?path={}", path.replace('/', "%2F"))
}

pub(crate) fn stat(mode: u32, size: i64, link: &str) -> String {
    let stat = serde_json::json!({
        "name": "x", "size": size, "mode": mode, "mtime": "2026-01-01T00:00:00Z", "linkTarget": link,
    });
    base64::engine::general_purpose::STANDARD.encode(stat.to_string())
}

/// An answer to `HEAD`.
pub(crate) fn head(stat: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nX-Docker-Container-Path-Stat: {stat}\r\nconnection: close\r\n\r\n")
        .into_bytes()
}

/// An answer to `GET`, which ends where the connection does.
pub(crate) fn body(bytes: &[u8]) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-tar\r\nconnection: close\r\n\r\n";
    [head.as_bytes(), bytes].concat()
}

/// A tar header with that type and size field.
pub(crate) fn tar(kind: u8, size: &[u8; 12]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..4].copy_from_slice(b"name");
    block[124..136].copy_from_slice(size);
    block[148..156].fill(b' ');
    block[156] = kind;
    block[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// An engine that shows what is below `folder` in the container `id`, at `target`.
pub(crate) fn showing(engine: FakeEngine, id: &str, folder: &Path, target: &str) -> FakeEngine {
    let root = engine.raw(&request("HEAD", id, "/"), head(&stat(FOLDER, 0, "")));
    walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap).fold(root, |engine, entry| {
        let below = entry.path().strip_prefix(folder).unwrap();
        let path = Path::new(target).join(below).display().to_string();
        let path = path.trim_end_matches('/');
        if entry.file_type().is_dir() {
            return engine.raw(&request("HEAD", id, path), head(&stat(FOLDER, 0, "")));
        }
        let mut content = fs_err::read(entry.path()).unwrap();
        let size = format!("{:011o}\0", content.len());
        let seen = stat(FILE, i64::try_from(content.len()).unwrap(), "");
        content.resize(content.len().next_multiple_of(512) + 1024, 0);
        let archive = [tar(b'0', size.as_bytes().try_into().unwrap()), content].concat();
        engine
            .raw(&request("HEAD", id, path), head(&seen))
            .raw(&request("GET", id, path), body(&archive))
    })
}
