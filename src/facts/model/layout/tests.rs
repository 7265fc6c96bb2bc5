//! The language of layouts, with models that are lists.

use std::collections::BTreeMap;

use super::{Complaint, Entry, Kind, Subject, Table, Tensor};

/// A model that is written down.
#[derive(Default)]
struct Model {
    numbers: BTreeMap<&'static str, i64>,
    lists: BTreeMap<&'static str, Vec<i64>>,
    texts: BTreeMap<&'static str, &'static str>,
    tensors: Vec<(String, Vec<i64>)>,
}

impl Subject for Model {
    fn number(&self, name: &str, index: Option<u64>) -> Option<i64> {
        match index {
            None => self.numbers.get(name).copied(),
            Some(index) => self.lists.get(name)?.get(usize::try_from(index).ok()?).copied(),
        }
    }

    fn entry(&self, key: &str, kind: Kind) -> Entry {
        match (self.numbers.get(key), self.lists.get(key)) {
            (Some(_), _) if kind.word == "text" => Entry::Wrong { expected: "text", found: "u32" },
            (Some(number), _) => Entry::Number(*number),
            (None, Some(list)) => match kind.count {
                Some(expected) if expected != list.len() as u64 => {
                    Entry::Entries { found: list.len() as u64, expected }
                }
                Some(_) | None => Entry::Numbers(list.clone()),
            },
            (None, None) if self.texts.contains_key(key) => Entry::Said,
            (None, None) => Entry::Absent,
        }
    }

    fn is(&self, key: &str, word: &str) -> Option<bool> {
        self.texts.get(key).map(|text| *text == word)
    }

    fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        let index = self.tensors.iter().position(|(tensor, _)| tensor == name)?;
        let shape = self.tensors.get(index).map(|(_, shape)| shape.as_slice());
        Some(Tensor { index, shape: shape.filter(|shape| !shape.is_empty()) })
    }

    fn tensors(&self) -> usize {
        self.tensors.len()
    }
}

/// What `[m]` of `table` says to the model, as words, and the strangers.
#[track_caller]
fn check(table: &'static str, model: &Model, expected: &[&str]) {
    let table = Table::new(table);
    assert_eq!(table.mistakes(), []);
    let judgement = table.judge("m", model).unwrap();
    let mut words: Vec<_> = judgement.complaints.iter().map(told).collect();
    match judgement.strangers {
        Some(strangers) => {
            words
                .extend(strangers.iter().map(|index| format!("extra {}", model.tensors[*index].0)));
        }
        None => words.push("any extra".to_owned()),
    }
    assert_eq!(words, expected);
}

fn told(complaint: &Complaint) -> String {
    match complaint {
        Complaint::KeyMissing { key } => format!("no {key}"),
        Complaint::KeyType { key, expected, found } => format!("{key} {found} not {expected}"),
        Complaint::Entries { key, found, expected } => format!("{key} {found} not {expected}"),
        Complaint::TensorMissing { tensor } => format!("no {tensor}"),
        Complaint::Shape { tensor, found, expected } => format!("{tensor} {found:?} {expected:?}"),
        Complaint::Numbers { rule } => format!("not {rule}"),
    }
}

fn model(tensors: &[(&str, &[i64])]) -> Model {
    let tensors = tensors.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec()));
    Model { tensors: tensors.collect(), ..Model::default() }
}

#[test]
fn a_tensor_is_held_against_the_numbers_of_the_model() {
    const TABLE: &str = "[m]\ntensor embd [width, tokens]\ntensor? bias [width]\n";
    let mut model = model(&[("embd", &[8, 10])]);
    model.numbers.extend([("width", 8), ("tokens", 10)]);
    check(TABLE, &model, &[]);
    model.numbers.insert("tokens", 11);
    check(TABLE, &model, &["embd [8, 10] [8, 11]"]);
    model.numbers.remove("tokens");
    check(TABLE, &model, &[]);
    model.tensors.push(("bias".to_owned(), vec![9]));
    model.tensors.push(("more".to_owned(), vec![9]));
    check(TABLE, &model, &["bias [9] [8]", "extra more"]);
    model.tensors.clear();
    check(TABLE, &model, &["no embd"]);
}

#[test]
fn layers_may_differ_in_their_numbers_and_in_what_they_have() {
    const TABLE: &str = "[m]
let n = 3
key heads u32[n] -> heads
def wide(i) = heads[i] * 2
for i = 0, n
  if heads[i] == 0
    tensor blk.{i}.conv
  elif heads[i] > 1
    tensor blk.{i}.q [wide(i)]
  else
    tensor((i * 0) + 1 + 2) blk.{i + 10}.q [2, 3]
  end
end
";
    let mut model =
        model(&[("blk.0.q", &[4]), ("blk.1.conv", &[7]), ("blk.12.q", &[6]), ("blk.3.q", &[4])]);
    model.lists.insert("heads", vec![2, 0, 1]);
    check(TABLE, &model, &["extra blk.3.q"]);
    model.lists.insert("heads", vec![2, 3]);
    check(TABLE, &model, &["heads 2 not 3", "extra blk.3.q"]);
}

#[test]
fn what_cannot_be_told_is_never_wrong() {
    const TABLE: &str = "[m]
if unknown
  tensor a [1]
  let x = 5
else
  tensor b [2]
end
tensor c [x, 10 / zero]
need x == 6
if 0 && unknown
  tensor d
end
";
    let mut model = model(&[("a", &[9]), ("c", &[3, 3])]);
    model.numbers.insert("zero", 0);
    check(TABLE, &model, &[]);
    check("[m]\nfor i = 0, unknown\ntensor a.{i}\nend\n", &model, &["any extra"]);
    check(
        "[m]\nlet n = 9223372036854775807\nfor i = 0, n\nlet x = i\nend\n",
        &model,
        &["any extra"],
    );
}

#[test]
fn entries_are_asked_for_by_name_and_kind() {
    const TABLE: &str = "[m]
key a u32 -> a
key? b text
key? c u32 -> a
need a == 4
if said(a) && !said(z) && is(t, yarn)
  key z u32
end
";
    let mut model = Model::default();
    check(TABLE, &model, &["no a"]);
    model.numbers.insert("a", 4);
    model.texts.insert("t", "linear");
    check(TABLE, &model, &[]);
    model.numbers.extend([("b", 1), ("c", 5)]);
    model.texts.insert("t", "yarn");
    check(TABLE, &model, &["b u32 not text", "not a == 4", "no z"]);
}

#[test]
fn a_section_stands_where_it_is_used() {
    const TABLE: &str = "[qkv i width]
if has(blk.{i}.qkv)
  tensor blk.{i}.qkv [width, 3 * width]
else
  tensor blk.{i}.q [width]
end
[m]
# The parameter hides nothing for good.
let width = 2
use qkv(0, width * 2)
use qkv(1, 3)
tensor last [width]
";
    let model = model(&[("blk.0.qkv", &[4, 12]), ("blk.1.q", &[3]), ("last", &[2, 1])]);
    check(TABLE, &model, &[]);
}

#[test]
fn a_list_keeps_what_stands_behind_the_end() {
    const TABLE: &str = "[m]
let x[] = 7
let y[] = x[]
let y[1] = 4
key x u32[2] -> x
need x[0] == 1 && x[1] == 1 && x[2] == 7
need y[0] == 7 && y[1] == 4 && y[600] == 7
tensor a
need min(2, 3) == 2 && max(2, 3) == 3 && -1 < 0 && (1 ? 0 : 1) == 0 && 7 % 4 == 3 && !0
need (5 & 4 | 2) == 6 && (1 || 0) && extent(a, 1) == 3 && extent(a, 5) == 1
";
    let mut model = model(&[("a", &[2, 3])]);
    model.numbers.insert("x", 1);
    check(TABLE, &model, &[]);
}

#[test]
fn a_mistake_in_a_table_is_found_when_it_is_read() {
    for (text, words) in [
        ("[m]\nlet x 5\n", "no ` = `"),
        ("[m]\nif x\n", "no `end`"),
        ("[m]\nend\n", "ends nothing"),
        ("[m]\nuse n(1)\n", "no `n`"),
        ("[m]\nuse m()\n", "uses itself"),
        ("[m]\nneed (1\n", ") is wanted"),
        ("[m]\nneed f(1)\n", "nothing defines `f`"),
        ("[m]\nforall\n", "no statement"),
    ] {
        let table = Table::new(text);
        let mistakes = table.mistakes();
        assert!(mistakes.iter().any(|(_, told)| told.contains(words)), "{text}: {mistakes:?}");
    }
}
