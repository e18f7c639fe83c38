#!/bin/bash
# Twenty that change one catalogue at once: every entry is there afterwards. Also where the file system
# locks as NFS does.
# usage: at_once.sh LLMSIM FAULTS.so SOURCE_DIR
set -euo pipefail
llmsim=$(realpath "$1") faults=$(realpath "$2") source=$(realpath "$3")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
config=$source/tests/data/configs/mistralai/Mixtral-8x7B-v0.1.json

add_all() { # COMMAND...
    local pids=()
    for i in $(seq 20); do
        "$@" profile model --config "$config" --name "me/model-$i" --data data >"said.$i" 2>&1 &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || { cat said.* >&2 && exit 1; }
    done
    [ "$(grep -c '"me/model-[0-9]*"' data/model.json)" = 20 ] ||
        { echo "of 20 entries there are $(grep -c '"me/model-' data/model.json)" >&2 && exit 1; }
    "$llmsim" simulate --model me/model-20 --gpu a6000 --data data --prompt-length 10 \
        --response-length 2 --ptps 1000 >/dev/null
}
cp -r "$source/data" data
add_all "$llmsim"
[ -z "$(find data -newer said.1 -name '*llmsim*')" ]
rm -rf data
cp -r "$source/data" data
add_all env LD_PRELOAD="$faults" LLMSIM_FAULT_LOCKS=nfs "$llmsim"
[ -e data/.llmsim.lock ] # else nothing was locked in that way
# One that nobody lets lock anything, be it for good, ends all the same; alone, it may.
for locks in held none; do
    LD_PRELOAD="$faults" LLMSIM_FAULT_LOCKS=$locks "$llmsim" profile model --config "$config" \
        --name me/$locks --data data >said
    grep -q "\"me/$locks\"" data/model.json
done
printf 'arrival_s,prompt_tokens,output_tokens\n0,100,4\n' >trace.csv
LD_PRELOAD="$faults" LLMSIM_FAULT_LOCKS=held "$llmsim" replay trace.csv --model me/held --gpu a6000 \
    --data data --ptps 1000 --output out >said
[ "$(find out -type f | wc -l)" = 3 ]
echo "all entries are there"
