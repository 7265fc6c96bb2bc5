//! The short syntax of a mount (compose-go v2.9.1 `format/volume.go`).

use super::fault::Fault;
use super::tree::Node;
use crate::path::clean;
use crate::source_map::Place;

/// A mount in short syntax.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ShortVolume {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) read_only: bool,
    pub(super) nocopy: bool,
    pub(super) propagation: Option<String>,
    pub(super) selinux: Option<String>,
}

/// Splits `source:target:options`.
pub(super) fn parse(spec: &str) -> Result<ShortVolume, Fault> {
    let mut volume = ShortVolume::default();
    match spec.len() {
        0 => return Err(Fault::whole("the mount is empty")),
        1 | 2 => {
            spec.clone_into(&mut volume.target);
            return Ok(volume);
        }
        _ => {}
    }
    let mut field = String::new();
    // A `${` that is still there was written as `$${`.
    let mut open = 0_usize;
    let mut characters = spec.chars().peekable();
    while let Some(c) = characters.next() {
        if c == '$' && characters.peek() == Some(&'{') {
            open += 1;
            field.push(c);
        } else if c == '}' && open > 0 {
            open -= 1;
            field.push(c);
        } else if c == ':' && is_drive(&field) {
            field.push(c);
        } else if c == ':' && open == 0 {
            volume.take(&field, false).map_err(|reason| refuse(spec, reason))?;
            field.clear();
        } else {
            field.push(c);
        }
    }
    if open == 0 {
        volume.take(&field, true).map_err(|reason| refuse(spec, reason))?;
    }
    Ok(volume)
}

fn refuse(spec: &str, reason: &str) -> Fault {
    match spec.starts_with(':') {
        true => Fault::whole(format!("invalid mount `{spec}`: its source is empty"))
            .hint("name a folder or a volume before the colon"),
        false => Fault::whole(format!("invalid mount `{spec}`: {reason}")),
    }
}

fn is_drive(field: &str) -> bool {
    let mut characters = field.chars();
    characters.next().is_some_and(char::is_alphabetic) && characters.next().is_none()
}

impl ShortVolume {
    fn take(&mut self, field: &str, last: bool) -> Result<(), &'static str> {
        if field.is_empty() {
            return Err("there is nothing between two colons");
        }
        if self.source.is_empty() {
            let place = if last { &mut self.target } else { &mut self.source };
            field.clone_into(place);
            return Ok(());
        }
        if self.target.is_empty() {
            field.clone_into(&mut self.target);
            return Ok(());
        }
        if !last {
            return Err("it has too many colons");
        }
        for option in field.split(',') {
            match option {
                "ro" => self.read_only = true,
                "rw" => self.read_only = false,
                "nocopy" => self.nocopy = true,
                "z" | "Z" => self.selinux = Some(option.to_owned()),
                "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => {
                    self.propagation = Some(option.to_owned());
                }
                // Compose ignores what it does not know.
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether the source is a path rather than the name of a volume.
    pub(super) fn is_bind(&self) -> bool {
        if self.source.starts_with(['.', '/', '~']) || self.source.starts_with(r"\\") {
            return true;
        }
        let mut characters = self.source.chars();
        characters.next().is_some_and(char::is_alphabetic) && characters.next() == Some(':')
    }

    /// Whether it was too short to be split, so that Compose says nothing about the volume.
    fn is_bare(&self) -> bool {
        self.source.is_empty() && self.target.len() <= 2
    }

    /// The same in long syntax.
    pub(super) fn into_long(self, place: &Place) -> Node {
        let bare = self.is_bare();
        let kind = if self.is_bind() { "bind" } else { "volume" };
        let mut long = Node::mapping([("type", Node::string(kind, place))], place);
        if !self.source.is_empty() {
            long.insert("source", Node::string(&self.source, place));
        }
        let target = clean(self.target.as_ref()).to_string_lossy().into_owned();
        long.insert("target", Node::string(target, place));
        if self.read_only {
            long.insert("read_only", Node::bool(true, place));
        }
        let is_bind = self.is_bind();
        if is_bind || self.selinux.is_some() || self.propagation.is_some() {
            let mut bind = Node::mapping([], place);
            if let Some(selinux) = self.selinux {
                bind.insert("selinux", Node::string(selinux, place));
            }
            if let Some(propagation) = self.propagation {
                bind.insert("propagation", Node::string(propagation, place));
            }
            if is_bind {
                bind.insert("create_host_path", Node::bool(true, place));
            }
            long.insert("bind", bind);
        }
        if (!is_bind && !bare) || self.nocopy {
            let mut volume = Node::mapping([], place);
            if self.nocopy {
                volume.insert("nocopy", Node::bool(true, place));
            }
            long.insert("volume", volume);
        }
        long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: &str, source: &str, target: &str, bind: bool, read_only: bool) {
        let volume = parse(spec).unwrap();
        let seen =
            (volume.source.as_str(), volume.target.as_str(), volume.is_bind(), volume.read_only);
        assert_eq!(seen, (source, target, bind, read_only), "{spec}");
    }

    #[test]
    fn short_syntax_is_split_as_in_compose() {
        check("/a:/b", "/a", "/b", true, false);
        check("./a:/b:ro", "./a", "/b", true, true);
        check("models:/b:ro,z", "models", "/b", false, true);
        check("/b", "", "/b", false, false);
        check("/m", "", "/m", false, false);
        check("m:/models", "", "m:/models", false, false);
        check(r"C:\a:/b", r"C:\a", "/b", true, false);
        check(r"\\.\pipe\x:/b", r"\\.\pipe\x", "/b", true, false);
        check("~/a:/b:banana", "~/a", "/b", true, false);
    }

    #[test]
    fn what_compose_refuses_is_refused() {
        for spec in ["", ":/models", "/a::ro", "/a:/b:ro:x", "/a:/b:"] {
            assert!(parse(spec).is_err(), "{spec}");
        }
    }
}
