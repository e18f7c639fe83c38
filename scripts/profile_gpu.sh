#!/bin/bash
# Profile this machine's GPU: build, self-test, bandwidth, then prefill and decode steps of models.
# What comes out is in data/profiles/DEVICE/, and the GPU's entry in data/gpu.json; commit both.
#
# usage: profile_gpu.sh [--device N] [CONFIG.json...]
#
# A CONFIG is a Hugging Face config.json whose _name_or_path is in data/model.json. Without any, those
# of Llama 3.1 8B, Llama 2 13B and 70B, and Qwen 2.5 7B under tests/data/configs. Clocks, power limits
# and the like are taken as they are, and noted.
set -euo pipefail
cd "$(dirname "$0")/.."
configs=()
device=0
while [ $# -gt 0 ]; do
    case $1 in
    --device) device=$2 && shift ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) configs+=("$1") ;;
    esac
    shift
done
if [ ${#configs[@]} = 0 ]; then
    for name in meta-llama/Llama-3.1-8B meta-llama/Llama-2-13b-hf meta-llama/Llama-2-70b-hf \
        Qwen/Qwen2.5-7B; do
        configs+=("tests/data/configs/$name.json")
    done
fi

stage() { echo "== $* (${SECONDS} s)" >&2; }

stage "build"
cmake -S . -B build/profile -G Ninja -DCMAKE_BUILD_TYPE=Release -DLLMSIM_TESTS=OFF \
    -DLLMSIM_CUDA=ON >/dev/null
cmake --build build/profile --parallel "$(nproc)" --target llmsim >/dev/null
llmsim() { build/profile/llmsim "$@"; }

stage "self-test and bandwidth"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
llmsim profile gpu --device "$device" --self-test --data data >"$scratch/gpu.txt"
cat "$scratch/gpu.txt"
name=$(sed -n 's/^GPU  *//p' "$scratch/gpu.txt")
directory=data/profiles/$(tr ' /' '__' <<<"$name")
mkdir -p "$directory"
cp "$scratch/gpu.txt" "$directory/gpu.txt"
{
    date -u +'date %Y-%m-%dT%H:%M:%SZ'
    nvidia-smi -i "$device" \
        -q -d CLOCK,POWER,PERFORMANCE,ECC,TEMPERATURE || echo "nvidia-smi is not there"
} >"$directory/device.txt"

for config in "${configs[@]}"; do
    model=$(sed -n 's/.*"_name_or_path" *: *"\([^"]*\)".*/\1/p' "$config")
    [ -n "$model" ] || { echo "$config has no _name_or_path" >&2 && exit 2; }
    for phase in prompt decode; do
        stage "$model, $phase"
        llmsim profile "$phase" --model "$model" --config "$config" --device "$device" --data data \
            --output "$directory/${model##*/}.$phase.csv"
    done
done
stage "done: $directory"
