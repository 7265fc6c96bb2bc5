//! Identity, severity, exit code and explanation of what a configuration can get wrong.

use crate::exit_code::ExitCode;
use crate::finding::{Rule, Severity};

pub(in crate::check::model) static QUANTIZATION_CONFLICT: Rule = Rule {
    id: "quantization-conflict",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
The command asks for one quantisation, and the model's own configuration states another.

vLLM compares `--quantization` with `quantization_config.quant_method` and exits with `Quantization
method specified in the model config does not match`. FP8 models made with llm-compressor
(`...-FP8-dynamic`) state `compressed-tensors`, so `--quantization fp8` fails on exactly those; on a
bf16 model the same flag is legal and quantises while loading.

Example: `--quantization fp8` with `\"quant_method\": \"compressed-tensors\"`.

Fix: leave `--quantization` out; the engine reads it from the model.",
};

pub(in crate::check::model) static DTYPE_DIFFERS: Rule = Rule {
    id: "dtype-differs",
    severity: Severity::Warning,
    exit: ExitCode::Lane,
    docs: "\
The type of the numbers is said twice, and not the same: by the configuration, the tensors themselves,
the name of the folder (`bf16`, `fp8`), or `--dtype`.

Engines convert between bfloat16, float16 and float32, with a loss; FP8 tensors without the quantisation
that belongs to them load as nonsense or not at all. A folder with the other variant of a model takes
half or twice the memory that was planned.

Example: `vllm/coder/bf16` holds the FP8 variant, because the download was pointed at the wrong
repository.

Fix: fetch weights and configuration from one revision of one repository into the folder that is named
after them.",
};

pub(in crate::check::model) static CONTEXT_TOO_LONG: Rule = Rule {
    id: "context-too-long",
    severity: Severity::Error,
    exit: ExitCode::Memory,
    docs: "\
The command asks for a longer context than the model has.

vLLM exits with `User-specified max_model_len is greater than the derived max_model_len`; rope scaling
in `config.json` is counted in. With `VLLM_ALLOW_LONG_MAX_MODEL_LEN=1` it goes on, and this is a note.
llama.cpp says a line in its log and caps the context, so there it is a warning.

Example: `--max-model-len 65536` for a model with `\"max_position_embeddings\": 32768`.

Fix: ask for at most what the model has, or leave the flag out.",
};

pub(in crate::check::model) static CONTEXT_NOT_LIMITED: Rule = Rule {
    id: "context-not-limited",
    severity: Severity::Warning,
    exit: ExitCode::Memory,
    docs: "\
llama-server is started without a context length, and the model was trained for so long a context that
its cache of keys and values alone takes many gigabytes.

Without `-c` llama-server takes the model's own length. Newer builds then shrink it until it fits
(`-fit`, down to 4096 tokens), so that nobody knows what is served; older ones fail to allocate. The
size is counted from the header, for 16-bit keys and values: layers x heads x (key + value) x 2 bytes.

Example: an 8B model for 4194304 tokens asks for 512 GiB.

Fix: say how long a context is needed: `-c 32768`, or `LLAMA_ARG_CTX_SIZE`.",
};

pub(in crate::check::model) static TENSOR_PARALLEL: Rule = Rule {
    id: "tensor-parallel-mismatch",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
The model's attention heads cannot be divided among as many devices as the command says.

vLLM exits with `Total number of attention heads must be divisible by tensor parallel size`.

Example: `--tensor-parallel-size 3` for a model with 40 heads.

Fix: a number of devices that divides the number of heads.",
};

pub(in crate::check::model) static REMOTE_CODE: Rule = Rule {
    id: "remote-code-required",
    severity: Severity::Error,
    exit: ExitCode::Lane,
    docs: "\
The model comes with Python code of its own (`auto_map` in `config.json`), and the engine is not allowed
to run it, or the code is not there.

Without `--trust-remote-code` transformers stops with `Please pass the argument trust_remote_code=True`.
Where a value of `auto_map` begins with `owner/repo--`, the code is in another repository, which is
downloaded when the engine starts: offline that fails although every file of the model is there.

It is an error only for vLLM 0.12, whose list of known model types is the one that preflight has.

Example: `\"AutoModel\": \"jinaai/jina-bert-v2-qk-post-norm--modeling_bert.JinaBertModel\"`.

Fix: read the code, then add `--trust-remote-code`; put the code of another repository into the service's
hub cache.",
};

pub(in crate::check::model) static DUPLICATE_WEIGHTS: Rule = Rule {
    id: "duplicate-weights",
    severity: Severity::Note,
    exit: ExitCode::Incomplete,
    docs:
        "\
The folder holds the same weights twice: `.bin` beside safetensors, Meta's `original/`, Mistral's
`consolidated*`, a single file beside shards.

Engines load one of them; the other only takes space, and time when it is fetched.

Example: `original/consolidated.00.pth` doubles the 21 GB of Llama 3.2 11B Vision.

Fix: delete them, and leave them out of the next download (`exclude: [\"original/*\", \"*.pth\"]`).",
};

pub(in crate::check::model) static OTHER_LAYOUT: Rule = Rule {
    id: "other-layout-taken",
    severity: Severity::Warning,
    exit: ExitCode::Incomplete,
    docs: "\
A file makes vLLM read the folder as another layout than the one that its weights have.

Given the choice, vLLM prefers Mistral's own layout. A `consolidated*.safetensors` at any depth makes it
look for such weights beside `config.json` (`Cannot find any model weights`), and up to 0.12 a
`params.json` alone makes it read that instead of `config.json`.

Example: a model with `original/params.json` and `original/consolidated.safetensors` beside its shards.

Fix: delete those files, or say `--config-format hf --load-format safetensors`.",
};

pub(in crate::check::model) static CHAT_TEMPLATE_MISSING: Rule = Rule {
    id: "chat-template-missing",
    severity: Severity::Warning,
    exit: ExitCode::Incomplete,
    docs: "\
The model has no chat template: neither in `tokenizer_config.json` nor as `chat_template.jinja` or
`chat_template.json`, and the command names none.

The engine starts, and answers 400 at `/v1/chat/completions`: transformers has no default template since
4.44.

Example: `tokenizer_config.json` was left out of the download.

Fix: fetch it, or give a template with `--chat-template`. A base model needs none at `/v1/completions`.",
};

pub(in crate::check::model) static GGUF_IN_VLLM: Rule = Rule {
    id: "gguf-in-vllm",
    severity: Severity::Warning,
    exit: ExitCode::Lane,
    docs: "\
vLLM is given a GGUF file.

Up to 0.12 it reads one that is not split, slowly, and wants `--tokenizer` with the tokenizer of the
original model; in 0.33 the support has moved to a plugin that the official image does not have.

Example: `--model /models/gguf/coder-Q4_K_M.gguf`.

Fix: serve the file with llama.cpp, or give vLLM a folder with safetensors.",
};
