//! A bar of what lies in one memory: a cell for as many bytes as the line has room for.

use annotate_snippets::renderer::{AnsiColor, Style};

use crate::options::Charset;
use crate::plan::engine::memory::Use;
use crate::report::human::Layout;

/// A stretch of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stretch {
    /// What others take, or nobody.
    Free,
    /// What is taken in any case.
    Taken(Use),
    /// What is taken at most beside that.
    Perhaps(Use),
    /// What an engine takes of its device beside what it needs.
    Claimed,
}

/// Bytes of one memory, in the order in which they are drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) stretches: Vec<(Stretch, u64)>,
}

impl Bar {
    /// All of its bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.stretches.iter().fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// What each of `cells` shows, where all of them are `scale` bytes.
    fn cells(&self, scale: u64, cells: usize) -> Vec<Stretch> {
        let at = |bytes: u64| {
            let wide = u128::from(bytes) * cells as u128 + u128::from(scale) / 2;
            usize::try_from(wide / u128::from(scale.max(1))).map_or(cells, |at| at.min(cells))
        };
        let (mut row, mut end) = (Vec::with_capacity(cells), 0_u64);
        for (stretch, bytes) in &self.stretches {
            end = end.saturating_add(*bytes);
            row.resize(at(end).max(row.len()), *stretch);
        }
        row.resize(cells, Stretch::Free);
        row
    }

    /// The bar in `cells` columns that are `scale` bytes, with a mark where `end` is, if that is not
    /// the end of the bar. One column more than `cells` where there is a mark.
    pub(super) fn drawn(
        &self,
        scale: u64,
        cells: usize,
        end: Option<u64>,
        layout: Layout,
    ) -> String {
        let mark = end.filter(|end| *end < scale).map(|end| {
            let wide = u128::from(end) * cells as u128 / u128::from(scale.max(1));
            usize::try_from(wide).unwrap_or(cells)
        });
        let mut drawn = String::new();
        let (mut before, mut last) = (None, 0);
        for (index, stretch) in self.cells(scale, cells).into_iter().enumerate() {
            if before != Some(stretch) || mark == Some(index) {
                drawn.push_str(&run(before, index - last, layout));
                (before, last) = (Some(stretch), index);
            }
            if mark == Some(index) {
                drawn.push('|');
            }
        }
        drawn.push_str(&run(before, cells - last, layout));
        drawn
    }
}

/// So many columns of one stretch.
fn run(stretch: Option<Stretch>, columns: usize, layout: Layout) -> String {
    stretch.map(|stretch| shown(stretch, columns, layout)).unwrap_or_default()
}

fn shown(stretch: Stretch, columns: usize, layout: Layout) -> String {
    let is_drawn = layout.color && layout.charset == Charset::Unicode;
    let (use_for, cell) = match stretch {
        Stretch::Free if is_drawn => return "·".repeat(columns),
        Stretch::Free => return ".".repeat(columns),
        Stretch::Claimed if is_drawn => (Use::Cache, '░'),
        Stretch::Claimed => (Use::Cache, '+'),
        Stretch::Taken(use_for) if is_drawn => (use_for, '█'),
        Stretch::Taken(use_for) => (use_for, letter(use_for)),
        Stretch::Perhaps(use_for) if is_drawn => (use_for, '▒'),
        Stretch::Perhaps(use_for) => (use_for, '~'),
    };
    let cells = cell.to_string().repeat(columns);
    if !layout.color {
        return cells;
    }
    let style = style(use_for);
    format!("{style}{cells}{style:#}")
}

/// What stands for a part where there are no colours.
fn letter(use_for: Use) -> char {
    match use_for {
        Use::Weights => 'w',
        Use::Cache => 'k',
        Use::State => 's',
        Use::Output => 'o',
        Use::Compute => 'c',
        Use::Projector => 'p',
        Use::Draft => 'd',
        Use::Adapter => 'a',
    }
}

fn style(use_for: Use) -> Style {
    let color = match use_for {
        Use::Weights => AnsiColor::Blue,
        Use::Cache => AnsiColor::Green,
        Use::State => AnsiColor::Cyan,
        Use::Output => AnsiColor::White,
        Use::Compute => AnsiColor::Yellow,
        Use::Projector => AnsiColor::Magenta,
        Use::Draft => AnsiColor::BrightBlue,
        Use::Adapter => AnsiColor::BrightMagenta,
    };
    color.on_default()
}

/// What the columns of the bars mean, for these parts; `has_claims`: an engine takes a share, whatever it
/// needs.
pub(super) fn legend(uses: &[Use], has_perhaps: bool, has_claims: bool, layout: Layout) -> String {
    let is_drawn = layout.color && layout.charset == Charset::Unicode;
    let of_use = |use_for: &Use| (shown(Stretch::Taken(*use_for), 1, layout), use_for.id());
    let mut entries: Vec<(String, &str)> = uses.iter().map(of_use).collect();
    if has_perhaps {
        entries.push((if is_drawn { "▒" } else { "~" }.to_owned(), "at most"));
    }
    if has_claims {
        entries.push((shown(Stretch::Claimed, 1, layout), "claimed"));
    }
    let (mut out, mut column) = (String::new(), 0);
    for (cell, meaning) in entries {
        // A cell is one column, with a space before its meaning and two before the next.
        let columns = meaning.len() + 2;
        let gap = match column {
            0 => "",
            column if layout.width < column + 2 + columns => "\n",
            _ => "  ",
        };
        column = if gap == "\n" { columns } else { column + gap.len() + columns };
        out.push_str(&format!("{gap}{cell} {meaning}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stretches: &[(Stretch, u64)], scale: u64, end: Option<u64>, expected: &str) {
        let bar = Bar { stretches: stretches.to_vec() };
        assert_eq!(bar.drawn(scale, 10, end, Layout::default()), expected, "{stretches:?}");
    }

    #[test]
    fn a_column_is_as_many_bytes_as_the_line_has_room_for() {
        let taken = |bytes| (Stretch::Taken(Use::Weights), bytes);
        let cache = |bytes| (Stretch::Taken(Use::Cache), bytes);
        check(&[taken(40), cache(20)], 100, Some(100), "wwwwkk....");
        check(&[taken(44), cache(1), cache(1)], 100, Some(100), "wwwwk.....");
        check(&[(Stretch::Free, 50), taken(20)], 100, None, ".....ww...");
        check(&[taken(u64::MAX), cache(u64::MAX)], u64::MAX, None, "wwwwwwwwww");
        check(&[], 0, None, "..........");
    }

    #[test]
    fn what_is_too_much_stands_behind_the_end_of_the_card() {
        let (taken, perhaps) = (Stretch::Taken(Use::Weights), Stretch::Perhaps(Use::Compute));
        check(&[(taken, 60), (perhaps, 40)], 100, Some(80), "wwwwww~~|~~");
    }

    #[test]
    fn a_coloured_bar_is_drawn_in_blocks_and_one_for_ascii_in_letters() {
        let bar = Bar { stretches: vec![(Stretch::Taken(Use::Weights), 1)] };
        let layout = Layout { color: true, ..Layout::default() };
        let blue = AnsiColor::Blue.on_default();
        assert_eq!(bar.drawn(1, 1, None, layout), format!("{blue}█{blue:#}"));
        let ascii = Layout { charset: Charset::Ascii, ..layout };
        assert_eq!(bar.drawn(1, 1, None, ascii), format!("{blue}w{blue:#}"));
    }
}
