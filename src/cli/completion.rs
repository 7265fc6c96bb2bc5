//! The completions of a shell: what `clap` makes of the visible flags, the checks, and the lanes of the
//! project at hand, which are asked for when they are wanted.

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command};
use clap_complete::Shell;

use crate::exit_code::ExitCode;
use crate::findings::check;

/// Prints the lanes of the project in the working directory, one a line. Their names stand at one
/// depth of the plan alone.
const LANES: &str = r#"preflight plan --no-docker --format json 2>/dev/null | sed -n 's/^      "name": "\([^"]*\)",$/\1/p'"#;

/// The script for `shell`.
pub(super) fn script(shell: Shell, command: &Command) -> String {
    let mut script = Vec::new();
    let mut command = visible(command);
    clap_complete::generate(shell, &mut command, "preflight", &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        Shell::Bash => with_lanes_in_bash(&script),
        Shell::Zsh => with_lanes_in_zsh(&script),
        Shell::Fish => with_lanes_in_fish(&script),
        Shell::Elvish | Shell::PowerShell | _ => script.into_owned(),
    }
}

/// The same command without what its help hides, and with the values that are known.
fn visible(command: &Command) -> Command {
    let arguments = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let mut visible = Command::new(command.get_name().to_owned())
        .args(arguments.cloned().map(known))
        .subcommands(command.get_subcommands().map(visible));
    if let Some(version) = command.get_version() {
        visible = visible.version(version.to_owned());
    }
    match command.get_about() {
        Some(about) => visible.about(about.clone()),
        None => visible,
    }
}

fn known(argument: Arg) -> Arg {
    match argument.get_id().as_str() {
        "allow" | "deny" => argument.value_parser(PossibleValuesParser::new(checks())),
        "check" => argument.value_parser(PossibleValuesParser::new(explained())),
        _ => argument,
    }
}

fn checks() -> impl Iterator<Item = String> {
    check::rules().map(|rule| rule.id.to_owned())
}

/// What `preflight explain` knows.
fn explained() -> impl Iterator<Item = String> {
    checks().chain(ExitCode::ALL.iter().map(|code| code.code().to_string()))
}

fn with_lanes_in_bash(script: &str) -> String {
    let files = "--lane)\n                    COMPREPLY=($(compgen -f \"${cur}\"))";
    let lanes = "--lane)\n                    COMPREPLY=($(compgen -W \"$(_preflight_lanes)\" -- \"${cur}\"))";
    format!("_preflight_lanes() {{\n    {LANES}\n}}\n\n{}", script.replace(files, lanes))
}

fn with_lanes_in_zsh(script: &str) -> String {
    let lanes = format!(
        "_preflight_lanes() {{\n    local -a lanes\n    lanes=(${{(f)\"$({LANES})\"}})\n    \
         compadd -a lanes\n}}\n"
    );
    let script = script.replace(":LANE:_default'", ":LANE:_preflight_lanes'");
    // The first line names the command for the shell.
    let (first, rest) = script.split_once('\n').unwrap_or((&script, ""));
    format!("{first}\n\n{lanes}{rest}")
}

/// Flags with a value hold behind every subcommand, and where none is typed yet `clap_complete` does
/// not see that a value is wanted; nor does it complete arguments that are no flags.
fn with_lanes_in_fish(script: &str) -> String {
    const UNTYPED: &str = "complete -c preflight -n \"__fish_preflight_needs_command\" ";
    let lines = script.lines().map(|line| {
        let with_value = line.strip_prefix(UNTYPED).filter(|rest| rest.contains("' -r"));
        let line =
            with_value.map_or(line.to_owned(), |rest| format!("complete -c preflight {rest}"));
        match line.contains(" -l lane ") {
            true => format!("{line} -f -a \"(__fish_preflight_lanes)\"\n"),
            false => format!("{line}\n"),
        }
    });
    let lines: String = lines.collect();
    let explained = explained().collect::<Vec<_>>().join(" ");
    format!(
        "function __fish_preflight_lanes\n    {LANES}\nend\n\n{lines}complete -c preflight -n \
         \"__fish_preflight_using_subcommand explain\" -f -a \"{explained}\"\n"
    )
}
