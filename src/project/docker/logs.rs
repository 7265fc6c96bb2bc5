//! The last lines that a container has written.

use super::connection::Connection;
use super::question::Question;
use super::{Container, DockerError};
use crate::limits::DOCKER_ANSWER_TIME;

/// How many lines are asked for.
const LINES: &str = "200";

/// The most bytes that are kept, from the end.
const KEPT: usize = 64 << 10;

/// The most bytes that are taken at all.
const TAKEN: usize = 4 << 20;

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
    let path = format!("/containers/{}/logs", container.id);
    let query = [("stdout", "true"), ("stderr", "true"), ("tail", LINES)];
    let question = Question { query: &query, ..Question::get(&path) };
    let read = async {
        let mut answer = connection.send(&question).await?;
        let (mut text, mut taken) = (Unframed::default(), 0);
        while let Some(piece) = connection.piece(&mut answer).await? {
            taken += piece.len();
            text.push(&piece);
            if TAKEN < taken {
                break;
            }
        }
        Ok(text.kept)
    };
    let bytes = connection.in_time(&question, DOCKER_ANSWER_TIME, read).await?;
    Ok(lines(&String::from_utf8_lossy(&bytes), container))
}

/// What a container has written, out of the frames in which Docker sends it: a stream's number, three
/// zeros, and a length of four bytes (Docker API, "Attach to a container"). One with a terminal has none.
#[derive(Debug, Default)]
struct Unframed {
    /// The end of it.
    kept: Vec<u8>,
    head: Vec<u8>,
    /// What is left of a frame; absent: there are no frames.
    left: Option<u32>,
    begun: bool,
}

/// Bytes before the content of a frame.
const HEAD: usize = 8;

impl Unframed {
    fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            if !self.begun {
                self.begun = true;
                self.left = (piece[0] < 3).then_some(0);
            }
            let content = match self.left {
                None => piece.len(),
                Some(0) => {
                    let more = (HEAD - self.head.len()).min(piece.len());
                    self.head.extend_from_slice(&piece[..more]);
                    piece = &piece[more..];
                    if let [_, _, _, _, length @ ..] = self.head.as_slice()
                        && let Ok(length) = length.try_into()
                    {
                        self.left = Some(u32::from_be_bytes(length));
                        self.head.clear();
                    }
                    continue;
                }
                Some(left) => piece.len().min(usize::try_from(left).unwrap_or(usize::MAX)),
            };
            self.kept.extend_from_slice(&piece[..content]);
            let taken = u32::try_from(content).unwrap_or(u32::MAX);
            self.left = self.left.map(|left| left.saturating_sub(taken));
            piece = &piece[content..];
            if self.kept.len() > 2 * KEPT {
                self.kept.drain(..self.kept.len() - KEPT);
            }
        }
    }
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

    #[test]
    fn frames_are_taken_away_however_they_are_cut_and_whatever_they_claim() {
        let frame = |stream: u8, length: u32, text: &str| {
            [&[stream, 0, 0, 0][..], &length.to_be_bytes(), text.as_bytes()].concat()
        };
        let all = [frame(1, 4, "one\n"), frame(2, 0, ""), frame(2, 4, "two\n")].concat();
        for size in 1..=all.len() {
            let mut text = Unframed::default();
            all.chunks(size).for_each(|piece| text.push(piece));
            assert_eq!(text.kept, b"one\ntwo\n", "{size}");
        }
        let mut text = Unframed::default();
        text.push(&frame(1, u32::MAX, "begun"));
        (0..100).for_each(|_| text.push(&[b'x'; KEPT]));
        assert!(text.kept.len() <= 2 * KEPT);
        let mut terminal = Unframed::default();
        terminal.push(b"plain\n");
        assert_eq!(terminal.kept, b"plain\n");
    }
}
