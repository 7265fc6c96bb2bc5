//! The forms of GPTQ: not every method that is asked for computes every one.

/// What a model of GPTQ states in its `quantization_config`. Absent: it does not say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gptq {
    /// `bits` of a number.
    pub bits: Option<i64>,
    /// Numbers that share a scale (`group_size`); -1: all of an output.
    pub group_size: Option<i64>,
    /// Whether nought lies in the middle (`sym`).
    pub symmetric: Option<bool>,
    /// Whether numbers are in the order of their weight (`desc_act`).
    pub reordered: Option<bool>,
}

/// A form that is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// As the tables of quantisations call it.
    pub name: &'static str,
    /// What makes it one, as the model has it.
    pub mark: String,
}

/// The groups that kernels compute (vLLM 0.6.6 to 0.33.0 `MARLIN_SUPPORTED_GROUP_SIZES`).
const GROUPS: [i64; 4] = [-1, 32, 64, 128];

impl Gptq {
    /// The form, by the first thing that is not as usual; absent: all is.
    #[must_use]
    pub fn form(self) -> Option<Form> {
        let form = |name, mark: &str| Some(Form { name, mark: mark.to_owned() });
        let (Some(bits), Some(group)) = (self.bits, self.group_size) else {
            return match self.bits {
                None => form("gptq:no-bits", "no `bits`"),
                Some(_) => form("gptq:no-group_size", "no `group_size`"),
            };
        };
        match (bits, self.symmetric, self.reordered) {
            (_, _, None) => form("gptq:no-desc_act", "no `desc_act`"),
            (2 | 3, _, _) => form("gptq:bits", &format!("`bits: {bits}`")),
            (4 | 8, None, _) => form("gptq:no-sym", "no `sym`"),
            (4 | 8, Some(false), _) => form("gptq:asymmetric", "`sym: false`"),
            (4 | 8, Some(true), _) if GROUPS.contains(&group) => None,
            (4 | 8, Some(true), _) => form("gptq:group", &format!("`group_size: {group}`")),
            (_, _, _) => form("gptq:odd-bits", &format!("`bits: {bits}`")),
        }
    }
}
