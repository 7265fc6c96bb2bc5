//! Dockerfiles, as far as they say what a container runs (Docker's Dockerfile reference: `FROM`, `ARG`,
//! `ENTRYPOINT`, `CMD`, `ENV`, `WORKDIR`). Pure.

use indexmap::IndexMap;

/// How many stages are followed down to an image.
const DEEPEST: usize = 16;

/// What may be run without the engine becoming another one.
const HARMLESS: [&str; 26] = [
    "adduser",
    "apk",
    "apt",
    "apt-get",
    "cd",
    "chmod",
    "chown",
    "curl",
    "echo",
    "env",
    "export",
    "groupadd",
    "addgroup",
    "hf",
    "huggingface-cli",
    "ln",
    "ls",
    "mkdir",
    "rm",
    "set",
    "test",
    "touch",
    "true",
    "useradd",
    "usermod",
    "wget",
];

/// What the stage that is built says, over the stages that it is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stage {
    /// The image that it is made from. Without its tag where something is installed over it: the release
    /// is not known then.
    pub(super) base: String,
    /// The words of `ENTRYPOINT`; absent: the image's own.
    pub(super) entrypoint: Option<Vec<String>>,
    /// The words of `CMD`; absent: the image's own.
    pub(super) command: Option<Vec<String>>,
    /// Variables whose values are written out.
    pub(super) environment: IndexMap<String, String>,
    /// `WORKDIR`, where it is absolute.
    pub(super) working_dir: Option<String>,
}

/// One `FROM` and what follows it.
struct Section {
    name: String,
    from: String,
    said: Vec<(String, String)>,
}

/// What the stage called `target` says, else the last; absent: there is none, or it is not known what it
/// is made from.
pub(super) fn stage(
    text: &str,
    arguments: &IndexMap<String, String>,
    target: Option<&str>,
) -> Option<Stage> {
    let sections = sections(text, arguments);
    let is_target =
        |section: &&Section| target.is_none_or(|target| section.name.eq_ignore_ascii_case(target));
    let mut section = sections.iter().rfind(is_target)?;
    let mut stage = Stage::default();
    let mut is_changed = false;
    for _ in 0..DEEPEST {
        is_changed |= section.said.iter().any(|(key, rest)| changes_programs(key, rest));
        stage.over(section);
        let is_below = |other: &&Section| other.name.eq_ignore_ascii_case(&section.from);
        match sections.iter().find(is_below) {
            Some(below) => section = below,
            None if section.from.contains('$') || section.from.is_empty() => return None,
            None => {
                let slash = section.from.rfind('/').unwrap_or(0);
                let colon = section.from.rfind(':').filter(|colon| is_changed && slash < *colon);
                stage.base = section.from[..colon.unwrap_or(section.from.len())].to_owned();
                return Some(stage);
            }
        }
    }
    None
}

/// Whether an instruction may put another release of the engine over that of the image.
fn changes_programs(key: &str, rest: &str) -> bool {
    match key {
        "RUN" => rest.split(['&', ';', '|', '\n']).any(|command| !is_harmless(command)),
        "COPY" | "ADD" => {
            let signs = ["--from", "://", ".whl", ".tar", ".tgz", ".zip", "-packages", "/bin"];
            signs.iter().any(|sign| rest.contains(sign))
        }
        _ => false,
    }
}

/// Whether a command is one of those that install no program, and puts nothing where programs are.
fn is_harmless(command: &str) -> bool {
    let is_setting = |word: &&str| word.starts_with("--") || word.contains('=') || *word == "sudo";
    let mut words = command.split_whitespace().skip_while(is_setting);
    let program = words.next().unwrap_or("true");
    HARMLESS.contains(&program) && !command.contains("/bin/") && !command.contains("-packages")
}

fn sections(text: &str, arguments: &IndexMap<String, String>) -> Vec<Section> {
    let mut known: IndexMap<String, String> = IndexMap::new();
    let mut sections: Vec<Section> = Vec::new();
    for (key, rest) in instructions(text) {
        match (key.as_str(), sections.last_mut()) {
            ("FROM", _) => {
                let mut words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
                let from = expanded(words.next().unwrap_or(""), &known);
                let name = words.nth(1).map_or_else(|| sections.len().to_string(), str::to_owned);
                sections.push(Section { name, from, said: Vec::new() });
            }
            ("ARG", None) => {
                let (name, default) = rest.split_once('=').unwrap_or((&rest, ""));
                let value = arguments.get(name).cloned().unwrap_or_else(|| unquoted(default));
                known.insert(name.to_owned(), value);
            }
            (_, Some(section)) => section.said.push((key, rest)),
            (_, None) => {}
        }
    }
    sections
}

/// Every instruction, in upper case, and what stands behind it; lines that go on are one.
fn instructions(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut whole = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        match line.trim_end().strip_suffix('\\') {
            Some(line) => {
                whole.push_str(line);
                whole.push(' ');
            }
            None => {
                whole.push_str(line);
                if let Some((key, rest)) = whole.trim().split_once(char::is_whitespace) {
                    found.push((key.to_ascii_uppercase(), rest.trim().to_owned()));
                }
                whole.clear();
            }
        }
    }
    found
}

/// `$NAME`, `${NAME}` and `${NAME:-default}`; what is not known stays as it is.
fn expanded(text: &str, known: &IndexMap<String, String>) -> String {
    let Some((before, rest)) = text.split_once('$') else { return text.to_owned() };
    let (name, default, behind) = match rest.strip_prefix('{').and_then(|it| it.split_once('}')) {
        Some((inner, behind)) => {
            let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
            (name, default, behind)
        }
        None => {
            let is_other = |it: char| !it.is_ascii_alphanumeric() && it != '_';
            let (name, behind) = rest.split_at(rest.find(is_other).unwrap_or(rest.len()));
            (name, "", behind)
        }
    };
    let value = known.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let value = value.or(Some(default).filter(|default| !default.is_empty()));
    let value = value.map_or_else(|| format!("${name}"), str::to_owned);
    format!("{before}{value}{}", expanded(behind, known))
}

fn unquoted(text: &str) -> String {
    text.trim().trim_matches(['"', '\'']).to_owned()
}

/// The words of `ENTRYPOINT` and `CMD`: a list in JSON, else a line for a shell.
fn words(rest: &str) -> Vec<String> {
    serde_json::from_str(rest)
        .unwrap_or_else(|_| vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()])
}

impl Stage {
    /// Takes what a stage says that stands below what is known already.
    fn over(&mut self, section: &Section) {
        let mut own = Self::default();
        for (key, rest) in &section.said {
            match key.as_str() {
                "ENTRYPOINT" => own.entrypoint = Some(words(rest)),
                "CMD" => own.command = Some(words(rest)),
                "WORKDIR" if rest.starts_with('/') => own.working_dir = Some(rest.clone()),
                "ENV" => own.environment.extend(variables(rest)),
                _ => {}
            }
        }
        // An entrypoint takes away the command of what it is made from.
        if self.command.is_none() && self.entrypoint.is_none() {
            self.command = own.command;
        }
        self.entrypoint = self.entrypoint.take().or(own.entrypoint);
        self.working_dir = self.working_dir.take().or(own.working_dir);
        for (name, value) in own.environment {
            self.environment.entry(name).or_insert(value);
        }
    }
}

/// `NAME=value ...`, or `NAME value`; a value with a variable in it is left out.
fn variables(rest: &str) -> Vec<(String, String)> {
    let is_pair = |word: &str| word.contains('=');
    let pairs: Vec<(&str, &str)> = match rest.split_once(char::is_whitespace) {
        Some((name, value)) if !is_pair(name) => vec![(name, value)],
        _ => rest.split_whitespace().filter_map(|word| word.split_once('=')).collect(),
    };
    let pairs = pairs.into_iter().filter(|(_, value)| !value.contains('$'));
    pairs.map(|(name, value)| (name.to_owned(), unquoted(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, target: Option<&str>, expected: Option<&Stage>) {
        let arguments = [("TAG".to_owned(), "v0.12.0".to_owned())].into();
        assert_eq!(stage(text, &arguments, target).as_ref(), expected, "{text}");
    }

    fn of(base: &str) -> Stage {
        Stage { base: base.to_owned(), ..Stage::default() }
    }

    fn list(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn the_last_stage_is_followed_to_its_image() {
        check(
            "FROM vllm/vllm-openai:v0.12.0\nCOPY x /x\n",
            None,
            Some(&of("vllm/vllm-openai:v0.12.0")),
        );
        let text = "# x\nARG TAG=latest\nARG REGISTRY\nFROM --platform=linux/amd64 \\\n \
                    vllm/vllm-openai:${TAG} AS base\nFROM alpine AS build\nFROM base\n";
        check(text, None, Some(&of("vllm/vllm-openai:v0.12.0")));
        check(text, Some("BUILD"), Some(&of("alpine")));
        check(text, Some("none"), None);
        check("ARG IMAGE\nFROM ${IMAGE}\n", None, None);
        check("ARG IMAGE\nFROM ${IMAGE:-a/b}\n", None, Some(&of("a/b")));
        check("FROM a AS a\n", None, None);
        check("", None, None);
    }

    #[test]
    fn the_release_of_an_image_counts_only_where_nothing_is_put_over_its_programs() {
        let kept = |said: &str| {
            let text = format!("FROM r:5000/a/vllm:1\n{said}\n");
            stage(&text, &IndexMap::new(), None).unwrap().base.ends_with(":1")
        };
        for said in [
            "RUN apt-get update && apt-get install -y curl \\\n    && rm -rf /var/lib/apt/lists/*",
            "RUN --mount=type=cache,target=/x mkdir -p /models; chmod 777 /models",
            "COPY start.sh /start.sh",
            "COPY . /app",
            "ENV A=1",
            "RUN huggingface-cli download a/b --local-dir /m || true",
        ] {
            assert!(kept(said), "{said}");
        }
        for said in [
            "RUN pip install vllm",
            "RUN uv pip install --system vllm",
            "RUN conda install vllm",
            "RUN git clone https://x/y && make -C y install",
            "RUN [\"python3\", \"-m\", \"pip\", \"install\", \"x\"]",
            "RUN <<EOF\npip install x\nEOF",
            "RUN curl -o /usr/local/bin/server https://x/y",
            "COPY --from=build /out/server /app/server",
            "COPY own.whl /tmp/",
            "ADD https://x/y.tar.gz /app/",
            "COPY patch.py /usr/lib/python3/dist-packages/vllm/",
        ] {
            assert!(!kept(said), "{said}");
        }
    }

    #[test]
    fn what_a_stage_says_is_over_what_it_is_made_from() {
        let text = "FROM a AS base\nENTRYPOINT [\"x\"]\nCMD [\"y\"]\nENV A=1 B=\"2\" C=$D\nWORKDIR /w\n\
                    FROM base\nCMD [\"z\"]\nENV A 3\n";
        let environment = [("A", "3"), ("B", "2")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = Stage {
            entrypoint: list(&["x"]),
            command: list(&["z"]),
            environment: environment.into(),
            working_dir: Some("/w".to_owned()),
            ..of("a")
        };
        check(text, None, Some(&expected));
        let reset = "FROM a AS base\nCMD [\"y\"]\nFROM base\nENTRYPOINT exec vllm serve /m\n";
        let entrypoint = list(&["/bin/sh", "-c", "exec vllm serve /m"]);
        check(reset, None, Some(&Stage { entrypoint, ..of("a") }));
    }
}
