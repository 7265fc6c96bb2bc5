//! One value more in a mapping or a list, in each of the ways in which these are written.

use super::super::outline::{Form, Id};
use super::pen::Pen;
use super::{DEPENDS_ON, Edit, Obstacle, STARTED};
use crate::project::COMPLETED;

type Edits = Result<Vec<Edit>, Obstacle>;

/// A service that waits for nothing yet waits for `gate`: behind its last key.
pub(super) fn put_service_key(pen: &Pen<'_>, service: Id, gate: &str) -> Edits {
    if pen.is_flow(service) {
        let is_json = pen.is_json(service);
        let key = pen.word(DEPENDS_ON, is_json);
        return flow(pen, service, &format!("{key}: {{{}}}", pen.wanted(gate, is_json)));
    }
    let column = pen.columns(service).ok_or(Obstacle::Layout)?;
    let at = pen.behind(pen.range(service).end, column);
    Ok(vec![pen.lines(at, &service_key(pen, service, column, gate))])
}

/// The same above its first key: behind a text of several lines that ends with the file, a new line would
/// be part of the text.
pub(super) fn put_before(
    pen: &Pen<'_>,
    service: Id,
    entries: &[(Id, Id)],
    gate: &str,
) -> Option<Vec<Edit>> {
    if pen.is_flow(service) {
        return None;
    }
    let column = pen.columns(service)?;
    let at = pen.line_start(pen.range(entries.first()?.0).start);
    Some(vec![pen.lines(at, &service_key(pen, service, column, gate))])
}

fn service_key(pen: &Pen<'_>, service: Id, column: usize, gate: &str) -> [String; 2] {
    let deeper = column + pen.step(service, column);
    let edge = pen.wanted(gate, false);
    [format!("{:column$}{DEPENDS_ON}:", ""), format!("{:deeper$}{edge}", "")]
}

/// One edge more in a mapping of them.
pub(super) fn put_edge(pen: &Pen<'_>, edges: Id, gate: &str) -> Edits {
    if pen.is_flow(edges) {
        return flow(pen, edges, &pen.wanted(gate, pen.is_json(edges)));
    }
    let column = pen.columns(edges).ok_or(Obstacle::Layout)?;
    let last = pen.outline.entries(edges).last().map(|(_, value)| *value);
    let is_block = |value: &Id| match pen.outline.part(*value).form {
        Form::Table { is_flow, .. } => !is_flow,
        Form::Text { .. } | Form::Alias(_) | Form::List { .. } => false,
    };
    let lines = match last.filter(is_block).and_then(|last| pen.columns(last)) {
        Some(deeper) => vec![
            format!("{:column$}{}:", "", pen.word(gate, false)),
            format!("{:deeper$}condition: {COMPLETED}", ""),
        ],
        None => vec![format!("{:column$}{}", "", pen.wanted(gate, false))],
    };
    Ok(vec![pen.lines(pen.behind(pen.range(edges).end, column), &lines)])
}

/// A list of names as a mapping in which each has the condition that it had, and `gate` besides.
pub(super) fn list_to_table(
    pen: &Pen<'_>,
    (list, items, is_flow): (Id, &[Id], bool),
    gate: &str,
) -> Edits {
    items.iter().try_for_each(|item| name(pen, *item))?;
    let is_gate = |item: &Id| pen.outline.text(*item) == Some(gate);
    let has_gate = items.iter().any(is_gate);
    if is_flow {
        in_brackets(pen, (list, items), gate, has_gate)
    } else {
        in_lines(pen, (list, items), gate, has_gate)
    }
}

/// Whether an item of a list can be a key as it is written.
fn name(pen: &Pen<'_>, item: Id) -> Result<(), Obstacle> {
    let part = pen.outline.part(item);
    let Form::Text { value, .. } = &part.form else { return Err(Obstacle::Alias) };
    if value.contains('$') {
        return Err(Obstacle::Variable);
    }
    if part.is_tagged {
        return Err(Obstacle::Tag);
    }
    let is_plain_name = !part.range.is_empty() && !pen.slice(&part.range).contains('\n');
    is_plain_name.then_some(()).ok_or(Obstacle::Layout)
}

/// What a name has to be waited for until.
fn until(pen: &Pen<'_>, item: Id, gate: &str) -> &'static str {
    if pen.outline.text(item) == Some(gate) { COMPLETED } else { STARTED }
}

fn in_brackets(pen: &Pen<'_>, (list, items): (Id, &[Id]), gate: &str, has_gate: bool) -> Edits {
    let range = pen.range(list);
    let is_json = items.first().is_some_and(|item| pen.slice(&pen.range(*item)).starts_with('"'));
    let key = pen.word("condition", is_json);
    let mut edits = vec![bracket(pen, range.start, "[", "{")?];
    for item in items {
        let end = pen.range(*item).end;
        let until = pen.word(until(pen, *item, gate), is_json);
        edits.push(Edit { range: end..end, text: format!(": {{{key}: {until}}}") });
    }
    if !has_gate {
        let wanted = pen.wanted(gate, is_json);
        match items.last().map(|last| pen.range(*last)) {
            Some(last) => edits.extend(in_row(pen, last.start, last.end, &wanted)),
            None => edits.push(Edit { range: range.start + 1..range.start + 1, text: wanted }),
        }
    }
    edits.push(bracket(pen, range.end - 1, "]", "}")?);
    Ok(edits)
}

fn bracket(pen: &Pen<'_>, at: usize, is: &str, becomes: &str) -> Result<Edit, Obstacle> {
    let range = at..at + 1;
    let is_there = pen.slice(&range) == is;
    is_there.then(|| Edit { range, text: becomes.to_owned() }).ok_or(Obstacle::Layout)
}

fn in_lines(pen: &Pen<'_>, (list, items): (Id, &[Id]), gate: &str, has_gate: bool) -> Edits {
    let key = pen.outline.key_of(list).ok_or(Obstacle::Layout)?;
    let key = pen.column(pen.range(key).start).ok_or(Obstacle::Layout)?;
    let (mut edits, mut column, mut end) = (Vec::new(), None, 0);
    for item in items {
        let range = pen.range(*item);
        let (dash, depth) = dash(pen, range.start)?;
        if column.is_some_and(|column| column != depth) {
            return Err(Obstacle::Layout);
        }
        column = Some(depth);
        // A mapping has to be indented deeper than its key, a list need not be.
        let deeper = if depth > key { String::new() } else { " ".repeat(pen.step(list, depth)) };
        edits.push(Edit { range: dash..range.start, text: deeper });
        let text = format!(": {{condition: {}}}", until(pen, *item, gate));
        edits.push(Edit { range: range.end..range.end, text });
        end = range.end;
    }
    let depth = column.ok_or(Obstacle::Layout)?;
    let column = if depth > key { depth } else { depth + pen.step(list, depth) };
    if !has_gate {
        let line = format!("{:column$}{}", "", pen.wanted(gate, false));
        let new = pen.lines(pen.behind(end, column), &[line]);
        // Behind the last name, where that is the end of the file.
        match edits.last_mut().filter(|last| last.range == new.range) {
            Some(last) => last.text.push_str(&new.text),
            None => edits.push(new),
        }
    }
    Ok(edits)
}

/// Where the dash of an item stands that begins at `at`, and in which column.
fn dash(pen: &Pen<'_>, at: usize) -> Result<(usize, usize), Obstacle> {
    let start = pen.line_start(at);
    let before = pen.slice(&(start..at));
    let column = before.find('-').ok_or(Obstacle::Layout)?;
    let (indent, dash) = before.split_at_checked(column).ok_or(Obstacle::Layout)?;
    let is_alone = indent.bytes().all(|it| it == b' ') && dash.trim_end_matches(' ') == "-";
    is_alone.then_some((start + column, column)).ok_or(Obstacle::Layout)
}

/// One item more in the list `include`.
pub(super) fn push(pen: &Pen<'_>, list: Id, path: &str) -> Edits {
    let part = pen.outline.part(list);
    if part.is_tagged {
        return Err(Obstacle::Tag);
    }
    let Form::List { items, is_flow } = &part.form else {
        let is_empty = part.range.is_empty();
        return Err(if is_empty { Obstacle::Nothing } else { Obstacle::Alias });
    };
    let last = items.last().map(|item| pen.range(*item));
    if *is_flow {
        bracket(pen, part.range.start, "[", "[")?;
        let is_json = last.as_ref().is_some_and(|it| pen.slice(it).starts_with('"'));
        let path = pen.word(path, is_json);
        let first = part.range.start + 1;
        return Ok(match last {
            Some(last) => in_row(pen, last.start, last.end, &path),
            None => vec![Edit { range: first..first, text: path }],
        });
    }
    let last = last.ok_or(Obstacle::Layout)?;
    let (_, column) = dash(pen, last.start)?;
    let line = format!("{:column$}- {}", "", pen.word(path, false));
    Ok(vec![pen.lines(pen.behind(last.end, column), &[line])])
}

/// `include` with one item, above what follows the name of the project.
pub(super) fn head(pen: &Pen<'_>, root: Id, path: &str) -> Edits {
    let Form::Table { entries, is_flow } = &pen.outline.part(root).form else {
        return Err(Obstacle::Layout);
    };
    if *is_flow {
        let is_json = pen.is_json(root);
        let (key, path) = (pen.word("include", is_json), pen.word(path, is_json));
        return flow(pen, root, &format!("{key}: [{path}]"));
    }
    let column = pen.columns(root).ok_or(Obstacle::Layout)?;
    let is_title =
        |key: Id| pen.outline.text(key).is_some_and(|key| ["name", "version"].contains(&key));
    let first = entries.iter().map(|(key, _)| *key).find(|key| !is_title(*key));
    let item = format!("{:deeper$}- {}", "", pen.word(path, false), deeper = column + 2);
    let mut lines = vec![format!("{:column$}include:", ""), item];
    let Some(first) = first else {
        return Ok(vec![pen.lines(pen.behind(pen.range(root).end, column), &lines)]);
    };
    lines.push(String::new());
    Ok(vec![pen.lines(above(pen, pen.line_start(pen.range(first).start)), &lines)])
}

/// Above the comments that are about what begins at `at`; not above those that head the file.
fn above(pen: &Pen<'_>, at: usize) -> usize {
    let mut top = at;
    loop {
        let before = top.checked_sub(1).map(|end| pen.line_start(end)).filter(|start| *start < top);
        let Some(start) = before else { return at };
        let line = pen.line(start).trim();
        if line.starts_with("---") {
            return at;
        }
        if !line.starts_with('#') {
            return top;
        }
        top = start;
    }
}

/// One entry more in a mapping in brackets.
fn flow(pen: &Pen<'_>, table: Id, entry: &str) -> Edits {
    let range = pen.range(table);
    bracket(pen, range.start, "{", "{")?;
    bracket(pen, range.end - 1, "}", "}")?;
    let Some((key, value)) = pen.outline.entries(table).last() else {
        let at = range.start + 1;
        return Ok(vec![Edit { range: at..at, text: entry.to_owned() }]);
    };
    let (key, value) = (pen.range(*key), pen.range(*value));
    let end = if value.is_empty() { behind_colon(pen, key.end) } else { value.end };
    Ok(in_row(pen, key.start, end, entry))
}

/// One part more behind the last of a row of them in brackets, which is written from `start` to `end`:
/// on a line of its own where that is.
fn in_row(pen: &Pen<'_>, start: usize, end: usize, part: &str) -> Vec<Edit> {
    let Some(column) = pen.column(start) else {
        return vec![Edit { range: end..end, text: format!(", {part}") }];
    };
    let newline = pen.newline(end);
    let rest = pen.line(end).trim_start_matches(' ');
    let (comma, words) = match rest.strip_prefix(',') {
        Some(rest) => (",", rest.trim_start_matches(' ')),
        None => ("", rest),
    };
    if !words.is_empty() && !words.starts_with('#') {
        return vec![Edit { range: end..end, text: format!(",{newline}{:column$}{part}", "") }];
    }
    let mut edits = Vec::new();
    if comma.is_empty() {
        edits.push(Edit { range: end..end, text: ",".to_owned() });
    }
    let at = pen.next_line(end);
    let text = format!("{:column$}{part}{comma}{newline}", "");
    edits.push(Edit { range: at..at, text });
    edits
}

/// Behind the colon of a key without a value, if it has one.
fn behind_colon(pen: &Pen<'_>, end: usize) -> usize {
    let rest = pen.text.get(end..).unwrap_or("");
    let words = rest.trim_start();
    if words.starts_with(':') { end + (rest.len() - words.len()) + 1 } else { end }
}
