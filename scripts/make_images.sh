#!/bin/bash
# Draw the pictures of docs/images anew, from runs on the shipped traces.
# usage: make_images.sh [LLMSIM]      (default: build/release/llmsim)
set -euo pipefail
cd "$(dirname "$0")/.."
llmsim=$(realpath "${1:-build/release/llmsim}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LLMSIM_DATA=$PWD/data
options=(--model meta-llama/Llama-2-13b-hf --gpu a6000 --kv-cache paged)

"$llmsim" replay traces/azure_conv_like.csv "${options[@]}" --rate-scale 0.06 --steps \
    --output "$scratch/replay" >"$scratch/table"
"$llmsim" plot "$scratch/replay" --requests 1,17,9000
"$llmsim" sweep --trace traces/azure_conv_like.csv "${options[@]}" --policy continuous,mixed \
    --max-num-seqs 4,8,16,32,64 --rate-scale 0.02,0.04,0.06,0.08 --output "$scratch/sweep"
"$llmsim" plot "$scratch/sweep"

mkdir -p docs/images
cp "$scratch"/replay/plots/*.png docs/images/
cp "$scratch"/sweep/plots/{axis_rate_scale,pareto}.png docs/images/
