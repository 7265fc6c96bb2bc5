use super::*;

fn named(name: &str, layer: Option<u64>) -> Alike {
    Alike {
        name: name.to_owned(),
        layer,
        dtype: "BF16".to_owned(),
        extents: vec![64, 32],
        bytes: 4096,
        count: 1,
    }
}

#[test]
fn tensors_are_of_the_layers_of_the_language_model_or_of_none() {
    let check = |name: &str, expected: bool| {
        assert_eq!(is_of_layers(&named(name, Some(0))), expected, "{name}");
    };
    check("model.layers.*.mlp.up_proj.weight", true);
    check("transformer.h.*.attn.c_attn.weight", true);
    check("model.embed_tokens.weight", false);
    check("experts.*.weight", false);
}

#[test]
fn quantised_matrices_are_taken_as_they_are() {
    let checkpoint = Checkpoint { is_packed: true, ..Checkpoint::default() };
    assert_eq!(bits_of(&checkpoint, None), (None, 1));
    assert_eq!(bits_of(&checkpoint, Some("gptq_marlin")), (None, 1));
    assert_eq!(bits_of(&Checkpoint::default(), Some("bitsandbytes")), (None, 4));
    assert_eq!(bits_of(&Checkpoint::default(), Some("fp8")), (None, 2));
}

/// What becomes of the numbers of a model under `--quantization`.
fn bits_of(checkpoint: &Checkpoint, method: Option<&str>) -> (Option<u64>, u64) {
    let settings = Settings { quantization: method.map(str::to_owned), ..Settings::default() };
    (bits(checkpoint, &settings), packs(checkpoint, &settings))
}
