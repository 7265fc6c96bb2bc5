//! The documentation of a rule, taken apart: what the check means, why that matters, an example of
//! what it finds, the fix.
//!
//! A documentation is Markdown. `## Why`, `## Example` and `## Fix` begin a section, as do `Example:`
//! and `Fix:` at the beginning of a paragraph. Without such a mark the first block of code is the
//! example, and what follows it the fix.

/// The sections, each as Markdown without a line break at its end; empty if there is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sections {
    /// What the check finds.
    pub(super) meaning: String,
    /// Why that matters, and what else there is to know.
    pub(super) why: String,
    /// Something that it finds.
    pub(super) example: String,
    /// What to do about it.
    pub(super) fix: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Meaning,
    Why,
    Example,
    Fix,
}

const MARKS: [(&str, Section); 8] = [
    ("## Why", Section::Why),
    ("## Example", Section::Example),
    ("## Fix", Section::Fix),
    ("Example:", Section::Example),
    ("**Example:**", Section::Example),
    ("Fix:", Section::Fix),
    ("**Fix:**", Section::Fix),
    ("Why:", Section::Why),
];

impl Sections {
    /// Takes a documentation apart.
    pub(super) fn of(docs: &str) -> Self {
        let blocks = blocks(docs);
        let has =
            |section| blocks.iter().any(|block| mark(block).is_some_and(|it| it.0 == section));
        let (has_example, has_fix) = (has(Section::Example), has(Section::Fix));
        let mut sections = Self::default();
        let mut current = Section::Meaning;
        for block in &blocks {
            let mut text = block.as_str();
            if let Some((section, rest)) = mark(block) {
                (current, text) = (section, rest);
            } else if is_code(block)
                && matches!(current, Section::Meaning | Section::Why)
                && !has_example
            {
                current = Section::Example;
            } else if !is_code(block) && current == Section::Example && !has_fix {
                current = Section::Fix;
            } else if current == Section::Meaning && !sections.meaning.is_empty() {
                current = Section::Why;
            }
            sections.push(current, text);
        }
        sections
    }

    fn push(&mut self, section: Section, text: &str) {
        let part = match section {
            Section::Meaning => &mut self.meaning,
            Section::Why => &mut self.why,
            Section::Example => &mut self.example,
            Section::Fix => &mut self.fix,
        };
        if text.is_empty() {
            return;
        }
        if !part.is_empty() {
            part.push_str("\n\n");
        }
        let mut characters = text.chars();
        // Behind `Example:` and `Fix:` a sentence may begin with a small letter.
        let is_sentence = part.is_empty()
            && matches!(section, Section::Example | Section::Fix)
            && text.starts_with(|it: char| it.is_ascii_lowercase());
        if let Some(first) = characters.next().filter(|_| is_sentence) {
            part.push(first.to_ascii_uppercase());
            part.push_str(characters.as_str());
        } else {
            part.push_str(text);
        }
    }

    /// All of it, with headings that begin with `level`.
    pub(super) fn markdown(&self, level: &str) -> String {
        let mut text = self.meaning.clone();
        for (heading, section) in
            [("Why", &self.why), ("Example", &self.example), ("Fix", &self.fix)]
        {
            if !section.is_empty() {
                text.push_str(&format!("\n\n{level} {heading}\n\n{section}"));
            }
        }
        text
    }
}

/// Paragraphs, headings and blocks of code.
fn blocks(docs: &str) -> Vec<String> {
    let mut blocks: Vec<String> = vec![String::new()];
    let mut is_fenced = false;
    for line in docs.trim().lines() {
        is_fenced ^= line.trim_start().starts_with("```");
        let Some(last) = blocks.last_mut() else { continue };
        match (line.trim().is_empty() && !is_fenced, last.is_empty()) {
            (true, true) => {}
            (true, false) => blocks.push(String::new()),
            (false, true) => last.push_str(line),
            (false, false) => {
                last.push('\n');
                last.push_str(line);
            }
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

fn mark(block: &str) -> Option<(Section, &str)> {
    MARKS
        .iter()
        .find_map(|(mark, section)| Some((*section, block.strip_prefix(mark)?.trim_start())))
}

fn is_code(block: &str) -> bool {
    block.starts_with("```") || block.starts_with("    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(docs: &str, [meaning, why, example, fix]: [&str; 4]) {
        let owned = str::to_owned;
        let expected = Sections {
            meaning: owned(meaning),
            why: owned(why),
            example: owned(example),
            fix: owned(fix),
        };
        assert_eq!(Sections::of(docs), expected, "{docs}");
    }

    #[test]
    fn sections_are_found_by_headings_by_words_and_by_code() {
        check("A.\n\nB.\n\n## Example\n\n`c`\n\n## Fix\n\nD.", ["A.", "B.", "`c`", "D."]);
        check("A.\n\nExample: `c`.\n\nFix: do d.\n\n    x", ["A.", "", "`c`.", "Do d.\n\n    x"]);
        check("A.\n\n```yaml\na:\n\nb:\n```\n\nD.", ["A.", "", "```yaml\na:\n\nb:\n```", "D."]);
        check("A.\n\n## Why\n\nB.\n\nC.", ["A.", "B.\n\nC.", "", ""]);
        check("A.\n\n    x\n\n**Fix:** D:\n\n    y", ["A.", "", "    x", "D:\n\n    y"]);
    }

    #[test]
    fn the_sections_are_put_together_under_headings() {
        let text = Sections::of("A.\n\nExample: `c`.\n\nFix: d.").markdown("##");
        assert_eq!(text, "A.\n\n## Example\n\n`c`.\n\n## Fix\n\nD.");
    }
}
