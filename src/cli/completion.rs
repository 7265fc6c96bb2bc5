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
    let checks = || check::rules().map(|rule| rule.id.to_owned());
    match argument.get_id().as_str() {
        "allow" | "deny" => argument.value_parser(PossibleValuesParser::new(checks())),
        "check" => {
            let codes = ExitCode::ALL.iter().map(|code| code.code().to_string());
            argument.value_parser(PossibleValuesParser::new(checks().chain(codes)))
        }
        _ => argument,
    }
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

fn with_lanes_in_fish(script: &str) -> String {
    let lines = script.lines().map(|line| match line.contains(" -l lane ") {
        true => format!("{line} -f -a \"(__fish_preflight_lanes)\"\n"),
        false => format!("{line}\n"),
    });
    let lines: String = lines.collect();
    format!("function __fish_preflight_lanes\n    {LANES}\nend\n\n{lines}")
}
