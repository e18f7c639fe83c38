#!/bin/bash
# kill -9 at random moments: no point is lost, none is done twice, and the table is that of a sweep
# which nobody disturbed.
# usage: sweep_kill.sh PROGRAM SOURCE_DIR [KILLS]
set -euo pipefail
program=$1 source=$2 kills=${3:-20}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LLMSIM_DATA=$source/data LC_ALL=C
RANDOM=17 # the moments; what runs meanwhile is left to chance
# The step engine, so that there is something to interrupt.
options=(--trace "$source/traces/azure_code_like.csv" --limit 500 --engine step
    --model meta-llama/Llama-2-13b-hf --gpu a6000 --policy "continuous,mixed,static"
    --max-num-seqs "$(seq -s "," 2 2 80)" --jobs 2)
n_points=120

begin=$(date +%s%N)
"$program" sweep "${options[@]}" --output "$scratch/whole" >/dev/null
whole_ms=$((($(date +%s%N) - begin) / 1000000))

n_killed=0 n_ended=0 before=0
for ((i = 0; i < kills; i++)); do
    "$program" sweep "${options[@]}" --output "$scratch/killed" >/dev/null 2>&1 &
    pid=$!
    ms=$((RANDOM % (whole_ms / 3 + 1) + 5))
    sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
    if kill -9 $pid 2>/dev/null; then
        n_killed=$((n_killed + 1))
    fi
    wait $pid 2>/dev/null || true
    # What was finished stays finished, in whole lines.
    now=0
    [ ! -e "$scratch/killed/journal" ] || now=$(wc -l <"$scratch/killed/journal")
    if [ "$now" -lt "$before" ]; then
        echo "kill $i: $before lines were in the journal, now there are $now" && exit 1
    fi
    before=$now
    if [ -e "$scratch/killed/sweep.csv" ]; then # it has ended: begin another
        cmp "$scratch/whole/sweep.csv" "$scratch/killed/sweep.csv"
        n_ended=$((n_ended + 1)) before=0
        rm -r "$scratch/killed"
    elif [ -e "$scratch/killed/journal" ] && [ $((i % 4)) = 3 ]; then # as a crash of the machine would leave the end of the file
        printf '7 0 0123' >>"$scratch/killed/journal"
    fi
done
"$program" sweep "${options[@]}" --output "$scratch/killed" >/dev/null 2>&1
cmp "$scratch/whole/sweep.csv" "$scratch/killed/sweep.csv"
n_lines=$(wc -l <"$scratch/killed/journal")
n_different=$(cut -d' ' -f1 "$scratch/killed/journal" | sort -un | wc -l)
if [ "$n_lines" != $n_points ] || [ "$n_different" != $n_points ]; then
    echo "$n_lines lines of $n_different points; expected $n_points of each" && exit 1
fi
if [ "$n_killed" -lt $((kills / 2)) ]; then
    echo "only $n_killed of $kills could be killed: the sweep is too short for this test" && exit 1
fi
echo "$n_killed kills, $n_ended sweeps that ended meanwhile: nothing lost, nothing repeated"
