#!/usr/bin/env python3
"""Makes the quickstart's GGUF model: a genuine two-layer llama with random weights.

    pip install gguf numpy
    python3 make_tiny_gguf.py tiny-f16.gguf
    llama-quantize tiny-f16.gguf models/gguf/tiny-Q4_K_M.gguf Q4_K_M

The result loads in llama-server and talks nonsense. The same seed gives the same bytes.
"""

import sys

import numpy as np
from gguf import GGUFWriter, TokenType

LAYERS = 2
CONTEXT = 2048
WIDTH = 256
INNER_WIDTH = 512
HEADS = 4
KEY_VALUE_HEADS = 2
HEAD_WIDTH = WIDTH // HEADS
F16 = 1


def vocabulary():
    """The smallest SentencePiece vocabulary that can spell every byte."""
    special = [(b"<unk>", TokenType.UNKNOWN), (b"<s>", TokenType.CONTROL), (b"</s>", TokenType.CONTROL)]
    single_bytes = [(f"<0x{value:02X}>".encode(), TokenType.BYTE) for value in range(256)]
    letters = [(letter.encode(), TokenType.NORMAL) for letter in "\u2581abcd"]
    return special + single_bytes + letters


def add_metadata(writer, entries):
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER_WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_rope_dimension_count(HEAD_WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(F16)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token for token, _ in entries])
    writer.add_token_scores([0.0] * len(entries))
    writer.add_token_types([kind for _, kind in entries])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def add_tensors(writer, n_tokens):
    random = np.random.default_rng(7)

    def weights(name, rows, columns):
        values = random.standard_normal((rows, columns)) * 0.05
        writer.add_tensor(f"{name}.weight", values.astype(np.float16))

    def norm(name):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))

    weights("token_embd", n_tokens, WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        norm(f"{block}.attn_norm")
        weights(f"{block}.attn_q", HEADS * HEAD_WIDTH, WIDTH)
        weights(f"{block}.attn_k", KEY_VALUE_HEADS * HEAD_WIDTH, WIDTH)
        weights(f"{block}.attn_v", KEY_VALUE_HEADS * HEAD_WIDTH, WIDTH)
        weights(f"{block}.attn_output", WIDTH, HEADS * HEAD_WIDTH)
        norm(f"{block}.ffn_norm")
        weights(f"{block}.ffn_gate", INNER_WIDTH, WIDTH)
        weights(f"{block}.ffn_up", INNER_WIDTH, WIDTH)
        weights(f"{block}.ffn_down", WIDTH, INNER_WIDTH)
    norm("output_norm")
    weights("output", n_tokens, WIDTH)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_tiny_gguf.py OUT.gguf")
    entries = vocabulary()
    writer = GGUFWriter(sys.argv[1], "llama")
    add_metadata(writer, entries)
    add_tensors(writer, len(entries))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
