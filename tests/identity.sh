#!/bin/bash
# Replay the same traces with several builds of llmsim: the result files have to be the same bytes.
# usage: identity.sh PROGRAM PROGRAM...
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
shared=${LLMSIM_SHARED:-$source/../shared}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LLMSIM_DATA=$source/data

hashes() { # PROGRAM TRACE: SHA-256 of each result file
    rm -rf "$scratch/results"
    "$1" replay "$2" --model meta-llama/Llama-2-13b-hf --gpu a6000 --steps \
        --output "$scratch/results" >/dev/null
    (cd "$scratch/results" && sha256sum -- *)
}

for trace in "$source/traces/azure_conv_like.csv" \
    "$shared/traces/AzureLLMInferenceTrace_conv.csv"; do
    if ! [ -e "$trace" ]; then
        echo "skipped: ${trace##*/} is not there (scripts/fetch_traces.sh fetches the public ones)"
        continue
    fi
    hashes "$1" "$trace" >"$scratch/first"
    for program in "${@:2}"; do
        hashes "$program" "$trace" >"$scratch/other"
        diff "$scratch/first" "$scratch/other" || {
            echo "${trace##*/}: $1 and $program write different files" && exit 1
        }
    done
    echo "${trace##*/}: $# builds write the same bytes"
    sed 's/^/  /' "$scratch/first"
done
