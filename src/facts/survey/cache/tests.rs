use std::os::unix::fs::symlink;

use super::*;
use crate::facts::hub::{Listing, ObjectId, RemoteFile};
use crate::plan::lanes::Origin;
use crate::source_map::Place;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn visible(path: &Path) -> Located {
    Located {
        service: Some("llm".to_owned()),
        service_path: Some(ServicePath::new("/cache")),
        host_path: Some(HostPath::new(path)),
        sight: Sight::Visible {
            path: LocalPath::new(path),
            root: LocalPath::new(path),
            mounted_at: LocalPath::new(path),
            read_only: false,
        },
        mount: None,
    }
}

pub(in crate::facts::survey) fn cached(choice: Choice, places: Vec<Located>) -> Cached {
    Cached {
        part: Part::Model,
        repository: "o/r".to_owned(),
        revision: None,
        choice,
        projector: true,
        places,
        fillable: 1,
        beside: Vec::new(),
        from: Origin::Engine("--model".to_owned()),
        place: Place::nowhere(),
    }
}

pub(in crate::facts::survey) fn listing(paths: &[&str]) -> Listing {
    let oid = ObjectId::GitBlob("0".repeat(40));
    let file = |path: &&str| RemoteFile { path: (*path).to_owned(), size: 1, oid: oid.clone() };
    let files = paths.iter().map(file).collect();
    Listing { source: "hf://o/r".parse().unwrap(), commit: "0".repeat(40), files }
}

fn search(cached: &Cached) -> (CacheState, Option<String>) {
    let search = Search { view: &LocalView, cached, own_tokenizer: true, offline: None };
    let (state, artifact) = search.state();
    let opened = artifact.map(|facts| facts.artifact.located.value.service_path.unwrap());
    (state, opened.map(|path| path.to_string()))
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

#[test]
fn the_worst_that_is_known_of_several_caches_is_not_taken_for_the_best() {
    let root = tempfile::tempdir().unwrap();
    let place = |sight: Sight| Located { sight, ..visible(root.path()) };
    let hidden = || place(Sight::Hidden("a volume".to_owned()));
    let unseen = CacheState::Unseen("a volume".to_owned());
    let state = |places: Vec<Located>| search(&cached(Choice::Folder, places)).0;
    assert_eq!(state(vec![place(Sight::NotMounted)]), CacheState::NotMounted);
    assert_eq!(state(vec![place(Sight::NotMounted), hidden()]), unseen);
    assert_eq!(state(vec![hidden(), place(Sight::NotMounted)]), unseen);
    let lacking = CacheState::Lacking(Vec::new());
    assert_eq!(state(vec![visible(root.path()), hidden()]), lacking);
    assert_eq!(state(vec![hidden(), visible(root.path())]), lacking);
    assert!(matches!(state(Vec::new()), CacheState::Unseen(_)));
}

#[test]
fn a_file_is_found_through_its_ref_and_its_relative_link() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "models--o--r/refs/main", COMMIT);
    write(root.path(), "models--o--r/blobs/1", "no gguf");
    let snapshot = root.path().join("models--o--r/snapshots").join(COMMIT);
    fs_err::create_dir_all(snapshot.join("sub")).unwrap();
    symlink("../../../blobs/1", snapshot.join("sub/m-Q4_K_M.gguf")).unwrap();
    symlink("../../blobs/gone", snapshot.join("m-Q8_0.gguf")).unwrap();
    let find = |tag: &str, revision: Option<&str>| {
        let choice = Choice::Quantisation(Some(tag.to_owned()));
        let revision = revision.map(str::to_owned);
        search(&Cached { revision, ..cached(choice, vec![visible(root.path())]) })
    };
    let path = format!("/cache/models--o--r/snapshots/{COMMIT}/sub/m-Q4_K_M.gguf");
    for revision in [None, Some("main"), Some(COMMIT)] {
        assert_eq!(find("q4_k_m", revision), (CacheState::Held, Some(path.clone())));
    }
    let lacking = (CacheState::Lacking(Vec::new()), None);
    assert_eq!(find("q4_k_m", Some("v2")), lacking);
    assert_eq!(find("q8_0", None), lacking, "a link to a blob that is gone");
    assert_eq!(find("q2_k", None), lacking);
}

#[test]
fn what_a_folder_lacks_is_named() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "models--o--r/refs/main", COMMIT);
    let snapshot = format!("models--o--r/snapshots/{COMMIT}");
    write(
        root.path(),
        &format!("{snapshot}/config.json"),
        r#"{"architectures": ["LlamaForCausalLM"]}"#,
    );
    let lacking = || {
        let (state, _) = search(&cached(Choice::Folder, vec![visible(root.path())]));
        let CacheState::Lacking(lacks) = state else { panic!("{state:?}") };
        lacks
    };
    assert!(lacking().contains(&Lack::Weights), "{:?}", lacking());
    assert!(lacking().contains(&Lack::Tokenizer), "{:?}", lacking());
    write(root.path(), &format!("{snapshot}/tokenizer.json"), r#"{"model": {"vocab": {}}}"#);
    assert_eq!(lacking(), [Lack::Weights]);
    let tokenizer =
        Cached { part: Part::Tokenizer, ..cached(Choice::Folder, vec![visible(root.path())]) };
    assert_eq!(search(&tokenizer).0, CacheState::Held);
}

#[test]
fn a_folder_is_listed_only_so_deep() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a/b/c/d/e.gguf", "");
    write(root.path(), "a/b/c/x.gguf", "");
    let mut names = Vec::new();
    list(&LocalView, root.path(), "", DEEPEST, &mut names);
    assert_eq!(names, ["a/b/c/x.gguf"]);
}
