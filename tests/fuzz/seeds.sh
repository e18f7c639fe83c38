#!/bin/bash
# Make the seeds of a fuzz target from the small files of the tree: each gets the bytes in front
# that choose the settings. What fuzzing found, and what has no file elsewhere, is in corpus/TARGET.
# usage: seeds.sh TARGET DIR
set -euo pipefail
target=$1 dir=$2
here=$(cd "$(dirname "$0")" && pwd)
tests=$(dirname "$here")
mkdir -p "$dir"

seed() { # NAME PREFIX FILE: PREFIX in printf's notation
    # shellcheck disable=SC2059
    { printf "$2" && cat "$3"; } >"$dir/$1"
}
small() { # files of DIRECTORY with one of the endings: at most 2 KB
    find "$1" -maxdepth "${3-1}" -type f -size -5 -regex ".*\.\($2\)" | sort
}
traces() { small "$tests/formats" 'csv\|jsonl' && small "$tests/malformed" 'csv\|jsonl\|gz\|zst'; }

case $target in
trace)
    for file in $(traces); do
        seed "$(basename "$file")" '\000\007' "$file"
        seed "skip_$(basename "$file")" '\013\001' "$file"
    done
    ;;
replay)
    n=0
    for file in $(small "$tests/formats" 'csv\|jsonl') "$here"/texts/trace_*; do
        for seed in 000 101 202 303 044 155; do
            seed "$((n += 1))_$(basename "$file")" "\\$seed\\$seed\\007" "$file"
        done
    done
    ;;
validate)
    n=0
    for file in "$here"/texts/measured_*; do
        for seed in 000 101 202 303 044 155; do
            seed "$((n += 1))_$(basename "$file")" "\\$seed\\$seed\\003" "$file"
        done
    done
    ;;
profile)
    for file in "$here"/texts/profile_*; do
        seed "$(basename "$file")" '0' "$file"
        seed "fit_$(basename "$file")" 'f' "$file"
    done
    ;;
catalogue)
    number=0
    for file in "$here"/texts/gpu.json "$here"/texts/model.json "$here"/texts/ptps.json; do
        seed "$(basename "$file")" "\\00$number" "$file"
        seed "put_$(basename "$file")" "\\10$((number++ == 0 ? 2 : number - 2))" "$file"
    done
    ;;
config)
    for file in $(small "$tests/data/configs" json 2); do
        seed "$(basename "$file")" '\004' "$file"
    done
    file=$(mktemp)
    cat "$tests/data/configs/meta-llama/Llama-2-7b-hf.json" >"$file"
    printf '\377{"metadata": {"total_size": 13476839424}, "weight_map": {"a": "b"}}' >>"$file"
    seed index '\004' "$file"
    rm "$file"
    ;;
spec)
    for file in "$here"/texts/spec_*; do
        seed "$(basename "$file")" '' "$file"
    done
    ;;
journal)
    for file in "$here"/texts/journal_*; do
        seed "$(basename "$file")" '\002' "$file"
    done
    for file in "$here"/texts/manifest_*; do
        seed "$(basename "$file")" '\001' "$file"
    done
    ;;
*)
    echo "unknown target $target" >&2
    exit 2
    ;;
esac
