#!/usr/bin/env bash
# Verifies what is on the disk: every byte of 4 files of 500 MB against preflight.lock, beside the
# programs that only hash; then the same again, which stamps make cheap; then the headers of ten
# models that are 500 GB together, sparse. One run, side by side, everything in the page cache.
#
#   benches/verify.sh [BINARY]          the preflight to measure; target/dist/preflight
#
#   PREFLIGHT_BENCH_FOLDER   where everything is written: 2 GB; a folder below /tmp
#   PREFLIGHT_BENCH_RUNS     of each: 5
#
# Needs hyperfine, openssl, python3.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$(realpath "${1:-target/dist/preflight}")
runs=${PREFLIGHT_BENCH_RUNS:-5}
if [[ -n ${PREFLIGHT_BENCH_FOLDER:-} ]]; then
    work=$(mktemp -d -p "$PREFLIGHT_BENCH_FOLDER")
else
    work=$(mktemp -d)
fi
trap 'rm -rf "$work"' EXIT

python3 - "$work" examples/quickstart/models/vllm/tiny/bf16 <<'PYTHON'
"""Writes two projects: one model of random bytes with its lock file, and ten sparse ones."""
import hashlib, json, os, pathlib, shutil, sys

work, tiny = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


def model(folder, count, size, random):
    folder.mkdir(parents=True)
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny / file, folder)
    weights = {}
    for number in range(1, count + 1):
        shard = f"model-{number:05}-of-{count:05}.safetensors"
        weights[f"t{number}"] = shard
        tensor = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
        header = json.dumps({f"t{number}": tensor}).encode()
        header += b" " * (-len(header) % 8)
        with open(folder / shard, "wb") as out:
            out.write(len(header).to_bytes(8, "little") + header)
            if not random:
                out.truncate(out.tell() + size)
            for _ in range(0, size if random else 0, 1 << 20):
                out.write(os.urandom(1 << 20))
    index = {"metadata": {}, "weight_map": weights}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def pinned(path):
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": path.stat().st_size, "sha256": digest}


def service(name):
    return (f"  {name}:\n    image: vllm/vllm-openai:v0.12.0\n    command: --model /models/{name}\n"
            f"    volumes: [./models:/models]\n    labels: {{preflight.source: hf://acme/{name}}}\n")


deep, warm = work / "deep", work / "warm"
model(deep / "models/one", 4, 500 << 20, True)
(deep / "compose.yaml").write_text("services:\n" + service("one"))
files = {path.name: pinned(path) for path in (deep / "models/one").iterdir()}
lane = {"source": "hf://acme/one", "commit": "0" * 40, "files": files}
(deep / "preflight.lock").write_text(json.dumps({"version": 1, "lanes": {"one": lane}}))

names = [f"lane{number}" for number in range(10)]
for name in names:
    model(warm / "models" / name, 10, 5_000_000_000, False)
(warm / "compose.yaml").write_text("services:\n" + "".join(map(service, names)))
PYTHON

files="$work/deep/models/one"
hash_with="printf '%s\\0' $files/*.safetensors | xargs -0 -n 1 -P $(nproc)"
measure() {
    hyperfine --warmup 1 --runs "$runs" --style basic --export-markdown "$work/$1.md" "${@:2}"
    echo
    cat "$work/$1.md"
}
preflight="env PREFLIGHT_NO_DOCKER=true $binary verify --progress none --format json"

measure deep \
    --prepare "rm -rf $files/.cache" \
    --command-name "preflight verify --deep --offline" "$preflight --deep --offline $work/deep" \
    --command-name "openssl dgst -sha256, one process a core" "$hash_with openssl dgst -sha256" \
    --command-name "sha256sum, one process a core" "$hash_with sha256sum"
$preflight --deep --offline "$work/deep" >"$work/stamped.json"
measure warm \
    --command-name "preflight verify --deep, stamped, 2 GB" "$preflight --deep --offline $work/deep" \
    --command-name "preflight verify, 10 lanes of 500 GB" "$preflight $work/warm" \
    --command-name "preflight fit, the same" "${preflight/ verify / fit } --gpus 10x80GB $work/warm || true"
