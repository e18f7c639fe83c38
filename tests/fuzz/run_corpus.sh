#!/bin/bash
# Run a fuzz target over its seeds and over what fuzzing has found.
# usage: run_corpus.sh PROGRAM TARGET
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
"$here/seeds.sh" "$2" "$seeds"
inputs=("$seeds")
if [ -d "$here/corpus/$2" ]; then
    inputs+=("$here/corpus/$2")
fi
"$1" "${inputs[@]}"
