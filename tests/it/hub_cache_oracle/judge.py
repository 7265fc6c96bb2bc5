"""What vLLM and SGLang do offline with repositories in a cache of the hub: a line of JSON asks for
one, and a line answers with what was raised, or null. The first line of the answers names the
release of the library.

vLLM 0.12.0 and 0.33.0, engine/arg_utils.py `EngineArgs.__post_init__`: with HF_HUB_OFFLINE the model
and the tokenizer become the folder that transformers_utils/repo_utils.py `get_model_path` finds;
since 0.25.0 that asks for no file of it.
"""

import glob
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import huggingface_hub
from huggingface_hub import hf_hub_download, snapshot_download
from safetensors import safe_open
from transformers import AutoConfig, AutoTokenizer

OLD = huggingface_hub.__version__.startswith("0.")


def model(asked):
    """The whole of a model, under its folder or under its name."""
    patterns = {} if OLD else {"ignore_patterns": "*"}
    folder = snapshot_download(**asked, local_files_only=True, **patterns)
    # The name of a model type anywhere in the path stands in for one that is missing.
    os.chdir(folder)
    AutoConfig.from_pretrained(".")
    if not AutoTokenizer.from_pretrained(".").encode("a word"):
        raise ValueError("it makes no tokens")
    weights(folder)


def named(asked):
    """A model of SGLang 0.5.23, which keeps its name: configuration and tokenizer are asked for file
    by file, and of weights only what is not there (srt/model_loader/weight_utils.py
    `download_weights_from_hf`, srt/utils/common.py `find_local_repo_dir`)."""
    where = {"revision": asked["revision"] or "main", "cache_dir": asked["cache_dir"]}
    AutoConfig.from_pretrained(asked["repo_id"], **where)
    if not AutoTokenizer.from_pretrained(asked["repo_id"], **where).encode("a word"):
        raise ValueError("it makes no tokens")
    repository = os.path.join(asked["cache_dir"], "models--" + asked["repo_id"].replace("/", "--"))
    reference = os.path.join(repository, "refs", where["revision"])
    commit = asked["revision"] or ""
    if os.path.isfile(reference):
        with open(reference) as text:
            commit = text.read().strip()
    folder = os.path.join(repository, "snapshots", commit)
    if not commit or not glob.glob(os.path.join(folder, "*.safetensors")):
        patterns = ["*.safetensors", "*.bin"]
        folder = snapshot_download(**asked, allow_patterns=patterns, local_files_only=True)
    weights(folder)


def texts_of_adapter(asked):
    """srt/lora/lora_config.py of SGLang 0.5.23."""
    folder = snapshot_download(**asked, allow_patterns=["*.json"])
    with open(os.path.join(folder, "adapter_config.json")) as text:
        json.load(text)


def weights(folder):
    """model_executor/model_loader: default_loader.py `_prepare_weights`, and weight_utils.py
    `filter_duplicate_safetensors_files`. What an index names and is not there is weights that are
    never filled, on which vLLM ends."""
    files = glob.glob(os.path.join(folder, "*.safetensors"))
    index = os.path.join(folder, "model.safetensors.index.json")
    mapped = {}
    if files and os.path.isfile(index):
        with open(index) as text:
            mapped = json.load(text)["weight_map"]
        files = [os.path.join(folder, name) for name in set(mapped.values())]
    if not files:
        raise RuntimeError("Cannot find any model weights")
    for file in files:
        with safe_open(file, framework="np") as opened:
            held = set(opened.keys())
        name = os.path.basename(file)
        lost = [tensor for tensor, where in mapped.items() if where == name and tensor not in held]
        if lost:
            raise KeyError(f"{lost[0]} is not in {name}")


def adapter(asked):
    """lora/utils.py `get_adapter_absolute_path`, and lora/lora_model.py `from_local_checkpoint`."""
    folder = snapshot_download(**asked)
    with open(os.path.join(folder, "adapter_config.json")) as text:
        json.load(text)
    with safe_open(os.path.join(folder, "adapter_model.safetensors"), framework="np") as opened:
        list(opened.keys())


def draft(asked):
    """A draft keeps its name: config/speculative.py, and model_executor/model_loader:
    weight_utils.py `download_weights_from_hf`. Since 0.28.0 its commit is looked for first:
    config/model.py, and transformers_utils/repo_utils.py `resolve_revision`."""
    if not OLD:
        commit = huggingface_hub.HfApi().resolve_revision(**asked, local_files_only=True)
        asked = {**asked, "revision": commit}
    where = {"revision": asked["revision"], "cache_dir": asked["cache_dir"]}
    AutoConfig.from_pretrained(asked["repo_id"], local_files_only=True, **where)
    for pattern in ["*.safetensors", "*.bin"]:
        folder = snapshot_download(
            **asked, allow_patterns=pattern, ignore_patterns=["original/**/*"], local_files_only=True
        )
        if glob.glob(os.path.join(folder, pattern)):
            break
    try:
        hf_hub_download(
            asked["repo_id"], "model.safetensors.index.json", local_files_only=True, **where
        )
    except huggingface_hub.errors.LocalEntryNotFoundError:
        pass
    weights(folder)


QUESTIONS = {
    "model": model,
    "adapter": adapter,
    "draft": draft,
    "named": named,
    "texts-of-adapter": texts_of_adapter,
}

print(json.dumps(huggingface_hub.__version__), flush=True)
for line in sys.stdin:
    question, asked = json.loads(line)
    try:
        QUESTIONS[question](asked)
        answer = None
    except BaseException as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), flush=True)
