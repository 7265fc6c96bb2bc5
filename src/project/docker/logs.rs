//! The last lines that a container has written.

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::{StreamExt as _, pin_mut};

use super::connection::Connection;
use super::{Container, DockerError};

/// How many lines are asked for.
const LINES: &str = "200";

/// The most bytes that are kept, from the end.
const KEPT: usize = 64 << 10;

/// The most bytes that are taken at all.
pub(super) const TAKEN: usize = 4 << 20;

/// A value of a variable that is shorter is hidden nowhere: it would hide half of every log.
const SHORTEST_VALUE: usize = 6;

/// What stands where a variable's value stood.
const MASK: &str = "***";

/// The end of what `container` has written to both streams, without control sequences and without
/// the values of its variables.
pub(super) async fn tail(
    connection: &Connection,
    container: &Container,
) -> Result<Vec<String>, DockerError> {
    let request = format!("GET /containers/{}/logs", container.id);
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(LINES).build();
    let read = async {
        let stream = connection.docker.logs(&container.id, Some(options));
        pin_mut!(stream);
        let (mut bytes, mut taken) = (Vec::new(), 0);
        while let Some(piece) = stream.next().await {
            let piece = match piece {
                Ok(piece) => piece.into_bytes(),
                // What has come before is worth reading.
                Err(_) if !bytes.is_empty() => break,
                Err(error) => return Err(error),
            };
            taken += piece.len();
            bytes.extend_from_slice(&piece);
            if bytes.len() > 2 * KEPT {
                bytes.drain(..bytes.len() - KEPT);
            }
            if TAKEN < taken {
                break;
            }
        }
        Ok(bytes)
    };
    let bytes = connection.ask(&request, read).await?;
    Ok(lines(&String::from_utf8_lossy(&bytes), container))
}

fn lines(text: &str, container: &Container) -> Vec<String> {
    let shown: Vec<&String> =
        container.command.iter().chain(&container.entrypoint).chain([&container.image]).collect();
    let mut hidden: Vec<&str> = container
        .environment
        .values()
        .filter_map(|value| value.as_deref())
        .flat_map(str::lines)
        .map(str::trim)
        .filter(|value| value.len() >= SHORTEST_VALUE)
        .filter(|value| !shown.iter().any(|word| word.contains(value)))
        .collect();
    hidden.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    let lines = text.lines().map(|line| {
        let line = without_control_sequences(line);
        hidden.iter().fold(line, |line, value| line.replace(value, MASK)).trim_end().to_owned()
    });
    lines.filter(|line| !line.is_empty()).collect()
}

/// A line without the sequences that colour it (`ESC [ ... letter`).
fn without_control_sequences(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character != '\u{1b}' {
            plain.push(character);
        } else if characters.next() == Some('[') {
            characters.find(|character| matches!(character, '@'..='~'));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_are_hidden_unless_the_command_shows_them() {
        let mut container = Container::of_service("demo", "vllm");
        container.command = vec!["--model".to_owned(), "/models/coder".to_owned()];
        for (name, value) in [("SECRET", "hunter22"), ("MODEL", "/models/coder"), ("N", "1")] {
            container.environment.insert(name.to_owned(), Some(value.to_owned()));
        }
        let told = lines(
            "\u{1b}[31merror\u{1b}[0m: hunter22 cannot open /models/coder 1\n\nx\u{1b}[2K\r\n",
            &container,
        );
        assert_eq!(told, ["error: *** cannot open /models/coder 1", "x"]);
    }
}
