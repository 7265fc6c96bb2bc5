//! The caches: made by `hf`, by preflight and by hand.

use super::stage::{ADAPTER, Cache, DRAFT, MODEL, NEEDED, SHARD};

/// A cache, and what becomes of it.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// That the command line names, where `COMMIT` stands for that of `main` and `OLDER` for the one
    /// before.
    pub(super) revision: Option<&'static str>,
    /// What is opened beside the model: what it is, and its name.
    pub(super) beside: Option<(&'static str, &'static str)>,
    /// Opened by SGLang; else by vLLM.
    pub(super) in_sglang: bool,
    /// Whether the older and the newer release open it.
    pub(super) opens: [bool; 2],
    pub(super) make: fn(&Cache<'_>),
}

const fn case(name: &'static str, opens: bool, make: fn(&Cache<'_>)) -> Case {
    Case { name, revision: None, beside: None, in_sglang: false, opens: [opens, opens], make }
}

const fn at(name: &'static str, revision: &'static str, opens: bool, make: fn(&Cache<'_>)) -> Case {
    Case { revision: Some(revision), ..case(name, opens, make) }
}

const fn beside(
    name: &'static str,
    beside: (&'static str, &'static str),
    opens: [bool; 2],
    make: fn(&Cache<'_>),
) -> Case {
    Case { beside: Some(beside), opens, ..case(name, false, make) }
}

const fn in_sglang(case: Case) -> Case {
    Case { in_sglang: true, ..case }
}

fn whole_at_v1(cache: &Cache<'_>) {
    cache.hf(&[MODEL, "--revision", "v1"]);
}

fn whole_at_a_commit(cache: &Cache<'_>) {
    cache.hf(&[MODEL, "--revision", "COMMIT"]);
}

fn both_commits(cache: &Cache<'_>) {
    cache.whole();
    cache.hf_before(&[MODEL, "--revision", "OLDER"]);
}

const IN_SGLANG: (&str, &str) = ("texts-of-adapter", ADAPTER);

/// Every cache.
pub(super) const CACHES: &[Case] = &[
    // By `hf`.
    case("the whole repository", true, |cache| cache.whole()),
    case("what is needed of it", true, |cache| {
        cache.hf(&[MODEL, "--include", NEEDED[0], "--include", NEEDED[1]]);
    }),
    case("its files one by one", true, |cache| {
        let shards =
            ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", SHARD];
        let texts = ["config.json", "tokenizer.json", "model.safetensors.index.json"];
        cache.hf(&[&[MODEL], &texts[..], &shards[..]].concat());
    }),
    case("nothing but texts", false, |cache| cache.hf(&[MODEL, "--include", "*.json"])),
    case("all but the tokenizer", false, |cache| {
        cache.hf(&[MODEL, "--exclude", "*token*"]);
    }),
    case("nothing but weights", false, |cache| cache.hf(&[MODEL, "--include", "*.safetensors"])),
    at("a tag, asked for by its name", "v1", true, whole_at_v1),
    case("a tag, asked for as main", false, whole_at_v1),
    at("a tag, asked for by its commit", "COMMIT", true, whole_at_v1),
    at("a pull request", "refs/pr/1", true, |cache| cache.hf(&[MODEL, "--revision", "refs/pr/1"])),
    at("a commit, asked for by its name", "COMMIT", true, whole_at_a_commit),
    case("a commit, asked for as main", false, whole_at_a_commit),
    case("killed in the middle of a shard", false, |cache| cache.hf_killed()),
    case("killed, and brought to its end", true, |cache| {
        cache.hf_killed();
        cache.hf(&[MODEL]);
    }),
    case("main has moved, and little of it was brought since", false, |cache| {
        cache.hf_before(&[MODEL]);
        cache.hf(&[MODEL, "--include", "README.md"]);
    }),
    at("the commit before main has moved", "OLDER", true, |cache| {
        cache.hf_before(&[MODEL]);
        cache.hf(&[MODEL, "--include", "README.md"]);
    }),
    case("main, with another commit beside it", true, both_commits),
    at("another commit, with main beside it", "OLDER", true, both_commits),
    case("the whole repository, by an older hf", true, |cache| cache.old_hf(&[MODEL])),
    case("what is needed of it, by an older hf", true, |cache| {
        cache.old_hf(&[MODEL, "--include", NEEDED[0], NEEDED[1]]);
    }),
    case("nothing but texts, by an older hf", false, |cache| {
        cache.old_hf(&[MODEL, "--include", "*.json"]);
    }),
    // By preflight.
    case("brought by preflight", true, |cache| cache.preflight(MODEL)),
    at("a tag, brought by preflight", "v1", true, |cache| {
        cache.preflight(&format!("{MODEL} --revision v1"));
    }),
    at("a commit, brought by preflight", "COMMIT", true, |cache| {
        cache.preflight(&format!("{MODEL} --revision COMMIT"));
    }),
    case("a tag, brought by preflight and asked for as main", false, |cache| {
        cache.preflight(&format!("{MODEL} --revision v1"));
    }),
    case("begun by hf, and brought to its end by preflight", true, |cache| {
        cache.hf(&[MODEL, "--include", "*.json"]);
        cache.preflight(MODEL);
    }),
    case("killed, and brought to its end by preflight", true, |cache| {
        cache.hf_killed();
        cache.preflight(MODEL);
    }),
    case("moved to main by preflight", true, |cache| {
        cache.hf_before(&[MODEL]);
        cache.hf(&[MODEL, "--include", "README.md"]);
        cache.preflight(MODEL);
    }),
    // By hand: copies.
    case("copied with its links followed", true, |cache| {
        cache.by_hand("cp -rL . ../copy; rm -r ../models*; mv ../copy ../models--acme--tiny");
    }),
    case("copied with its links followed, without blobs", true, |cache| {
        cache.by_hand("cp -rL $S ../copy; rm -r blobs $S; mv ../copy $S");
    }),
    case("links by the whole path", true, |cache| {
        cache.by_hand("for f in $S/*; do ln -sf $(realpath $f) $f; done");
    }),
    case("links whose blobs were not copied", false, |cache| cache.by_hand("rm -r blobs")),
    case("the snapshot is a link", true, |cache| {
        cache.by_hand(
            "mv blobs $S ..; ln -s ../../COMMIT snapshots; ln -s ../blobs .; \
                       mkdir -p ../../blobs; cp ../blobs/* ../../blobs",
        );
    }),
    case("the folder is a link", true, |cache| {
        cache.by_hand("cd ..; mv models--acme--tiny ../away; ln -s ../away models--acme--tiny");
    }),
    case("one level too deep", false, |cache| cache.by_hand("mkdir ../hub; mv ../models* ../hub")),
    case("in other letters", false, |cache| cache.by_hand("mv ../models* ../models--Acme--tiny")),
    case("as a data set", false, |cache| cache.by_hand("mv ../models* ../datasets--acme--tiny")),
    case("as a folder of its own", false, |cache| {
        cache.by_hand("cp -L $S/* .; rm -r snapshots refs blobs");
    }),
    // By hand: references.
    case("no reference", false, |cache| cache.by_hand("rm -r refs")),
    at("no reference, asked for by its commit", "COMMIT", true, |cache| {
        cache.by_hand("rm -r refs");
    }),
    at("asked for by a part of its commit", "0123456", false, |cache| {
        cache.by_hand("mv $S snapshots/0123456");
    }),
    case("a reference that ends in a line break", false, |cache| {
        cache.by_hand("echo COMMIT > refs/main");
    }),
    case("a reference that ends as on Windows", false, |cache| {
        cache.by_hand("printf 'COMMIT\\r\\n' > refs/main");
    }),
    case("a reference that ends in a blank", false, |cache| {
        cache.by_hand("printf 'COMMIT ' > refs/main");
    }),
    case("a reference to a commit that is not there", false, |cache| {
        cache.by_hand("printf 0123456789012345678901234567890123456789 > refs/main");
    }),
    case("a reference that says nothing", false, |cache| cache.by_hand(": > refs/main")),
    case("a reference that is a folder", false, |cache| {
        cache.by_hand("rm refs/main; mkdir refs/main");
    }),
    case("a reference as git keeps it", false, |cache| {
        cache.by_hand("mkdir refs/heads; mv refs/main refs/heads");
    }),
    case("a snapshot that is called like its branch", false, |cache| {
        cache.by_hand("rm -r refs; mv $S snapshots/main");
    }),
    case("a reference to a snapshot that is called like its branch", true, |cache| {
        cache.by_hand("mv $S snapshots/main; printf main > refs/main");
    }),
    at("a commit in capital letters", "0123456789ABCDEF0123456789ABCDEF01234567", false, |cache| {
        cache.by_hand("mv $S snapshots/0123456789ABCDEF0123456789ABCDEF01234567");
    }),
    // By hand: files.
    case("an empty snapshot", false, |cache| cache.by_hand("rm $S/*")),
    case("a shard is missing", false, |cache| cache.by_hand(&format!("rm $S/{SHARD}"))),
    case("a shard without its blob", false, |cache| {
        cache.by_hand(&format!("rm $(realpath $S/{SHARD})"));
    }),
    case("a shard that was cut", false, |cache| {
        cache.by_hand(&format!("truncate -s -1 $(realpath $S/{SHARD})"));
    }),
    case("a shard that is empty", false, |cache| {
        cache.by_hand(&format!(": > $(realpath $S/{SHARD})"));
    }),
    case("a shard in the place of another", false, |cache| {
        cache.by_hand(&format!("cp $S/model-00001-of-00003.safetensors $(realpath $S/{SHARD})"));
    }),
    case("a shard as git keeps it", false, |cache| {
        cache.by_hand(&format!(
            "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%064d\\nsize 9\\n' 0 \
             > $(realpath $S/{SHARD})"
        ));
    }),
    case("shards without their index", true, |cache| {
        cache.by_hand("rm $S/model.safetensors.index.json");
    }),
    case("no configuration", false, |cache| cache.by_hand("rm $S/config.json")),
    case("a configuration without its blob", false, |cache| {
        cache.by_hand("rm $(realpath $S/config.json)");
    }),
    case("a configuration that is empty", false, |cache| {
        cache.by_hand(": > $(realpath $S/config.json)");
    }),
    case("a configuration that is a folder", false, |cache| {
        cache.by_hand("rm $S/config.json; mkdir $S/config.json");
    }),
    case("a configuration that is a page", false, |cache| {
        cache.by_hand("echo '<!doctype html><html></html>' > $(realpath $S/config.json)");
    }),
    case("no tokenizer", false, |cache| cache.by_hand("rm $S/*token*")),
    case("a tokenizer that was cut", false, |cache| {
        cache.by_hand("truncate -s 100 $(realpath $S/tokenizer.json)");
    }),
    case("a tokenizer without its configuration", true, |cache| {
        cache.by_hand("rm $S/tokenizer_config.json $S/special_tokens_map.json");
    }),
    // By hand: what the library keeps beside.
    case("a configuration that is said not to exist", true, |cache| {
        cache.by_hand("mkdir -p .no_exist/COMMIT; : > .no_exist/COMMIT/config.json");
    }),
    case("a listing that is no JSON", true, |cache| {
        cache.by_hand("rm $S/README.md; echo x > trees/COMMIT.json");
    }),
    case("a listing, and what is not needed of it is missing", true, |cache| {
        cache.by_hand("rm $S/README.md $S/pytorch_model.bin");
    }),
    case("no listing, and a shard is missing", false, |cache| {
        cache.by_hand(&format!("rm -r trees $S/{SHARD}"));
    }),
    // Beside the model.
    beside("weights in a folder of their own", ("apart", "apart"), [false, false], |cache| {
        cache.by_hand("cp -a .. ../../apart; rm $S/*.safetensors");
    }),
    beside(
        "everything in the cache, and a folder for weights",
        ("apart", "apart"),
        [true; 2],
        |cache| {
            cache.whole();
            cache.shell("mkdir apart");
        },
    ),
    beside("an adapter", ("adapter", ADAPTER), [true, true], |cache| {
        cache.whole();
        cache.hf(&[ADAPTER]);
    }),
    beside("what is needed of an adapter", ("adapter", ADAPTER), [true, false], |cache| {
        cache.whole();
        cache.hf(&[ADAPTER, "--include", "adapter*"]);
    }),
    beside(
        "what is needed of an adapter, by an older hf",
        ("adapter", ADAPTER),
        [true; 2],
        |cache| {
            cache.whole();
            cache.old_hf(&[ADAPTER, "--include", "adapter*"]);
        },
    ),
    beside("a draft", ("draft", DRAFT), [true, true], |cache| {
        cache.whole();
        cache.hf(&[DRAFT]);
    }),
    beside(
        "an adapter by a reference with a line break",
        ("adapter", ADAPTER),
        [false; 2],
        |cache| {
            cache.whole();
            cache.hf(&[ADAPTER]);
            cache.shell("echo >> hub/models--acme--adapter/refs/main");
        },
    ),
    beside("a draft by a reference with a line break", ("draft", DRAFT), [false, true], |cache| {
        cache.whole();
        cache.hf(&[DRAFT]);
        cache.shell("echo >> hub/models--acme--draft/refs/main");
    }),
    beside("a draft without its texts", ("draft", DRAFT), [true, true], |cache| {
        cache.whole();
        cache.hf(&[DRAFT, "--exclude", "README.md"]);
    }),
    beside(
        "a draft without weights that are not loaded",
        ("draft", DRAFT),
        [true, false],
        |cache| {
            cache.whole();
            cache.hf(&[DRAFT, "--exclude", "consolidated*"]);
        },
    ),
    // By its name, one file after the other.
    in_sglang(case("the whole repository, in SGLang", true, |cache| cache.whole())),
    in_sglang(case("begun by hf and ended by preflight, in SGLang", true, |cache| {
        cache.hf(&[MODEL, "--include", "*.json"]);
        cache.preflight(MODEL);
    })),
    in_sglang(case("killed in the middle of a shard, in SGLang", false, |cache| {
        cache.hf_killed();
    })),
    in_sglang(at("no reference, asked for by its commit, in SGLang", "COMMIT", true, |cache| {
        cache.by_hand("rm -r refs");
    })),
    in_sglang(Case {
        opens: [false, true],
        ..case("a reference that ends in a line break, in SGLang", false, |cache| {
            cache.by_hand("echo COMMIT > refs/main");
        })
    }),
    in_sglang(beside(
        "an adapter by a reference with a line break, in SGLang",
        IN_SGLANG,
        [false; 2],
        |cache| {
            cache.whole();
            cache.hf(&[ADAPTER]);
            cache.shell("echo >> hub/models--acme--adapter/refs/main");
        },
    )),
    in_sglang(case("a snapshot that is called like its branch, in SGLang", false, |cache| {
        cache.by_hand("rm -r refs; mv $S snapshots/main");
    })),
    in_sglang(beside("an adapter without its README", IN_SGLANG, [true, true], |cache| {
        cache.whole();
        cache.hf(&[ADAPTER, "--exclude", "README.md"]);
    })),
    in_sglang(beside("an adapter without a text", IN_SGLANG, [true, false], |cache| {
        cache.whole();
        cache.hf(&[ADAPTER, "--exclude", "trainer*"]);
    })),
];
