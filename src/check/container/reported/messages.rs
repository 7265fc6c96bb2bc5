//! Lines that vLLM and llama.cpp are known to end with. What is more particular stands first: an
//! engine that fails says so several times, and only one of the lines says why.
//!
//! Sources: vLLM 0.12.0, transformers 4.57.6, llama.cpp's server 0.7.0 and ggml of the same time.

use crate::engine::Engine;

/// One known line.
#[derive(Debug)]
pub(super) struct Message {
    /// Whose.
    pub(super) engine: Option<Engine>,
    /// Words that are in it, in this order.
    pub(super) words: &'static [&'static str],
    /// What it means.
    pub(super) meaning: &'static str,
    /// What to do about it.
    pub(super) fix: &'static str,
    /// Where it is written.
    pub(super) source: &'static str,
}

impl Message {
    pub(super) fn is_in(&self, line: &str) -> bool {
        let mut rest = Some(line);
        for words in self.words {
            rest = rest.and_then(|rest| Some(rest.split_once(words)?.1));
        }
        rest.is_some()
    }
}

const fn vllm(
    words: &'static [&'static str],
    meaning: &'static str,
    fix: &'static str,
    source: &'static str,
) -> Message {
    Message { engine: Some(Engine::Vllm), words, meaning, fix, source }
}

const fn llama_cpp(
    words: &'static [&'static str],
    meaning: &'static str,
    fix: &'static str,
    source: &'static str,
) -> Message {
    Message { engine: Some(Engine::LlamaCpp), words, meaning, fix, source }
}

/// Every known line.
pub(super) static MESSAGES: &[Message] = &[
    vllm(
        &["Free memory on device", "is less than desired GPU memory utilization"],
        "another program has taken a part of the GPU's memory",
        "end the other program (`nvidia-smi` names it), or lower `--gpu-memory-utilization`",
        "vLLM, vllm/v1/worker/gpu_worker.py",
    ),
    vllm(
        &["KV cache is needed, which is larger than the available KV cache memory"],
        "the context does not fit beside the weights",
        "lower `--max-model-len`, or raise `--gpu-memory-utilization`",
        "vLLM 0.12.0, vllm/v1/core/kv_cache_utils.py:708",
    ),
    vllm(
        &["No available memory for the cache blocks"],
        "the weights fill the GPU, and nothing is left for a context",
        "take a smaller or quantised model, more GPUs (`--tensor-parallel-size`), or raise \
         `--gpu-memory-utilization`",
        "vLLM, vllm/v1/core/kv_cache_utils.py",
    ),
    vllm(
        &["CUDA out of memory"],
        "the GPU's memory does not suffice",
        "lower `--gpu-memory-utilization` or `--max-model-len`, or take a smaller model",
        "PyTorch, torch.OutOfMemoryError",
    ),
    vllm(
        &["Failed to infer device type"],
        "it sees no GPU, or the image was built for another kind of GPU",
        "give the service a GPU (`gpus: all`), or take the image for your hardware",
        "vLLM, vllm/config/device.py",
    ),
    vllm(
        &["CUDA driver version is insufficient"],
        "the host's driver is older than the image's CUDA",
        "update the driver on the host, or take an older tag of the image",
        "CUDA runtime",
    ),
    vllm(
        &["was supported in vLLM until", "and is not supported anymore"],
        "this release of vLLM has dropped the model's architecture",
        "pin the image to the release that the line names",
        "vLLM 0.12.0, vllm/model_executor/models/registry.py:803",
    ),
    vllm(
        &["Model architectures", "are not supported for now"],
        "this release of vLLM does not know the model's architecture",
        "take a newer image, or another model",
        "vLLM 0.12.0, vllm/model_executor/models/registry.py",
    ),
    vllm(
        &["but Transformers does not recognize this architecture"],
        "the transformers in the image does not know the model's type",
        "take a newer image",
        "transformers 4.57.6, models/auto/configuration_auto.py",
    ),
    vllm(
        &["Quantization method specified in the model config", "does not match"],
        "`--quantization` says something else than the model's `config.json`",
        "take `--quantization` out of the command: the model says it itself",
        "vLLM 0.12.0, vllm/config/model.py:1041",
    ),
    vllm(
        &["is greater than the derived max_model_len"],
        "`--max-model-len` asks for more context than the model was made for",
        "lower `--max-model-len` to what the line says",
        "vLLM 0.12.0, vllm/config/model.py",
    ),
    vllm(
        &["trust_remote_code=True"],
        "the model comes with code of its own, which was not allowed to run",
        "read that code, then add `--trust-remote-code`",
        "transformers 4.57.6, dynamic_module_utils.py",
    ),
    vllm(
        &["You are trying to access a gated repo"],
        "the model is gated, and the token has no access to it",
        "accept the licence on the model's page and pass `HF_TOKEN` to the service",
        "transformers 4.57.6, utils/hub.py",
    ),
    vllm(
        &["Invalid repository ID or local directory specified"],
        "the path of the model is no folder in the container, so it was taken for a repository",
        "mount the models where the command expects them",
        "vLLM 0.12.0, vllm/transformers_utils/config.py",
    ),
    vllm(
        &["Repo id must be in the form"],
        "the path of the model is no folder in the container, so it was taken for a repository",
        "mount the models where the command expects them",
        "huggingface_hub, utils/_validators.py",
    ),
    vllm(
        &["Could not detect config format for no config file found"],
        "there is no `config.json` in the model's folder",
        "bring the whole folder, or correct the path",
        "vLLM 0.12.0, vllm/transformers_utils/config.py",
    ),
    vllm(
        &["is not a valid JSON file"],
        "a configuration of the model is damaged",
        "download the file that the line names again",
        "transformers 4.57.6, configuration_utils.py",
    ),
    vllm(
        &["containing a preprocessor_config.json file"],
        "the model takes images, and its `preprocessor_config.json` is not there",
        "bring `preprocessor_config.json` as well",
        "transformers 4.57.6, image_processing_base.py",
    ),
    vllm(
        &["MetadataIncompleteBuffer"],
        "a file of weights is cut off",
        "download it again: `preflight fetch`",
        "safetensors, src/tensor.rs",
    ),
    vllm(
        &["unrecognized arguments"],
        "this release of vLLM does not know a flag of the command",
        "take the flag out, or the image of the release that has it",
        "Python, argparse.py",
    ),
    vllm(
        &["No space left on device"],
        "the disk, or `/dev/shm`, is full",
        "free space, or raise `shm_size` (or set `ipc: host`)",
        "Linux, ENOSPC",
    ),
    vllm(
        &["Permission denied"],
        "the service's user may not open something",
        "let the service's user read what the line names",
        "Linux, EACCES",
    ),
    llama_cpp(
        &["data is not within the file bounds, model is corrupted or incomplete"],
        "the model file is cut off",
        "download it again: `preflight fetch`",
        "llama.cpp, src/llama-model-loader.h:46",
    ),
    llama_cpp(
        &["invalid magic characters"],
        "the model file is no GGUF file",
        "look at how it begins (`head -c 200`): often it is a web page or a git-lfs pointer; \
         download it again",
        "ggml, src/gguf.cpp:456",
    ),
    llama_cpp(
        &["unknown model architecture"],
        "this build of llama.cpp does not know the model's architecture",
        "take a newer image",
        "llama.cpp, src/llama-model.cpp",
    ),
    llama_cpp(
        &["unknown pre-tokenizer type"],
        "this build of llama.cpp does not know the model's tokenizer",
        "take a newer image",
        "llama.cpp, src/llama-vocab.cpp:2428",
    ),
    llama_cpp(
        &["wrong number of tensors"],
        "the file belongs to another version of the architecture",
        "take a newer image, or a newer conversion of the model",
        "llama.cpp, src/llama-model-loader.cpp",
    ),
    llama_cpp(
        &["failed to open GGUF file", "No such file or directory"],
        "the model file is not there",
        "mount the models where the command expects them, or correct the path",
        "ggml, src/gguf.cpp",
    ),
    llama_cpp(
        &["failed to open GGUF file", "Permission denied"],
        "the service's user may not read the model file",
        "as the owner of the file, run `chmod a+r` on it, and `chmod a+x` on the folders above",
        "ggml, src/gguf.cpp",
    ),
    llama_cpp(
        &["cudaMalloc failed: out of memory"],
        "the GPU's memory does not suffice",
        "lower `-c` or `-ngl`, or take a smaller quantisation",
        "ggml, src/ggml-cuda/ggml-cuda.cu",
    ),
    llama_cpp(
        &["failed to allocate buffer for kv cache"],
        "the context does not fit into memory",
        "say a smaller context with `-c`",
        "llama.cpp, src/llama-kv-cache.cpp",
    ),
    llama_cpp(
        &["Failed to load CLIP model"],
        "the file of `--mmproj` is no projector of this model",
        "take the projector that belongs to the model",
        "llama.cpp, tools/mtmd",
    ),
    llama_cpp(
        &["exactly one out metadata, path_model, and file must be defined"],
        "the repository of `-hf` could not be reached",
        "let the container reach the hub, or fetch the file and name it with `-m`",
        "llama.cpp, common",
    ),
    llama_cpp(
        &["error: invalid argument"],
        "this build of llama-server does not know a flag of the command",
        "write `--flag value` with a space, or take the flag out",
        "llama.cpp, common/arg.cpp:812",
    ),
    llama_cpp(
        &["no usable GPU found, --gpu-layers option will be ignored"],
        "it sees no GPU, or the image was built without one",
        "give the service a GPU (`gpus: all`) and take an image with CUDA (`:server-cuda`)",
        "llama.cpp, common/arg.cpp",
    ),
    llama_cpp(
        &["couldn't bind", "socket"],
        "the port is taken, or the address is not the container's",
        "listen on `--host 0.0.0.0` and a port of its own",
        "llama.cpp, tools/server",
    ),
];
