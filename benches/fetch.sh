#!/usr/bin/env bash
# Fetches 2 GB in one file, then 500 small files, from one local server: with preflight, and with
# the tools that people use instead, each followed by what it takes to know that the bytes are the
# right ones; `curl` once more with what it takes to have them survive a power cut, as preflight's
# do. One run, side by side; nothing is in the target folder before.
#
#   benches/fetch.sh [BINARY]           the preflight to measure; target/dist/preflight
#
#   PREFLIGHT_BENCH_FOLDER   where everything is written: 5 GB; a folder below /tmp. On /dev/shm the
#                            programs are measured without a disk
#   PREFLIGHT_BENCH_RUNS     of each: 3
#   PREFLIGHT_BENCH_HF       the `hf` of Python's huggingface_hub; found in PATH
#
# Needs cargo, nginx, hyperfine, aria2c, curl, openssl, python3. The hub is tests/fake-hub, the bytes
# come from nginx.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$(realpath "${1:-target/dist/preflight}")
runs=${PREFLIGHT_BENCH_RUNS:-3}
hf=${PREFLIGHT_BENCH_HF:-hf}
if [[ -n ${PREFLIGHT_BENCH_FOLDER:-} ]]; then
    work=$(mktemp -d -p "$PREFLIGHT_BENCH_FOLDER")
else
    work=$(mktemp -d)
fi
hub_pid='' nginx_pid=''
clean() {
    [[ -z $hub_pid ]] || kill "$hub_pid" 2>/dev/null || true
    [[ -z $nginx_pid ]] || kill "$nginx_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT

cargo build --quiet --locked -p fake-hub
fake_hub=$(realpath target/debug/fake-hub)

python3 - "$work" examples/quickstart/models/vllm/tiny/bf16 <<'PYTHON'
"""Writes the two repositories: valid safetensors models of random bytes."""
import json, os, pathlib, shutil, sys

root, tiny = pathlib.Path(sys.argv[1], "root", "acme"), pathlib.Path(sys.argv[2])


def model(name, count, size):
    folder = root / name
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
            left = size
            while left:
                left -= out.write(os.urandom(min(left, 1 << 24)))
    index = {"metadata": {}, "weight_map": weights}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


model("big", 1, 2_000_000_000)
model("many", 500, 40_000)
PYTHON

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
hub_port=$(free_port) cdn_port=$(free_port)
cat >"$work/nginx.conf" <<NGINX
daemon off;
pid $work/nginx.pid;
error_log $work/nginx.log;
worker_processes auto;
events {}
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path $work/nginx-tmp;
    proxy_temp_path $work/nginx-tmp;
    fastcgi_temp_path $work/nginx-tmp;
    uwsgi_temp_path $work/nginx-tmp;
    scgi_temp_path $work/nginx-tmp;
    server {
        listen 127.0.0.1:$cdn_port;
        location ~ ^/[0-9a-f]+/(.*)\$ { alias $work/root/\$1; }
    }
}
NGINX
chmod 755 "$work"
nginx -p "$work" -e "$work/nginx.log" -c "$work/nginx.conf" &
nginx_pid=$!
endpoint=http://127.0.0.1:$hub_port
"$fake_hub" --root "$work/root" --listen "127.0.0.1:$hub_port" \
    --cdn-url "http://127.0.0.1:$cdn_port" >"$work/hub.log" &
hub_pid=$!
until curl -sf "$endpoint/api/models/acme/many" >/dev/null && curl -s "http://127.0.0.1:$cdn_port/" >/dev/null; do
    kill -0 "$hub_pid"
done

mkdir -p "$work/stack"
cat >"$work/stack/compose.yaml" <<COMPOSE
services:
  vllm:
    image: vllm/vllm-openai:v0.12.0
    command: --model /models/\${REPOSITORY}
    volumes: ["$work/target:/models"]
    labels: {preflight.source: "hf://acme/\${REPOSITORY}"}
COMPOSE
target=$work/target

# What each tool does about one repository, into an empty $target.
of_preflight() {
    echo "env -C $work/stack REPOSITORY=$1 HF_ENDPOINT=$endpoint PREFLIGHT_NO_DOCKER=true $binary fetch --progress none"
}
of_hf() {
    echo "env HF_ENDPOINT=$endpoint HF_HOME=$work/hf-home HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_PROGRESS_BARS=1 sh -c '$hf download acme/$1 --local-dir $target/$1 && $hf cache verify acme/$1 --local-dir $target/$1'"
}
for repository in big many; do
    curl -s "$endpoint/api/models/acme/$repository" |
        python3 -c 'import json, sys; print("\n".join(f["rfilename"] for f in json.load(sys.stdin)["siblings"]))' \
            >"$work/$repository.files"
    sed "s|^\(.*\)\$|$endpoint/acme/$repository/resolve/main/\1\n  out=\1|" \
        "$work/$repository.files" >"$work/$repository.aria2"
    sed "s|^\(.*\)\$|url = \"$endpoint/acme/$repository/resolve/main/\1\"\noutput = \"\1\"|" \
        "$work/$repository.files" >"$work/$repository.curl"
    (cd "$work/root/acme/$repository" && sha256sum -- *) >"$work/$repository.sha256"
done
of_aria2() {
    echo "sh -c 'aria2c -q -x8 -s8 -j8 -d $target/$1 -i $work/$1.aria2 && cd $target/$1 && sha256sum --quiet -c $work/$1.sha256'"
}
of_curl() {
    echo "sh -c 'mkdir -p $target/$1 && cd $target/$1 && curl -sSL --parallel --parallel-max 8 -K $work/$1.curl && openssl dgst -sha256 -r * | cmp - $work/$1.openssl${2:-}'"
}
for repository in big many; do
    (cd "$work/root/acme/$repository" && openssl dgst -sha256 -r -- *) >"$work/$repository.openssl"
done

mkdir -p "$target"
for repository in big many; do
    hyperfine --warmup 0 --runs "$runs" --style basic \
        --prepare "rm -rf $target/$repository $work/hf-home; sync" \
        --export-markdown "$work/$repository.md" \
        --command-name "preflight fetch" "$(of_preflight "$repository")" \
        --command-name "hf download + hf cache verify" "$(of_hf "$repository")" \
        --command-name "aria2c -x8 + sha256sum" "$(of_aria2 "$repository")" \
        --command-name "curl + openssl dgst" "$(of_curl "$repository")" \
        --command-name "curl + openssl dgst + sync" "$(of_curl "$repository" " && sync -- * .")"
    echo
    cat "$work/$repository.md"
done
