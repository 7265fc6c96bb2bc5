//! Weights that a quantisation has packed: what they are called in the place of `weight`, and what shape
//! the plain one would have.

use serde_json::Value;

use crate::facts::model::safetensors::Dtype;

/// What stands in the place of `weight` (vLLM 0.12.0 and 0.33.0, model_executor/layers/quantization:
/// gptq.py and awq.py, compressed_tensors).
pub(super) const IN_PLACE: [&str; 2] = ["qweight", "weight_packed"];

/// The methods whose tensors are known.
const KNOWN: [&str; 13] = [
    "auto-round",
    "awq",
    "awq_marlin",
    "bitsandbytes",
    "compressed-tensors",
    "fbgemm_fp8",
    "fp8",
    "gptq",
    "gptq_marlin",
    "modelopt",
    "modelopt_fp4",
    "mxfp4",
    "nvfp4",
];

/// What the scales of a weight are called, what tools write first.
const SCALES: &[&str] = &["weight_scale", "weight_scale_inv", "scale", "scale_inv"];

/// The same where each block has one.
const SCALES_OF_BLOCKS: &[&str] = &["weight_scale_inv", "weight_scale", "scale", "scale_inv"];

/// How the weights of a model are packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packing<'a> {
    /// As the configuration calls it.
    method: &'a str,
    /// Bits of one weight; absent where it is not said once for all.
    bits: Option<i64>,
    /// Whether a scale belongs to a block of a weight (`weight_block_size`).
    is_in_blocks: bool,
}

impl<'a> Packing<'a> {
    /// What `quantization_config` says; absent: a method whose tensors are not known.
    pub(super) fn of(method: &'a str, says: Option<&Value>) -> Option<Self> {
        let bits = says.and_then(bits);
        let is_in_blocks = says.is_some_and(|says| says["weight_block_size"].is_array());
        KNOWN.contains(&method).then_some(Self { method, bits, is_in_blocks })
    }

    /// The shape that the plain weight would have of one that is stored under `name`; absent where that
    /// cannot be told.
    pub(super) fn plain(self, name: &str, dtype: Dtype, shape: &[i64]) -> Option<[i64; 2]> {
        let [rows, columns] = *shape else { return None };
        let last = name.rsplit('.').next().unwrap_or_default();
        let unpacked = |extent: i64| {
            let bits = self.bits.filter(|bits| *bits > 0)?;
            extent.checked_mul(32)?.checked_div(bits)
        };
        match (last, dtype) {
            ("qweight", Dtype::I32) if self.method.starts_with("gptq") => {
                Some([columns, unpacked(rows)?])
            }
            ("qweight", Dtype::I32) if self.method.starts_with("awq") => {
                Some([unpacked(columns)?, rows])
            }
            ("weight_packed", Dtype::I32) => Some([rows, unpacked(columns)?]),
            // Two numbers of four bits in a byte.
            ("weight_packed", Dtype::U8) => Some([rows, columns.checked_mul(2)?]),
            ("weight", Dtype::U8) if self.method.starts_with("modelopt") => {
                Some([rows, columns.checked_mul(2)?])
            }
            _ => None,
        }
    }

    /// What has to stand beside a weight that is stored under this name and does not: a name in its
    /// module. Loaders fill nothing in: without scales a model talks nonsense (the same sources, fp8.py,
    /// modelopt.py, and model_loader/bitsandbytes_loader.py, `_quantized_4bit_generator`). Absent: nothing,
    /// or that is not known.
    pub(super) fn lacks(
        self,
        last: &str,
        dtype: Dtype,
        has: impl Fn(&str) -> bool,
    ) -> Option<&'static str> {
        let needs: &[&[&'static str]] = match (last, self.method, dtype) {
            ("qweight", method, _) if method.starts_with("gptq") || method.starts_with("awq") => {
                &[&["scales"]]
            }
            ("weight_packed", _, _) => &[&["weight_scale"]],
            ("weight", "fp8", Dtype::F8_E4M3) if self.is_in_blocks => &[SCALES_OF_BLOCKS],
            ("weight", "fp8" | "fbgemm_fp8" | "modelopt", Dtype::F8_E4M3)
            | ("weight", "compressed-tensors", Dtype::F8_E4M3 | Dtype::I8)
            | ("weight", "modelopt" | "modelopt_fp4" | "nvfp4", Dtype::U8) => &[SCALES],
            ("weight", "bitsandbytes", Dtype::U8) => &[
                &["weight.quant_state.bitsandbytes__nf4", "weight.quant_state.bitsandbytes__fp4"],
                &["weight.absmax"],
                &["weight.quant_map"],
            ],
            _ => &[],
        };
        let missing = needs.iter().find(|names| !names.iter().any(|name| has(name)))?;
        missing.first().copied()
    }
}

/// `bits` of GPTQ and AWQ, `num_bits` of compressed-tensors where all its groups have the same.
fn bits(says: &Value) -> Option<i64> {
    let own = ["bits", "w_bit"].iter().find_map(|key| says.get(*key)?.as_i64());
    let groups = says.get("config_groups").and_then(Value::as_object);
    let mut of_groups = groups.into_iter().flat_map(|groups| groups.values()).map(|group| {
        group.get("weights").and_then(|weights| weights.get("num_bits")).and_then(Value::as_i64)
    });
    let first = of_groups.next().flatten().filter(|first| of_groups.all(|it| it == Some(*first)));
    own.or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_weight_stands_for_a_plain_one_of_a_shape() {
        let check = |method, says: Value, name, dtype, shape: &[i64], plain| {
            let packing = Packing::of(method, Some(&says)).unwrap();
            assert_eq!(packing.plain(name, dtype, shape), plain, "{method} {name}");
        };
        let four = serde_json::json!({"bits": 4});
        check("gptq", four.clone(), "a.qweight", Dtype::I32, &[8, 32], Some([32, 64]));
        check("awq", four, "a.qweight", Dtype::I32, &[64, 4], Some([32, 64]));
        let eight = serde_json::json!({"config_groups": {"group_0": {"weights": {"num_bits": 8}}}});
        let method = "compressed-tensors";
        check(method, eight.clone(), "a.weight_packed", Dtype::I32, &[32, 16], Some([32, 64]));
        check(method, eight, "a.weight", Dtype::F8_E4M3, &[32, 64], None);
        let mixed = serde_json::json!({"config_groups": {
            "a": {"weights": {"num_bits": 8}}, "b": {"weights": {"num_bits": 4}}}});
        check(method, mixed, "a.weight_packed", Dtype::I32, &[32, 16], None);
        let none = serde_json::json!({});
        check("modelopt", none.clone(), "a.weight", Dtype::U8, &[32, 32], Some([32, 64]));
        check("bitsandbytes", none, "a.weight", Dtype::U8, &[1024, 1], None);
        assert!(Packing::of("aqlm", None).is_none());
    }
}
