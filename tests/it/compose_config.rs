//! What a loaded project says about itself: places, warnings, printing.

use std::path::Path;

use indexmap::IndexMap;
use preflight::compose::{self, ConfigFormat, LoadError};
use preflight::options::ProjectOptions;
use preflight::project::Project;
use preflight::source_map::SourceMap;

fn load(root: &Path, files: &[(&str, &str)]) -> (Result<Project, LoadError>, SourceMap) {
    for (name, text) in files {
        let path = root.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let options = ProjectOptions {
        environment: IndexMap::from([("HOME".to_owned(), "/home/somebody".to_owned())]),
        working_directory: root.to_path_buf(),
        ..ProjectOptions::default()
    };
    let mut sources = SourceMap::default();
    (compose::load(&options, &mut sources), sources)
}

#[test]
fn a_loaded_project_is_printed_as_a_document() {
    let folder = tempfile::tempdir().unwrap();
    let (project, _) = load(folder.path(), &[("compose.yaml", "services: {a: {image: i}}\n")]);
    let text = compose::print(&project.unwrap(), ConfigFormat::Json, false);
    assert!(text.contains("\"image\": \"i\""));
}
