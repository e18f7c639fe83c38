#!/bin/bash
# Measure `llmsim sweep`: 1,000 points (max-num-seqs × rate-scale × policy) over a trace, on one core
# and on two.
#
# usage: sweep.sh [--program PATH] [--rounds N] [TRACE]
#
#   --program PATH llmsim  (default: build/release/llmsim)
#   --rounds N     each is measured N times, in turn, and the least counts  (default: 3)
#   TRACE          default: Azure's conversation trace, in traces/ of $LLMSIM_SHARED (else of ../shared
#                  beside the source tree), or, where that is absent, traces/azure_conv_like.csv, which
#                  has as many requests
#
# Prints seconds, points/s and their ratio, and compares the summary of the
# sweep's largest simulation with that of the same replay alone. The machine should have nothing else
# to do, and two cores.
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
program=$source/build/release/llmsim rounds=3
trace=${LLMSIM_SHARED:-$source/../shared}/traces/AzureLLMInferenceTrace_conv.csv
[ -e "$trace" ] || trace=$source/traces/azure_conv_like.csv
while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$(realpath "$2") && shift ;;
    --rounds) rounds=$2 && shift ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) trace=$1 ;;
    esac
    shift
done
export LC_ALL=C LLMSIM_DATA=$source/data
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
model=(--model meta-llama/Llama-2-13b-hf --gpu a6000)
# 25 × 20 × 2 points, from a load that is served at once to one that no batch size carries.
sizes=$(seq -s, 8 8 200)
rates=$(awk 'BEGIN { for (i = 1; i <= 20; i++) printf("%s%.2f", (i > 1 ? "," : ""), i / 100) }')
sweep() { # JOBS DIR [OPTION...]
    local jobs=$1 dir=$2
    shift 2
    taskset -c "$([ "$jobs" = 1 ] && echo 0 || echo 0,1)" "$program" sweep --trace "$trace" \
        "${model[@]}" --policy "continuous,mixed" --max-num-seqs "$sizes" --rate-scale "$rates" \
        --jobs "$jobs" --output "$dir" "$@" >/dev/null
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }

declare -A least=([1]=0 [2]=0)
for ((round = 0; round < rounds; round++)); do
    for jobs in 1 2; do
        rm -rf "${scratch:?}/$jobs"
        begin=$(now_ms)
        sweep $jobs "$scratch/$jobs"
        ms=$(($(now_ms) - begin))
        if [ "${least[$jobs]}" = 0 ] || [ $ms -lt "${least[$jobs]}" ]; then
            least[$jobs]=$ms
        fi
    done
done
cmp "$scratch/1/sweep.csv" "$scratch/2/sweep.csv"
for jobs in 1 2; do
    awk -v jobs=$jobs -v ms="${least[$jobs]}" \
        'BEGIN { printf("%d thread%s %7.2f s %7.1f points/s\n", jobs, (jobs > 1 ? "s" : " "),
            ms / 1000, 1e6 / ms) }'
done
awk -v one="${least[1]}" -v two="${least[2]}" 'BEGIN { printf "ratio     %.2f\n", one / two }'

# The most simulated steps: the point that takes longest.
read -r point policy size rate < <(awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    $column["steps"] + 0 > most {
        most = $column["steps"] + 0
        line = $column["point"] " " $column["policy"] " " $column["max_num_seqs"] " " $column["rate_scale"]
    }
    END { print line }' "$scratch/1/sweep.csv")
sweep 2 "$scratch/summaries" --summaries
"$program" replay "$trace" "${model[@]}" --policy "$policy" --max-num-seqs "$size" \
    --rate-scale "$rate" --no-tokens --no-requests --output "$scratch/alone" >/dev/null
cmp "$scratch/alone/summary.json" "$(printf '%s/summaries/summaries/%06d.json' "$scratch" "$point")"
echo "largest   point $point ($policy, $size, $rate): its summary is that of the replay alone"
