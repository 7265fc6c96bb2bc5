//! Devices that a command names, and that an image for the processor alone does not have (common/arg.cpp
//! `parse_device_list`, `parse_tensor_buffer_overrides`; build 11669 was asked).

use crate::plan::engine::arguments::{Arguments, Setting};
use crate::plan::engine::image::Image;
use crate::plan::engine::llama_cpp::memory;
use crate::plan::engine::reading::Reading;
use crate::plan::engine::{Complaint, GpuUse, Refusal};

/// Since when the code for devices of NVIDIA cannot cut matrices by rows (#24216, #27465; b9888 can), and the newest
/// build that was asked.
const CUTS_NO_ROWS_SINCE: u32 = 9890;
const ASKED: u32 = 11_669;

/// The device in the value of a flag; absent: it names none.
type DeviceIn = fn(&str) -> Option<&str>;

/// Complains of them. Those of other machines are devices as well.
pub(super) fn judge(arguments: &Arguments, reading: &mut Reading<'_>, image: Option<&Image>) {
    cut_by_rows(arguments, reading, image);
    let of_others = ["--rpc"];
    let is_alone = reading.setting(arguments, &of_others, &["LLAMA_ARG_RPC"]).is_none();
    if !memory::is_for_processor(image) || !is_alone {
        return;
    }
    let flags: [(&str, &str, DeviceIn); 4] = [
        ("--device", "LLAMA_ARG_DEVICE", named),
        ("--device-draft", "", named),
        ("--override-tensor", "LLAMA_ARG_OVERRIDE_TENSOR", buffer),
        ("--split-mode", "LLAMA_ARG_SPLIT_MODE", cut),
    ];
    for (flag, variable, of) in flags {
        let Some(said) = reading.setting(arguments, &[flag], &[variable]) else { continue };
        let Some(device) = said.text().and_then(of) else { continue };
        let refusal = Refusal {
            why: format!(
                "`{}` asks for {device}, and this image is built for the processor alone: llama.cpp \
                 exits",
                said.by
            ),
            fix: format!("take an image that is built for devices, or leave `{}` out", said.by),
            is_certain: true,
        };
        reading.complain(Complaint::Refused(refusal), &said.word.place);
    }
}

/// That matrices are to be cut by rows between devices that cannot do it (libllama 0.6.0 `src/llama-model.cpp`
/// `make_gpu_buft_list`).
fn cut_by_rows(arguments: &Arguments, reading: &mut Reading<'_>, image: Option<&Image>) {
    let setting = |flag: &str, variable: &str| reading.setting(arguments, &[flag], &[variable]);
    let Some(mode) = setting("--split-mode", "LLAMA_ARG_SPLIT_MODE") else { return };
    let devices = setting("--device", "LLAMA_ARG_DEVICE");
    let has_none = devices.as_ref().and_then(Setting::text) == Some("none");
    let build = reading.invocation.build();
    let is_older = build.is_some_and(|build| build < CUTS_NO_ROWS_SINCE);
    if mode.text() != Some("row") || has_none || is_older || !memory::is_for_nvidia(image) {
        return;
    }
    let refusal = Refusal {
        why: format!(
            "`{} row` cuts matrices by rows, which llama.cpp cannot do on CUDA since build \
             {CUTS_NO_ROWS_SINCE}: it exits (`device CUDA0 does not support split buffers`)",
            mode.by
        ),
        fix: format!(
            "write `--split-mode tensor` or `--split-mode layer`, or pin the image to a build before \
             {CUTS_NO_ROWS_SINCE}"
        ),
        is_certain: reading.invocation.stock && build.is_some_and(|build| build <= ASKED),
    };
    reading.complain(Complaint::Refused(refusal), &mode.word.place);
}

/// What it makes of a GPU. The images for those of NVIDIA load the code for them when it starts, and go on
/// without it where no driver is found (.devops/cuda.Dockerfile at 00d6946, `GGML_BACKEND_DL`).
pub(super) fn gpu(arguments: &Arguments, reading: &Reading<'_>, image: Option<&Image>) -> GpuUse {
    if memory::is_for_processor(image) {
        return GpuUse::Unused { instead: "`ghcr.io/ggml-org/llama.cpp:server-cuda`" };
    }
    let says = |flag: &str, variable: &str, nothing: &str| {
        let said = reading.setting(arguments, &[flag], &[variable]);
        said.as_ref().and_then(Setting::text) == Some(nothing)
    };
    let has_no_layer = says("--gpu-layers", "LLAMA_ARG_N_GPU_LAYERS", "0");
    let has_none = has_no_layer || says("--device", "LLAMA_ARG_DEVICE", "none");
    if memory::is_for_nvidia(image) && !has_none { GpuUse::Taken } else { GpuUse::Unknown }
}

/// A device in a list of them.
fn named(text: &str) -> Option<&str> {
    text.split(',').map(str::trim).find(|name| !name.is_empty() && *name != "none")
}

/// The device of a pattern of names.
fn buffer(text: &str) -> Option<&str> {
    text.split(',').filter_map(|entry| Some(entry.split_once('=')?.1)).find(|name| *name != "CPU")
}

fn cut(text: &str) -> Option<&str> {
    (text == "tensor").then_some("devices to cut tensors between")
}
