use std::os::unix::fs::symlink;
use std::path::Path;

use fs_err as fs;
use tempfile::TempDir;

use super::folder::Folder;
use super::*;

/// A folder of others, `models`, beside something that is not theirs, `outside/secret`.
fn estate() -> (TempDir, Beneath, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let (models, secret) = (scratch.path().join("models"), scratch.path().join("outside/secret"));
    fs::create_dir_all(models.join("lane")).unwrap();
    fs::create_dir(scratch.path().join("outside")).unwrap();
    fs::write(&secret, "secret").unwrap();
    (scratch, Beneath::root(models), secret)
}

#[test]
fn nothing_is_done_through_a_link() {
    let (_scratch, models, secret) = estate();
    let outside = secret.parent().unwrap();
    symlink(&secret, models.path().join("file")).unwrap();
    symlink(outside, models.path().join("folder")).unwrap();
    let (file, below) = (models.join("file"), models.join("folder/secret"));
    for how in [Use::Read, Use::Write, Use::Keep] {
        for place in [&file, &below] {
            let error = place.open(how).unwrap_err();
            let link = error.get_ref().and_then(|it| it.downcast_ref::<LinkInTheWay>());
            assert!(link.is_some(), "{place} {how:?}: {error}");
        }
    }
    assert!(models.join("folder/new").open(Use::New).is_err());
    assert!(models.join("folder/new").make_folders().is_err());
    assert!(models.join("folder").make_folders().is_err());
    assert!(models.join("folder").names().is_err());
    assert!(below.remove().is_err() && below.remove_folder().is_err());
    assert!(below.link_to(Path::new("x")).is_err());
    assert!(below.rename(&models.join("lane/x")).is_err());
    assert!(models.join("lane").rename(&models.join("folder/lane")).is_err());
    assert!(below.name_twice(&models.join("lane/x")).is_err());
    let text = models.join("folder/text");
    assert!(text.write_whole(&text.beside(".text"), b"x").is_err());
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
}

#[test]
fn a_link_is_renamed_removed_and_replaced_as_the_link_that_it_is() {
    let (_scratch, models, secret) = estate();
    symlink(&secret, models.path().join("link")).unwrap();
    let link = models.join("link");
    assert_eq!(link.link_target().unwrap(), secret);
    link.rename(&models.join("lane/link")).unwrap();
    let text = models.join("lane/link");
    text.write_whole(&text.beside(".text"), b"mine").unwrap();
    assert_eq!(text.read(4).unwrap().unwrap(), "mine");
    assert_eq!(text.read(3).unwrap(), None);
    text.link_to(Path::new("elsewhere")).unwrap();
    assert_eq!(text.link_target().unwrap(), Path::new("elsewhere"));
    symlink(secret.parent().unwrap(), models.path().join("lane/folder")).unwrap();
    models.join("lane").remove_folder().unwrap();
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
}

#[test]
fn only_regular_files_are_opened_and_nothing_is_waited_for() {
    let (_scratch, models, _secret) = estate();
    let pipe = models.join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, pipe.path(), Mode::from(0o644)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(models.path().join("socket")).unwrap();
    for name in ["pipe", "socket", "lane"] {
        for how in [Use::Read, Use::Write, Use::Keep] {
            assert!(models.join(name).open(how).is_err(), "{name}");
        }
    }
}

#[test]
fn one_name_after_the_other_leads_as_far_as_all_at_once() {
    let (_scratch, models, _secret) = estate();
    fs::create_dir_all(models.path().join("a/b")).unwrap();
    symlink("a", models.path().join("inside")).unwrap();
    symlink("/etc", models.path().join("etc")).unwrap();
    let root = Folder::open(models.path()).unwrap();
    for (path, is_there) in
        [("a/b", true), ("a", true), ("a/c", false), ("inside/b", false), ("etc", false)]
    {
        let path = Path::new(path);
        assert_eq!(root.below(path).is_ok(), is_there, "{path:?}");
        assert_eq!(root.below_by_steps(path).is_ok(), is_there, "{path:?}");
    }
}

#[test]
fn links_that_stay_inside_are_followed_when_a_folder_is_looked_for() {
    let (scratch, models, _secret) = estate();
    symlink("lane", models.path().join("alias")).unwrap();
    symlink(scratch.path().join("outside"), models.path().join("away")).unwrap();
    symlink("nowhere", models.path().join("dangling")).unwrap();
    let find = |path: &str| Beneath::find(models.path(), &models.path().join(path));
    let alias = find("alias/new").unwrap().unwrap();
    assert_eq!(alias.path(), models.path().join("alias/new"), "as it was asked for");
    alias.make_folders().unwrap();
    assert!(models.path().join("lane/new").is_dir());
    assert_eq!(alias.folder().folder(), models);
    for path in ["away", "away/x", "dangling/x"] {
        assert!(find(path).is_err(), "{path}");
    }
    assert_eq!(Beneath::find(models.path(), scratch.path()), Ok(None));
    let file = models.path().join("own.gguf");
    let itself = Beneath::find_file(&file, &file).unwrap().unwrap();
    assert_eq!(itself, models.join("own.gguf"));
}

#[test]
fn a_link_of_somebody_elses_leads_only_to_what_is_his() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (_scratch, models, _secret) = estate();
    let at = |name: &str| models.path().join(name);
    fs::create_dir(at("his")).unwrap();
    std::os::unix::fs::chown(at("his"), Some(1000), Some(1000)).unwrap();
    for (link, target) in [("to-lane", "lane"), ("to-his", "his"), ("there", "to-lane")] {
        symlink(target, at(link)).unwrap();
    }
    for link in ["to-lane", "to-his"] {
        std::os::unix::fs::lchown(at(link), Some(1000), Some(1000)).unwrap();
    }
    for (link, is_followed) in [("to-lane", false), ("to-his", true), ("there", false)] {
        let found = models.with_links_followed(&Path::new(link).join("new"));
        assert_eq!(found.is_ok(), is_followed, "{link}: {found:?}");
    }
}

#[test]
fn what_a_link_of_somebody_elses_has_led_to_is_used_only_while_it_is_his() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (_scratch, models, _secret) = estate();
    let his = models.path().join("his");
    let own = |owner: u32| std::os::unix::fs::chown(&his, Some(owner), Some(owner)).unwrap();
    fs::create_dir(&his).unwrap();
    own(1000);
    symlink("his", models.path().join("link")).unwrap();
    std::os::unix::fs::lchown(models.path().join("link"), Some(1000), Some(1000)).unwrap();
    let found = models.with_links_followed(Path::new("link")).unwrap();
    found.join("before").open(Use::New).unwrap();
    own(0);
    assert!(found.names().is_err());
    assert!(found.join("after").open(Use::New).is_err());
    assert!(found.join("folder").make_folders().is_err());
    assert_eq!(fs::read_dir(his).unwrap().count(), 1);
    assert!(models.join("his/beside").open(Use::New).is_ok());
}

#[test]
fn a_name_cannot_lead_up() {
    let (_scratch, models, _secret) = estate();
    let joined = models.join("../outside/./secret").join("/etc/passwd");
    assert_eq!(joined.path(), models.path().join("outside/secret/etc/passwd"));
    assert_eq!(models.folder(), models);
    assert!(models.open(Use::Read).is_err() && models.remove().is_err());
}

#[test]
fn folders_are_made_with_mode_and_owner_of_what_they_are_in() {
    let (scratch, models, _secret) = estate();
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(models.path(), Some(1234), Some(1234)).unwrap();
    }
    fs::set_permissions(models.path(), Permissions::from_mode(0o2775)).unwrap();
    models.join("a/b").make_folders().unwrap();
    models.join("a/b").make_folders().unwrap();
    for name in ["a", "a/b"] {
        let made = fs::metadata(models.path().join(name)).unwrap();
        assert_eq!(made.mode() & 0o7777, 0o2755, "{name}");
        assert!(!root || (made.uid(), made.gid()) == (1234, 1234), "{name}");
    }
    assert_eq!(models.join("a").names().unwrap(), ["b"], "nothing else is left behind");
    let new = Beneath::root(scratch.path().join("new/root"));
    new.join("lane").make_folders().unwrap();
    assert!(scratch.path().join("new/root/lane").is_dir());
}
