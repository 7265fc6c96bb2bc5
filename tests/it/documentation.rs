//! The documentation says what is so: its generated parts are generated, its commands run.
//!
//! - A `console` block shows commands behind `$` and what they print; both have to agree. A comment
//!   `<!-- after: COMMAND -->` above it runs first. The folder is a copy of the quickstart, shown as
//!   `/srv/stack`; every document has one of its own.
//! - In an `sh` block every `preflight` command has to be one that exists: it may find something
//!   wrong, but not with how it was called. What is neither that nor a command of the repository is
//!   named in [`ELSEWHERE`] with the test that runs it.
//!
//! `PREFLIGHT_TEST_WRITE_DOCS=1` writes the generated parts and the outputs anew.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::sandbox::{Sandbox, repository};

const DOCUMENTS: [&str; 20] = [
    "README.md",
    "examples/cortex/README.md",
    "docs/clients.md",
    "docs/configuration.md",
    "docs/exec.md",
    "docs/exit-codes.md",
    "docs/fetch.md",
    "docs/fit.md",
    "docs/init.md",
    "docs/kubernetes.md",
    "docs/limits.md",
    "docs/migration.md",
    "docs/performance.md",
    "docs/platforms.md",
    "docs/provider.md",
    "docs/reports.md",
    "docs/security.md",
    "docs/swarm.md",
    "docs/troubleshooting.md",
    "docs/checks.md",
];

/// How commands begin that other tests run, or that have nothing to show.
const ELSEWHERE: [(&str, &str); 6] = [
    ("HF_HOME=./huggingface hf download ", "tests/it/hf_interop.rs"),
    ("docker compose up -d --wait", "tests/it/docker_cortex.rs"),
    ("docker compose run --rm preflight plan", "tests/it/docker_shipped.rs"),
    ("docker compose run --rm preflight verify", "tests/it/docker_shipped.rs"),
    ("docker compose run --rm preflight smoke", "tests/it/docker_cortex.rs"),
    ("export ", "a variable of the shell"),
];

/// What separates the outputs of the commands of one block.
const SEPARATOR: char = '\u{1e}';

pub(crate) fn read(path: &str) -> String {
    fs_err::read_to_string(repository().join(path)).unwrap()
}

fn is_writing() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a test is told whether to write")]
    let value = std::env::var("PREFLIGHT_TEST_WRITE_DOCS");
    value.as_deref() == Ok("1")
}

/// Compares a document with what it has to be, or writes it.
pub(crate) fn keep(path: &str, expected: &str) {
    let file = repository().join(path);
    let document = fs_err::read_to_string(&file).unwrap_or_default();
    if document == expected {
        return;
    }
    if is_writing() {
        fs_err::write(&file, expected).unwrap();
        return;
    }
    let differs = |(one, other): &(&str, &str)| one != other;
    let line = document.lines().zip(expected.lines()).find(differs);
    panic!("{path} is not what is so; PREFLIGHT_TEST_WRITE_DOCS=1 writes it\n{line:#?}");
}

/// `document` with `expected` between `<!-- NAME -->` and `<!-- end of NAME -->`.
pub(crate) fn with_part(document: &str, name: &str, expected: &str) -> String {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end}"));
    format!("{before}{begin}{expected}{end}{after}")
}

#[test]
fn the_documentation_of_the_checks_is_what_explain_says() {
    keep("docs/checks.md", &preflight::report::explain::handbook());
}

#[test]
fn the_help_in_the_documentation_is_the_help() {
    let help = Sandbox::new().run(&["-h"]).stdout;
    let help: String = help.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let path = "docs/configuration.md";
    keep(path, &with_part(&read(path), "help", &format!("```text\n{help}```\n")));
}

/// The sentence about what is written by hand, on one line.
fn by_hand(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let start = text.find("By hand nothing is written").expect("the sentence");
    let length = text[start..].find(". ").map_or(text.len() - start, |end| end + 1);
    text[start..start + length].to_owned()
}

#[test]
fn readme_help_and_manual_say_in_the_same_words_what_is_written_by_hand() {
    let told = |argument| {
        let run = Sandbox::new().run(&[argument]);
        by_hand(&format!("{} ", run.stdout.replace("\\-", "-").replace("\n.br\n", "\n")))
    };
    let help = told("--help");
    assert!(help.ends_with("`-o` writes its report."), "{help}");
    assert_eq!(by_hand(&read("README.md")), help);
    assert_eq!(told("man"), help);
}

#[test]
fn the_rust_that_the_readme_names_is_the_one_that_is_needed() {
    let manifest = read("Cargo.toml");
    let version = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(read("README.md").contains(&format!("It needs Rust {version} ")), "Rust {version}");
}

#[test]
fn the_exit_codes_in_the_documentation_are_those_of_the_program() {
    use preflight::exit_code::ExitCode;
    let mut table = String::from("| exit | meaning |\n|---:|---|\n");
    for code in ExitCode::ALL {
        table.push_str(&format!("| {} | {} |\n", code.code(), code.meaning()));
    }
    for path in ["README.md", "docs/exit-codes.md"] {
        keep(path, &with_part(&read(path), "exit codes", &table));
    }
}

/// The variables of `clients.txt` as a table for each client.
fn tables_of_clients(file: &str) -> String {
    let mut text = String::new();
    for line in file.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some(head) = line.strip_prefix("client ") {
            let [name, images, source]: [&str; 3] =
                head.split('|').map(str::trim).collect::<Vec<_>>().try_into().unwrap();
            let images: Vec<String> =
                images.split(',').map(|image| format!("`{}`", image.trim())).collect();
            text.push_str(&format!(
                "### {name}\n\nImages: {}. Source: {source}.\n\n| variable | what it is |\n|---|---|\n",
                images.join(", ")
            ));
        } else {
            let (variable, what) = line.split_once(" | ").unwrap();
            text.push_str(&format!("| `{variable}` | {what} |\n"));
        }
    }
    text.replace("|\n###", "|\n\n###")
}

#[test]
fn the_clients_in_the_documentation_are_those_of_the_table() {
    let tables = tables_of_clients(&read("src/plan/wiring/clients.txt"));
    assert!(tables.contains("### Open WebUI") && tables.contains("| `OLLAMA_BASE_URL` | ollama ;"));
    let path = "docs/clients.md";
    keep(path, &with_part(&read(path), "clients", &tables));
}

/// Where the commands of a document run.
struct Shell {
    sandbox: Sandbox,
}

impl Shell {
    fn new() -> Self {
        Self { sandbox: Sandbox::quickstart() }
    }

    /// What each of `commands` prints, both streams together.
    fn run(&self, commands: &[String]) -> Vec<String> {
        let next = format!("__code=$?; printf '\\{:03o}'; (exit $__code)\n", u32::from(SEPARATOR));
        let script: String = commands.iter().map(|line| format!("{line}\n{next}")).collect();
        let mut shell = self.sandbox.shell(&format!("exec 2>&1\n{script}"));
        let told = self.sandbox.told(&shell.output().unwrap());
        let outputs = told.stdout.replace("[DIR]", "/srv/stack");
        let mut outputs: Vec<_> = outputs.split(SEPARATOR).map(str::to_owned).collect();
        outputs.truncate(commands.len());
        outputs
    }
}

/// One fenced block: the line of its fence, its language, its lines, and the comment above it.
struct Block<'a> {
    line: usize,
    language: &'a str,
    text: Vec<&'a str>,
    after: Option<&'a str>,
}

fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let (mut is_inside, mut after) = (false, None);
    for (index, line) in document.lines().enumerate() {
        let text = line.trim_start();
        if let Some(language) = text.strip_prefix("```") {
            if !is_inside {
                blocks.push(Block { line: index, language, text: Vec::new(), after: after.take() });
            }
            is_inside = !is_inside;
        } else if is_inside {
            blocks.last_mut().unwrap().text.push(line);
        } else if let Some(command) = text.strip_prefix("<!-- after: ") {
            after = Some(command.trim_end_matches(" -->"));
        }
    }
    blocks
}

/// The document with what its commands really print.
fn with_outputs(document: &str) -> String {
    let shell = Shell::new();
    let mut lines: Vec<String> = document.lines().map(str::to_owned).collect();
    let consoles = |block: &Block<'_>| block.language == "console";
    let mut written = Vec::new();
    for block in blocks(document).into_iter().filter(consoles) {
        let mut commands: Vec<String> = Vec::new();
        for line in &block.text {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push(command.to_owned()),
                (None, Some(last)) if last.ends_with('\\') => {
                    last.push('\n');
                    last.push_str(line);
                }
                (None, _) => {}
            }
        }
        if let Some(after) = block.after {
            shell.run(&[after.to_owned()]);
        }
        let mut told = Vec::new();
        for (command, output) in commands.iter().zip(shell.run(&commands)) {
            told.extend(format!("$ {command}").lines().map(str::to_owned));
            told.extend(output.trim_end().lines().map(|line| line.trim_end().to_owned()));
        }
        written.push((block.line + 1, block.text.len(), told));
    }
    for (start, count, told) in written.into_iter().rev() {
        lines.splice(start..start + count, told);
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_commands_in_the_documentation_print_what_it_says() {
    for path in DOCUMENTS.into_iter().filter(|path| *path != "docs/checks.md") {
        keep(path, &with_outputs(&read(path)));
    }
}

#[test]
fn the_commands_in_the_documentation_exist() {
    let mut count = 0;
    for path in DOCUMENTS {
        let document = read(path);
        let is_shell = |block: &Block<'_>| block.language == "sh";
        for block in blocks(&document).into_iter().filter(is_shell) {
            let text = block.text.join("\n").replace("\\\n", " ");
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                check_command(line, &format!("{path}:{}: {line}", block.line));
                count += 1;
            }
        }
    }
    assert!(count > 15, "{count} commands were found");
}

fn check_command(line: &str, place: &str) {
    if line.starts_with("preflight") {
        let shell = Shell::new();
        let code = shell.run(&[line.to_owned(), "echo code $?".to_owned()]);
        let usage = ["code 1\n", "code 2\n", "code 127\n"].contains(&code[1].as_str());
        assert!(!usage, "{place}\n{}", code[0]);
    } else if let Some(arguments) = line.strip_prefix("cargo run --release -- ") {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let mut command = Sandbox::new().command(&arguments);
        let output = command.current_dir(repository()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{place}");
    } else if let Some(bench) = line.strip_prefix("cargo bench --bench ") {
        assert!(repository().join(format!("benches/{bench}.rs")).exists(), "{place}");
    } else if line.starts_with("tests/") || line.starts_with("benches/") {
        let program = repository().join(line.split(' ').next().unwrap_or(line));
        let mode = fs_err::metadata(program).unwrap().permissions().mode();
        assert!(mode & 0o111 != 0, "{place}");
    } else {
        assert!(ELSEWHERE.iter().any(|(beginning, _)| line.starts_with(beginning)), "{place}");
    }
}

#[test]
fn the_links_in_the_documentation_lead_somewhere() {
    for path in DOCUMENTS {
        let document = read(path);
        let folder = Path::new(path).parent().unwrap();
        for link in document.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = match file {
                "" => Path::new(path).to_path_buf(),
                file => folder.join(file),
            };
            let target = repository().join(&file);
            assert!(target.exists(), "{path}: {link}");
            if !anchor.is_empty() {
                let text = fs_err::read_to_string(&target).unwrap();
                assert!(text.lines().any(|line| is_heading(line, anchor)), "{path}: {link}");
            }
        }
    }
}

/// Whether `line` is the heading that `anchor` leads to.
fn is_heading(line: &str, anchor: &str) -> bool {
    let Some(title) = line.strip_prefix('#') else { return false };
    let title = title.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    let kept = |it: &char| it.is_alphanumeric() || *it == '-' || *it == '_';
    title.chars().filter(kept).collect::<String>() == anchor
}

/// Every test of `file`, below `tests/it` or `src`; those in its `tests.rs` as well.
fn tests_of(file: &str) -> Vec<String> {
    let below = |folder: &str| walkdir::WalkDir::new(repository().join(folder)).into_iter();
    let entries = below("tests/it").chain(below("src")).map(Result::unwrap);
    let is_it = |path: &Path| {
        let folder = path.parent().and_then(Path::file_name);
        path.file_stem().is_some_and(|stem| {
            stem == file || (stem == "tests" && folder.is_some_and(|folder| folder == file))
        })
    };
    let files = entries.filter(|it| it.file_type().is_file() && is_it(it.path()));
    let mut tests = Vec::new();
    for file in files {
        let text = fs_err::read_to_string(file.path()).unwrap();
        let mut lines = text.lines().map(str::trim_start);
        while let Some(line) = lines.next() {
            if line.starts_with("#[test") || line.starts_with("#[tokio::test") {
                let function = lines.find_map(|line| line.split_once("fn ")).unwrap().1;
                tests.push(function.split_once('(').unwrap().0.to_owned());
            }
        }
    }
    tests
}

#[test]
fn every_row_of_the_threat_model_names_tests_that_there_are() {
    let page = read("docs/security.md");
    let (_, section) = page.split_once("## Who is trusted with what").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 15, "{rows:?}");
    for row in rows {
        let shown_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let mut names = shown_by.split(", ").peekable();
        assert!(names.peek().is_some_and(|name| name.contains("::")), "no test: {row}");
        for name in names {
            let (file, test) = name.trim_matches('`').rsplit_once("::").unwrap();
            let file = file.trim_end_matches("::tests").rsplit("::").next().unwrap();
            let known = tests_of(file);
            assert!(known.iter().any(|known| known == test), "there is no `{name}`");
        }
    }
}
