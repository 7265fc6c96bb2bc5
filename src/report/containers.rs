//! The containers, one a line.

use super::ContainerReport;
use super::text::{Cleaner, columns};

const HEADER: [&str; 3] = ["CONTAINER", "SERVICE", "STATE"];

/// The table, or nothing when no container was seen.
pub(super) fn render(containers: &[ContainerReport], cleaner: Cleaner<'_>) -> String {
    if containers.is_empty() {
        return String::new();
    }
    let cells = |container: &ContainerReport| {
        [cleaner.line(&container.name), cleaner.line(&container.service), state(container)]
    };
    let rows: Vec<[String; 3]> = containers.iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| columns(&row[column]));
        cells.chain([HEADER[column].len()]).max().unwrap_or(0)
    };
    let (name, service) = (width(0), width(1));
    let mut table = String::new();
    for [first, second, third] in [HEADER.map(str::to_owned)].iter().chain(&rows) {
        let fill = |width: usize, cell: &str| " ".repeat(width.saturating_sub(columns(cell)));
        let (first_fill, second_fill) = (fill(name, first), fill(service, second));
        table.push_str(&format!("{first}{first_fill}  {second}{second_fill}  {third}\n"));
    }
    table
}

/// `running, healthy`, `exited (137), killed for memory`, `restarting (4 times)`.
fn state(container: &ContainerReport) -> String {
    let mut words = match container.exit_code {
        Some(code) => vec![format!("{} ({code})", container.state)],
        None => vec![container.state.clone()],
    };
    words.extend(container.health.clone());
    if container.killed_for_memory {
        words.push("killed for memory".to_owned());
    }
    if container.restarts > 0 {
        words.push(format!("restarted {} times", container.restarts));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::redact::Redactor;

    #[test]
    fn a_container_is_told_with_how_it_is() {
        let running = ContainerReport {
            name: "demo-vllm-1".to_owned(),
            service: "vllm".to_owned(),
            state: "running".to_owned(),
            exit_code: None,
            health: Some("unhealthy".to_owned()),
            killed_for_memory: false,
            restarts: 0,
        };
        let killed = ContainerReport {
            name: "demo-reader-1".to_owned(),
            service: "reader".to_owned(),
            state: "exited".to_owned(),
            exit_code: Some(137),
            health: None,
            killed_for_memory: true,
            restarts: 2,
        };
        let redactor = Redactor::default();
        let told = render(&[running, killed], Cleaner::new(&redactor));
        insta::assert_snapshot!(told, @r"
        CONTAINER      SERVICE  STATE
        demo-vllm-1    vllm     running, unhealthy
        demo-reader-1  reader   exited (137), killed for memory, restarted 2 times
        ");
    }
}
