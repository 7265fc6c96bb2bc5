//! Lines that llama-server is known to end with (llama.cpp's server 0.7.0 and ggml of the same time). What is more particular stands
//! first.

use crate::plan::engine::LogMessage;

pub(super) static MESSAGES: &[LogMessage] = &[
    LogMessage::new(
        &["data is not within the file bounds, model is corrupted or incomplete"],
        "the model file is cut off",
        "download it again: `preflight fetch`",
        "llama.cpp, src/llama-model-loader.h:46",
    ),
    LogMessage::new(
        &["invalid magic characters"],
        "the model file is no GGUF file",
        "look at how it begins (`head -c 200`): often it is a web page or a git-lfs pointer; \
         download it again",
        "ggml, src/gguf.cpp:456",
    ),
    LogMessage::new(
        &["unknown model architecture"],
        "this build of llama.cpp does not know the model's architecture",
        "take a newer image",
        "llama.cpp, src/llama-model.cpp",
    ),
    LogMessage::new(
        &["unknown pre-tokenizer type"],
        "this build of llama.cpp does not know the model's tokenizer",
        "take a newer image",
        "llama.cpp, src/llama-vocab.cpp:2428",
    ),
    LogMessage::new(
        &["wrong number of tensors"],
        "the file belongs to another version of the architecture",
        "take a newer image, or a newer conversion of the model",
        "llama.cpp, src/llama-model-loader.cpp",
    ),
    LogMessage::new(
        &["failed to open GGUF file", "No such file or directory"],
        "the model file is not there",
        "mount the models where the command expects them, or correct the path",
        "ggml, src/gguf.cpp",
    ),
    LogMessage::new(
        &["failed to open GGUF file", "Permission denied"],
        "the service's user may not read the model file",
        "as the owner of the file, run `chmod a+r` on it, and `chmod a+x` on the folders above",
        "ggml, src/gguf.cpp",
    ),
    LogMessage::new(
        &["cudaMalloc failed: out of memory"],
        "the GPU's memory does not suffice",
        "lower `-c` or `-ngl`, or take a smaller quantisation",
        "ggml, src/ggml-cuda/ggml-cuda.cu",
    ),
    LogMessage::new(
        &["failed to allocate buffer for kv cache"],
        "the context does not fit into memory",
        "say a smaller context with `-c`",
        "llama.cpp, src/llama-kv-cache.cpp",
    ),
    LogMessage::new(
        &["Failed to load CLIP model"],
        "the file of `--mmproj` is no projector of this model",
        "take the projector that belongs to the model",
        "llama.cpp, tools/mtmd",
    ),
    LogMessage::new(
        &["exactly one out metadata, path_model, and file must be defined"],
        "the repository of `-hf` could not be reached",
        "let the container reach the hub, or fetch the file and name it with `-m`",
        "llama.cpp, common",
    ),
    LogMessage::new(
        &["error: invalid argument"],
        "this build of llama-server does not know a flag of the command",
        "write `--flag value` with a space, or take the flag out",
        "llama.cpp, common/arg.cpp:812",
    ),
    LogMessage::new(
        &["no usable GPU found, --gpu-layers option will be ignored"],
        "it sees no GPU, or the image was built without one",
        "give the service a GPU (`gpus: all`) and take an image with CUDA (`:server-cuda`)",
        "llama.cpp, common/arg.cpp",
    ),
    LogMessage::new(
        &["couldn't bind", "socket"],
        "the port is taken, or the address is not the container's",
        "listen on `--host 0.0.0.0` and a port of its own",
        "llama.cpp, tools/server",
    ),
];
