//! What an engine opens beside its models: texts, folders, control vectors.

use super::{Subject, content, rules};
use crate::facts::model::{Content, Defect, Lookalike, Model, ModelFile, Shape};
use crate::findings::{Finding, Findings, Severity};
use crate::plan::engine::Part;

/// Judges what is no model; whether it was that.
pub(super) fn judge(subject: &Subject<'_>, model: &Model, findings: &mut Findings) -> bool {
    match subject.part() {
        Part::Text | Part::ChatTemplate => {
            let finding = model.files.first().and_then(|file| text(subject, file));
            finding.into_iter().for_each(|finding| findings.push(finding));
        }
        Part::Folder if !matches!(model.shape, Shape::Directory) => {
            findings.push(other_kind(subject, "a file", "a folder"));
        }
        Part::Folder => {}
        Part::Models if matches!(model.shape, Shape::Directory) => {
            findings.push(serves_nothing(subject));
        }
        Part::Models => findings.push(other_kind(subject, "a file", "a folder")),
        Part::ControlVector => {
            model.files.iter().for_each(|file| content::judge(subject, model, file, findings));
        }
        Part::Model | Part::Tokenizer | Part::Mmproj | Part::Lora | Part::Draft => return false,
    }
    true
}

fn text(subject: &Subject<'_>, file: &ModelFile) -> Option<Finding> {
    let is_folder = Defect::Lookalike(Lookalike::Folder);
    if matches!(&file.content, Content::Broken(defect) if *defect == is_folder) {
        let finding = other_kind(subject, "a folder", "a file");
        // Read as a list of no keys (build 11669).
        let is_survived = subject.by() == "--api-key-file";
        return Some(if is_survived { finding.severity(Severity::Warning) } else { finding });
    }
    (file.size == Some(0)).then(|| {
        let message =
            format!("`{}`, named by `{}`, is empty", subject.shown().display(), subject.by());
        let fix = subject.how_to_replace(&subject.on_host());
        subject.finding(&rules::FILE_TRUNCATED, message, fix).severity(Severity::Warning)
    })
}

/// Docker makes a folder of a file that is to be mounted and is not there.
fn other_kind(subject: &Subject<'_>, is: &str, needed: &str) -> Finding {
    let message =
        format!("`{}` is {is}, and `{}` takes {needed}", subject.shown().display(), subject.by());
    let fix = format!(
        "put {needed} at `{}`, or correct the path that the service is given",
        subject.on_host().display()
    );
    subject.finding_of_absence(&rules::FILES_MISSING, message, fix)
}

/// A folder of models in which a router finds none.
fn serves_nothing(subject: &Subject<'_>) -> Finding {
    let message = format!(
        "`{}` holds no GGUF file where llama-server looks for one, so it would serve nothing and \
         report that it is healthy",
        subject.shown().display()
    );
    let fix = format!(
        "put the GGUF files into `{}`: each directly, or with its parts and its projector in a \
         folder of its own",
        subject.on_host().display()
    );
    subject.finding_of_absence(&rules::FILES_MISSING, message, fix)
}
