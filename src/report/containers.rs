//! The containers, one a line.

use super::ContainerReport;
use super::text::{Cleaner, columns, cut_columns};

const HEADER: [&str; 3] = ["CONTAINER", "SERVICE", "STATE"];

/// No column of names gets narrower.
const NARROWEST: usize = 9;

/// The table, or nothing when no container was seen. Names give way when a line gets longer than
/// `most`, states do not.
pub(super) fn render(containers: &[ContainerReport], cleaner: Cleaner<'_>, most: usize) -> String {
    if containers.is_empty() {
        return String::new();
    }
    let rows = rows(containers, cleaner);
    let width = |column: usize| {
        let cells = rows.iter().map(|row| columns(&row[column]));
        cells.chain([HEADER[column].len()]).max().unwrap_or(0)
    };
    let (mut name, mut service) = (width(0), width(1));
    while name + service + width(2) + 4 > most && name.max(service) > NARROWEST {
        if name > service { name -= 1 } else { service -= 1 }
    }
    let mut table = String::new();
    for [first, second, third] in [HEADER.map(str::to_owned)].iter().chain(&rows) {
        let (first, second) = (cut_columns(first, name), cut_columns(second, service));
        let fill = |width: usize, cell: &str| " ".repeat(width.saturating_sub(columns(cell)));
        let (first_fill, second_fill) = (fill(name, &first), fill(service, &second));
        table.push_str(&format!("{first}{first_fill}  {second}{second_fill}  {third}\n"));
    }
    table
}

/// The name, the service and the state of each.
pub(super) fn rows(containers: &[ContainerReport], cleaner: Cleaner<'_>) -> Vec<[String; 3]> {
    let cells = |container: &ContainerReport| {
        [cleaner.line(&container.name), cleaner.line(&container.service), state(container)]
    };
    containers.iter().map(cells).collect()
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
        let containers = [running, killed];
        let told = render(&containers, Cleaner::new(&redactor), 100);
        insta::assert_snapshot!(told, @r"
        CONTAINER      SERVICE  STATE
        demo-vllm-1    vllm     running, unhealthy
        demo-reader-1  reader   exited (137), killed for memory, restarted 2 times
        ");
        let told = render(&containers, Cleaner::new(&redactor), 70);
        insta::assert_snapshot!(told, @r"
        CONTAINER  SERVICE  STATE
        dem...m-1  vllm     running, unhealthy
        dem...r-1  reader   exited (137), killed for memory, restarted 2 times
        ");
    }
}
