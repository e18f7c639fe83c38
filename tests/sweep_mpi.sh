#!/bin/bash
# A sweep by mpirun with 4 ranks on this machine: the same table as without. One rank killed: the run
# ends and says so, and the same command goes on.
# usage: sweep_mpi.sh PROGRAM SOURCE_DIR
set -euo pipefail
program=$1 source=$2
export LLMSIM_DATA=$source/data LC_ALL=C
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 # as in a container
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_base_warn_component_unused=0
# After SIGTERM the other ranks finish what they are at, which on a busy machine takes more than the
# one second that mpirun waits by itself.
export OMPI_MCA_odls_base_sigkill_timeout=4
export ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS-} # Open MPI's own
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
options=(--trace "$source/traces/azure_code_like.csv" --limit 6000 --engine step
    --model meta-llama/Llama-2-13b-hf --gpu a6000 --policy "continuous,mixed,static"
    --max-num-seqs "$(seq -s "," 2 2 40)")

links=$(ldd "$program") # not into grep -q, which stops to read, and ldd fails
# Without MPI in the program, or without mpirun, there is one process only.
if ! OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 "$program" sweep --help >/dev/null ||
    [[ $links != *libmpi* ]]; then
    if OMPI_COMM_WORLD_SIZE=2 "$program" sweep "${options[@]}" --output "$scratch/none" 2>"$scratch/err"
    then
        echo "one of several processes, without MPI, should be an error" && exit 1
    fi
    grep -q 'built without MPI' "$scratch/err"
    echo "skipped: the program was built without MPI" && exit 0
fi
command -v mpirun >/dev/null || { echo "skipped: no mpirun" && exit 0; }

"$program" sweep "${options[@]}" --output "$scratch/alone" >/dev/null
timeout 120 mpirun -n 4 "$program" sweep "${options[@]}" --output "$scratch/ranks" >"$scratch/out"
cmp "$scratch/alone/sweep.csv" "$scratch/ranks/sweep.csv"
grep -q '^points         60: 60 ok, 0 failed$' "$scratch/out"

# An error that all ranks meet is said once.
if timeout 60 mpirun -n 4 "$program" sweep "${options[@]}" --output "$scratch/ranks" --slo ttft=1 \
    >/dev/null 2>"$scratch/err"; then
    echo "another sweep's directory should be refused" && exit 1
fi
[ "$(grep -c '^llmsim: ' "$scratch/err")" = 1 ] || { cat "$scratch/err" && exit 1; }

timeout 120 mpirun -n 4 "$program" sweep "${options[@]}" --output "$scratch/killed" \
    >"$scratch/out" 2>"$scratch/err" &
mpirun_pid=$!
for ((i = 0; i < 200; i++)); do # until some points are there
    [ "$(wc -l 2>/dev/null <"$scratch/killed/journal" || echo 0)" -lt 3 ] || break
    sleep 0.05
done
# A child of mpirun's (or of its child's, as under timeout), and not the first.
ranks=$(ps -eo pid=,args= | awk -v dir="$scratch/killed" \
    'index($0, dir) && $2 !~ /mpirun|timeout|awk/ { print $1 }' | sort -n)
kill -9 "$(echo "$ranks" | sed -n 3p)"
if wait $mpirun_pid; then
    echo "a killed rank should fail the run" && exit 1
fi
grep -q 'exited on signal 9' "$scratch/err" || { cat "$scratch/err" && exit 1; }
grep -qE '^llmsim: interrupted: [0-9]+ of 60 points are finished and kept' "$scratch/err" ||
    { cat "$scratch/err" && exit 1; }
kept=$(wc -l <"$scratch/killed/journal")
[ "$kept" -ge 3 ] && [ ! -e "$scratch/killed/sweep.csv" ]
timeout 120 mpirun -n 4 "$program" sweep "${options[@]}" --output "$scratch/killed" >/dev/null \
    2>"$scratch/err"
grep -q ": $kept of 60 points were finished before" "$scratch/err" || { cat "$scratch/err" && exit 1; }
cmp "$scratch/alone/sweep.csv" "$scratch/killed/sweep.csv"
[ "$(wc -l <"$scratch/killed/journal")" = 60 ]
echo "4 ranks as one; one killed after $kept points, the rest done later"
