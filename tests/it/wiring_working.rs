//! Stacks that work, and of which nothing is told.

use crate::sandbox::repository;
use crate::wiring::told;

#[test]
fn of_stacks_that_work_nothing_is_told() {
    let folder = repository().join("tests/data/working");
    let names = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|it| it == "yaml")).collect();
    files.sort_unstable();
    assert_eq!(files.len(), 16);
    let judge = |path: &std::path::PathBuf| {
        let (code, text) = told(&fs_err::read_to_string(path).unwrap());
        // What is told of pulled models is no matter of wiring.
        let is_right = text.is_empty() && [0, 3].contains(&code);
        (!is_right).then(|| format!("{}: {code}\n{text}", path.display()))
    };
    let wrong: Vec<String> = files.iter().filter_map(judge).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
