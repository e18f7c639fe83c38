#!/bin/bash
# Replay the same traces with several builds of llmsim, and with both engines of the first: the result
# files have to be the same bytes. Traces: the one that ships, and Azure's in traces/ of $LLMSIM_SHARED
# (else of ../shared beside the source tree), where it is there.
# usage: identity.sh PROGRAM PROGRAM...
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
shared=${LLMSIM_SHARED:-$source/../shared}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LLMSIM_DATA=$source/data

hashes() { # TRACE PROGRAM ENGINE: SHA-256 of each result file
    rm -rf "$scratch/results"
    "$2" replay "$1" --engine "$3" --model meta-llama/Llama-2-13b-hf --gpu a6000 --steps \
        --output "$scratch/results" >/dev/null
    (cd "$scratch/results" && sha256sum -- *)
}

compare() { # TRACE PROGRAM ENGINE
    hashes "$@" >"$scratch/other"
    diff "$scratch/first" "$scratch/other" || {
        echo "${1##*/}: $2 ($3) does not write what the first one wrote" && exit 1
    }
}

for trace in "$source/traces/azure_conv_like.csv" \
    "$shared/traces/AzureLLMInferenceTrace_conv.csv"; do
    # The one in traces/ ships with us; the public ones do not.
    if ! [ -e "$trace" ] && [ "${trace%/*}" != "$source/traces" ]; then
        echo "skipped: ${trace##*/} is not there (scripts/fetch_traces.sh fetches the public ones)"
        continue
    fi
    hashes "$trace" "$1" fast >"$scratch/first"
    compare "$trace" "$1" step
    for program in "${@:2}"; do
        compare "$trace" "$program" fast
    done
    echo "${trace##*/}: $# builds and both engines write the same bytes"
    sed 's/^/  /' "$scratch/first"
done
