//! Values that somebody fills in before a manifest is applied: `${NAME}` (envsubst, Flux), `{{ name }}` (Jinja,
//! Go), `<your-model>`. Kubernetes itself knows `$(NAME)` alone, and passes all else on as it stands.

use super::environment::Variables;
use super::manifest::is_own_group;
use super::pods::Pod;
use super::{items, kserve, kuberay, text};
use crate::project::compose::tree::Node;
use crate::project::{Remark, RemarkKind, Service};
use crate::source_map::Spanned;

/// The longest name of one, in bytes.
const LONGEST: usize = 100;

/// What the variables of chat templates are called, which stand in words as they are.
const OF_CHAT: [&str; 5] = ["messages", "message", "bos_token", "eos_token", "tools"];

/// What the names in `<...>` begin with that stand for something; other names are tokens of a model
/// (`<end_of_turn>`).
const STANDS_FOR: [&str; 13] = [
    "your", "my-", "my_", "insert", "replace", "path", "model", "add-", "enter", "put-", "hf-",
    "hf_", "name",
];

/// Who reads the words of a container before its program does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Readers {
    /// A shell, which has variables of its own.
    shell: bool,
    /// The controller of a kind that is not Kubernetes' own, which may have templates.
    controller: bool,
    /// KServe, which fills in `{{.Name}}`.
    kserve: bool,
}

impl Readers {
    /// Those of a container's words.
    pub(super) fn of(pod: &Pod<'_>, container: &Node) -> Self {
        let mut words = ["command", "args"].into_iter().flat_map(|key| items(container, key));
        let is_shell = |word: String| {
            let program = word.rsplit('/').next().unwrap_or_default().to_owned();
            matches!(program.as_str(), "sh" | "bash" | "ash" | "dash" | "zsh")
        };
        let is_written = words.any(|word| word.printed().is_some_and(is_shell));
        // KubeRay has a shell read what is written.
        let shell = is_written || pod.group == kuberay::GROUP;
        Self { shell, ..Self::of_kind(pod) }
    }

    fn of_kind(pod: &Pod<'_>) -> Self {
        Self {
            shell: false,
            controller: !is_own_group(pod.group),
            kserve: pod.group == kserve::GROUP,
        }
    }

    /// The same of what no shell reads: variables.
    pub(super) fn without_shell(self) -> Self {
        Self { shell: false, ..self }
    }

    /// The first placeholder of a text.
    pub(super) fn first(self, text: &str) -> Option<&str> {
        let is_script = self.shell || text.contains('\n');
        let variable = variable(text).filter(|_| !is_script);
        variable.or_else(|| self.template(text)).or_else(|| angle(text, is_script))
    }

    /// Whether a placeholder stays as it is written for certain.
    fn leaves(self, found: &str) -> bool {
        !self.controller || !found.starts_with("{{")
    }

    /// `{{ name }}` in a text that is no template of a chat.
    fn template(self, text: &str) -> Option<&str> {
        if text.contains("{%") {
            return None;
        }
        let mut starts = text.match_indices("{{").map(|(at, _)| at);
        starts.find_map(|at| {
            let whole = text.get(at..)?;
            let end = near(whole).find("}}")? + 2;
            let inside = whole.get(2..end - 2)?.trim_matches('-').trim();
            let name = inside.split('|').next().unwrap_or(inside).trim();
            let is_chat = OF_CHAT.iter().any(|own| name.split(['.', '[']).next() == Some(own));
            let is_own = self.kserve && name.starts_with('.');
            (is_path(name) && !is_chat && !is_own).then(|| whole.get(..end)).flatten()
        })
    }
}

/// What is told of the placeholders of a container.
pub(super) fn remark(pod: &Pod<'_>, service: &Service, variables: &Variables) -> Option<Remark> {
    let readers = Readers::of_kind(pod);
    let image = service.image.as_ref().and_then(of_image);
    let words = variables.placeholders.iter().chain(&variables.unfilled);
    let mut found: Vec<&Spanned<String>> = image.iter().chain(words).collect();
    found.retain(|found| readers.leaves(&found.value));
    let first = found.first()?;
    let name = first.value.trim_matches(['$', '{', '}', ' ']);
    let is_known = first.value.starts_with('$') && variables.knows(name);
    let fix = if is_known {
        format!(
            "write `$({name})`: that is what Kubernetes replaces in `command`, `args` and `env`"
        )
    } else if first.value.starts_with('$') && is_written(name) {
        "fill it in first, and judge the result: `envsubst < FILE | preflight -f -`".to_owned()
    } else if first.value.starts_with('$') {
        "fill it in first, and judge the result: `... | preflight -f -`".to_owned()
    } else if first.value.starts_with("{{") {
        "render the template first, and judge the result: `... | preflight -f -`".to_owned()
    } else {
        "write what it stands for in its place".to_owned()
    };
    Some(Remark {
        kind: RemarkKind::Placeholder,
        message: format!(
            "`{}` of container `{}` is a placeholder that nobody has filled in: what it stands for is not \
             judged",
            first.value, service.name.value
        ),
        fix,
        places: found.iter().map(|found| found.place.clone()).collect(),
        service: Some(service.name.value.clone()),
    })
}

/// Whether somebody has yet to say what a text is that is no word of a program.
pub(super) fn is_unfilled(text: &str) -> bool {
    Readers::default().first(text).is_some()
}

/// Whether a container mounts something where nobody has said yet.
pub(super) fn has_unknown_mount(container: &Node) -> bool {
    let mut mounts = items(container, "volumeMounts").iter();
    mounts.any(|mount| text(mount, "mountPath").is_some_and(|path| is_unfilled(&path.value)))
}

/// The placeholder in the reference of an image, which has none of their signs otherwise.
fn of_image(image: &Spanned<String>) -> Option<Spanned<String>> {
    let reference = image.value.as_str();
    let whole = || reference.contains(['$', '<', '{']).then_some(reference);
    let found = Readers::default().first(reference).or_else(whole)?;
    Some(Spanned::new(found.to_owned(), image.place.clone()))
}

/// So much of a text as a placeholder at its start may have.
fn near(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST + 2)).unwrap_or(text)
}

/// Whether that is all between the braces: `envsubst` knows no `${NAME:-default}`.
fn is_written(name: &str) -> bool {
    name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
}

/// A dotted name, as templates have them.
fn is_path(name: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "_.[]'\"-".contains(it);
    let begins = |it: char| it.is_ascii_alphabetic() || it == '_' || it == '.';
    name.starts_with(begins) && name.chars().all(is_part)
}

/// `${NAME}`, `${NAME:-default}`, `${{NAME}}`, or `$NAME` as a word or a part of one.
fn variable(text: &str) -> Option<&str> {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('$')) {
        let start = at + found;
        let rest = text.get(start + 1..)?;
        if rest.starts_with('$') {
            at = start + 2;
            continue;
        }
        if let Some(length) = braced(rest).or_else(|| bare(text.get(..start)?, rest)) {
            return text.get(start..start + 1 + length);
        }
        at = start + 1;
    }
    None
}

/// The length of `{NAME}` at the start of a text.
fn braced(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('{')?;
    let end = near(inside).find('}')?;
    let name = inside.get(..end)?.trim_start_matches('{');
    let name = name.split([':', '=', '-', '?']).next().unwrap_or(name).trim();
    let is_name = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        && name.chars().all(|it| it.is_ascii_alphanumeric() || "_.".contains(it));
    let closing = inside.get(end..)?.bytes().take_while(|it| *it == b'}').count();
    let doubled = inside.starts_with('{');
    is_name.then_some(1 + end + if doubled { closing.min(2) } else { 1 })
}

/// The length of an upper-case name at the start of a text, where it does not go on in what stands before it.
fn bare(before: &str, rest: &str) -> Option<usize> {
    let is_part = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_';
    let length = rest.find(|it: char| !is_part(it)).unwrap_or(rest.len());
    let begins = rest.starts_with(|it: char| it.is_ascii_uppercase() || it == '_');
    let goes_on = rest.get(length..)?.starts_with(|it: char| it.is_ascii_alphanumeric());
    let is_alone = before.is_empty() || before.ends_with(['=', '/', ':', ',', '"', '\'', ' ']);
    (begins && length > 1 && !goes_on && is_alone).then_some(length)
}

/// `<your-model>`, all of a word or a part of a path. In a script `<` may lead out of a file.
fn angle(text: &str, is_script: bool) -> Option<&str> {
    let mut starts = text.match_indices('<').map(|(at, _)| at);
    starts.find_map(|at| {
        let (before, whole) = text.split_at_checked(at)?;
        let end = near(whole).find('>')? + 1;
        let inside = whole.get(1..end - 1)?;
        let behind = whole.get(end..)?;
        let ends = |it: char| "/:\"'=,@- \n".contains(it);
        let is_apart = (before.is_empty() || before.ends_with(ends))
            && (behind.is_empty() || behind.starts_with(ends));
        // A script tells its users of `<model>`.
        let is_meant = !is_script || inside.to_ascii_lowercase().starts_with("your");
        let is_one = is_apart && is_meant && stands_for(inside);
        is_one.then(|| whole.get(..end)).flatten()
    })
}

fn stands_for(inside: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || "-_ ./:".contains(it);
    let is_name = inside.starts_with(|it: char| it.is_ascii_alphabetic())
        && inside.ends_with(|it: char| it.is_ascii_alphanumeric())
        && inside.chars().all(is_part);
    let small = inside.to_ascii_lowercase();
    let is_telling = STANDS_FOR.iter().any(|begin| small.starts_with(begin));
    is_name && is_telling
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(readers: Readers, text: &str, expected: Option<&str>) {
        assert_eq!(readers.first(text), expected, "{text}");
    }

    #[test]
    fn a_value_that_somebody_fills_in_is_told_from_one_that_is_meant() {
        let nobody = Readers::default();
        for (text, expected) in [
            ("${MODEL_NAME}", "${MODEL_NAME}"),
            ("--model=${MODEL:-Qwen/Qwen3-8B}", "${MODEL:-Qwen/Qwen3-8B}"),
            ("/models/${ model }/a", "${ model }"),
            ("${{MODEL}}", "${{MODEL}}"),
            ("$MODEL", "$MODEL"),
            ("--model=/m/$MODEL_NAME/x", "$MODEL_NAME"),
            ("{{ model_path }}", "{{ model_path }}"),
            ("--tp={{cfg.tp | default(1)}}", "{{cfg.tp | default(1)}}"),
            ("{{ cookiecutter.model }}", "{{ cookiecutter.model }}"),
            ("<your-model>", "<your-model>"),
            ("--model=/models/<MODEL NAME>", "<MODEL NAME>"),
            ("<path/to/model>", "<path/to/model>"),
        ] {
            check(nobody, text, Some(expected));
        }
        for text in [
            "Qwen/Qwen3-8B",
            "$(MODEL)",
            "$$MODEL",
            "pa$$word",
            "5$",
            "pa$SWORD",
            "$lower",
            "$A1b",
            "^[a-z]+$",
            "<|im_end|>",
            "<end_of_turn>",
            "</think>",
            "<think>",
            "a<model>b",
            "{\"a\": {\"b\": 1}}",
            "{{ messages[0]['content'] }}",
            "{% for m in messages %}{{ m.role }}{% endfor %}",
            "line\n${SHELL_TEXT}",
        ] {
            check(nobody, text, None);
        }
    }

    #[test]
    fn what_a_shell_or_a_controller_reads_is_theirs() {
        let shell = Readers { shell: true, ..Readers::default() };
        check(shell, "exec vllm serve ${MODEL} --port $PORT", None);
        check(shell, "vllm serve <in >out", None);
        check(shell, "echo 'usage: run <model>'; vllm serve /m/a", None);
        check(shell, "vllm serve <your-model> --port 8000", Some("<your-model>"));
        check(shell, "vllm serve {{ model }}", Some("{{ model }}"));
        check(shell.without_shell(), "${MODEL}", Some("${MODEL}"));
        let kserve = Readers { controller: true, kserve: true, ..Readers::default() };
        check(kserve, "--served-model-name={{.Name}}", None);
        let controller = Readers { controller: true, ..Readers::default() };
        check(controller, "{{inputs.model}}", Some("{{inputs.model}}"));
        assert!(!controller.leaves("{{inputs.model}}") && controller.leaves("${MODEL}"));
    }
}
