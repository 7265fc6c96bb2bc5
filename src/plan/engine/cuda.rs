//! Lines that a program ends with which finds no GPU, whichever engine it is: those of NVIDIA's
//! libraries and of PyTorch.

use crate::plan::engine::LogMessage;

pub(super) static MESSAGES: &[LogMessage] = &[
    LogMessage::new(
        &["NVML", "Unknown Error"],
        "its container has lost the GPUs: `systemctl daemon-reload` on the host takes them from \
         containers that run",
        "make the container anew; to have it last, ask for the GPUs with `driver: cdi`, or set \
         `\"exec-opts\": [\"native.cgroupdriver=cgroupfs\"]` in `/etc/docker/daemon.json`",
        "NVIDIA, nvml.h (NVML_ERROR_UNKNOWN)",
    ),
    LogMessage::new(
        &["No CUDA GPUs are available"],
        "it sees no GPU: none is handed in, or `CUDA_VISIBLE_DEVICES` names none that is there",
        "give the service a GPU (`gpus: all`), and take `CUDA_VISIBLE_DEVICES` out",
        "PyTorch, c10/cuda/CUDAFunctions.cpp",
    ),
];
