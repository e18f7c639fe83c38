#!/bin/bash
# Install what is missing, build llmsim, replay an hour of chat traffic, and draw its latencies.
#
# The trace has 5.5 requests/s, more than one RTX A6000 can serve; --rate-scale spreads the hour over six
# and a half. KV memory has no limit here (README.md says what --kv-cache paged changes).
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh demo

log=build/demo.log
mkdir -p build
echo "== building build/demo/llmsim"
if ! { cmake --preset demo && cmake --build --preset demo --parallel "$(nproc)"; } >$log 2>&1; then
    tail -n 60 $log
    echo "all of it is in $log"
    exit 1
fi

run=(build/demo/llmsim replay traces/azure_conv_like.csv --model meta-llama/Llama-2-13b-hf
    --gpu a6000 --rate-scale 0.15 --steps --output results/demo)
echo "== ${run[*]}"
"${run[@]}"
build/demo/llmsim plot results/demo
