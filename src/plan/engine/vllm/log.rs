//! Lines that vLLM is known to end with (vLLM 0.12.0 and the transformers 4.57.6 in it). What is more particular stands
//! first.

use crate::plan::engine::LogMessage;

pub(super) static MESSAGES: &[LogMessage] = &[
    LogMessage::new(
        &["Free memory on device", "is less than desired GPU memory utilization"],
        "another program has taken a part of the GPU's memory",
        "end the other program (`nvidia-smi` names it), or lower `--gpu-memory-utilization`",
        "vLLM, vllm/v1/worker/gpu_worker.py",
    ),
    LogMessage::new(
        &["KV cache is needed, which is larger than the available KV cache memory"],
        "the context does not fit beside the weights",
        "lower `--max-model-len`, or raise `--gpu-memory-utilization`",
        "vLLM 0.12.0, vllm/v1/core/kv_cache_utils.py:708",
    ),
    LogMessage::new(
        &["No available memory for the cache blocks"],
        "the weights fill the GPU, and nothing is left for a context",
        "take a smaller or quantised model, more GPUs (`--tensor-parallel-size`), or raise \
         `--gpu-memory-utilization`",
        "vLLM, vllm/v1/core/kv_cache_utils.py",
    ),
    LogMessage::new(
        &["CUDA out of memory"],
        "the GPU's memory does not suffice",
        "lower `--gpu-memory-utilization` or `--max-model-len`, or take a smaller model",
        "PyTorch, torch.OutOfMemoryError",
    ),
    LogMessage::new(
        &["Failed to infer device type"],
        "it sees no GPU, or the image was built for another kind of GPU",
        "give the service a GPU (`gpus: all`), or take the image for your hardware",
        "vLLM, vllm/config/device.py",
    ),
    LogMessage::new(
        &["CUDA driver version is insufficient"],
        "the host's driver is older than the image's CUDA",
        "update the driver on the host, or take an older tag of the image",
        "CUDA runtime",
    ),
    LogMessage::new(
        &["was supported in vLLM until", "and is not supported anymore"],
        "this release of vLLM has dropped the model's architecture",
        "pin the image to the release that the line names",
        "vLLM 0.12.0, vllm/model_executor/models/registry.py:803",
    ),
    LogMessage::new(
        &["Model architectures", "are not supported for now"],
        "this release of vLLM does not know the model's architecture",
        "take a newer image, or another model",
        "vLLM 0.12.0, vllm/model_executor/models/registry.py",
    ),
    LogMessage::new(
        &["but Transformers does not recognize this architecture"],
        "the transformers in the image does not know the model's type",
        "take a newer image",
        "transformers 4.57.6, models/auto/configuration_auto.py",
    ),
    LogMessage::new(
        &["Quantization method specified in the model config", "does not match"],
        "`--quantization` says something else than the model's `config.json`",
        "take `--quantization` out of the command: the model says it itself",
        "vLLM 0.12.0, vllm/config/model.py:1041",
    ),
    LogMessage::new(
        &["is greater than the derived max_model_len"],
        "`--max-model-len` asks for more context than the model was made for",
        "lower `--max-model-len` to what the line says",
        "vLLM 0.12.0, vllm/config/model.py",
    ),
    LogMessage::new(
        &["trust_remote_code=True"],
        "the model comes with code of its own, which was not allowed to run",
        "read that code, then add `--trust-remote-code`",
        "transformers 4.57.6, dynamic_module_utils.py",
    ),
    LogMessage::new(
        &["You are trying to access a gated repo"],
        "the model is gated, and the token has no access to it",
        "accept the licence on the model's page and pass `HF_TOKEN` to the service",
        "transformers 4.57.6, utils/hub.py",
    ),
    LogMessage::new(
        &["Invalid repository ID or local directory specified"],
        "the path of the model is no folder in the container, so it was taken for a repository",
        "mount the models where the command expects them",
        "vLLM 0.12.0, vllm/transformers_utils/config.py",
    ),
    LogMessage::new(
        &["Repo id must be in the form"],
        "the path of the model is no folder in the container, so it was taken for a repository",
        "mount the models where the command expects them",
        "huggingface_hub, utils/_validators.py",
    ),
    LogMessage::new(
        &["Could not detect config format for no config file found"],
        "there is no `config.json` in the model's folder",
        "bring the whole folder, or correct the path",
        "vLLM 0.12.0, vllm/transformers_utils/config.py",
    ),
    LogMessage::new(
        &["is not a valid JSON file"],
        "a configuration of the model is damaged",
        "download the file that the line names again",
        "transformers 4.57.6, configuration_utils.py",
    ),
    LogMessage::new(
        &["containing a preprocessor_config.json file"],
        "the model takes images, and its `preprocessor_config.json` is not there",
        "bring `preprocessor_config.json` as well",
        "transformers 4.57.6, image_processing_base.py",
    ),
    LogMessage::new(
        &["MetadataIncompleteBuffer"],
        "a file of weights is cut off",
        "download it again: `preflight fetch`",
        "safetensors, src/tensor.rs",
    ),
    LogMessage::new(
        &["unrecognized arguments"],
        "this release of vLLM does not know a flag of the command",
        "take the flag out, or the image of the release that has it",
        "Python, argparse.py",
    ),
    LogMessage::new(
        &["No space left on device"],
        "the disk, or `/dev/shm`, is full",
        "free space, or raise `shm_size` (or set `ipc: host`)",
        "Linux, ENOSPC",
    ),
    LogMessage::new(
        &["Permission denied"],
        "the service's user may not open something",
        "let the service's user read what the line names",
        "Linux, EACCES",
    ),
];
