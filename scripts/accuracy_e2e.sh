#!/bin/bash
# The end-to-end tables of docs/accuracy.md: two measured runs of vLLM replayed by llmsim validate, as
# they are and tuned on their first third. Prints Markdown.
#
# usage: accuracy_e2e.sh [--program PATH] [--plot DIR] [TRUTH_DIR]
#
# --plot: draw the distributions there, as accuracy_e2e_*.png.
# TRUTH_DIR (default: data/truth in the folder that $LLMSIM_SHARED names, else in ../shared beside the
# source tree) has e2e_vllm_*.csv and step_composed_llmservingsim.csv, which are not part of this
# repository: docs/accuracy.md, "The measurements".
set -euo pipefail
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
program=$source/build/release/llmsim
truth=${LLMSIM_SHARED:-$source/../shared}/data/truth
plot=
while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$2 && shift ;;
    --plot) plot=$2 && shift ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) truth=$1 ;;
    esac
    shift
done
llama=$truth/e2e_vllm_rtxpro6000_llama-3.1-8b.csv
qwen=$truth/e2e_vllm_rtxpro6000_qwen3-32b_tp2.csv
steps=$truth/step_composed_llmservingsim.csv
for file in "$llama" "$qwen" "$steps"; do
    [ -e "$file" ] || { echo "skipped: $file is not there" && exit 0; }
done

# Coefficients from measured steps alone.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$source/data" "$work/data"
awk -f "$source/scripts/step_profile.awk" "$steps" >"$work/profile.csv"
"$program" fit "$work/profile.csv" --gpu RTXPRO6000 --data "$work/data" >"$work/fit" || {
    cat "$work/fit"
    exit 1
}

# The limits in the .json beside each run.
validate() { # FILE OPTION...
    "$program" validate "$@" --data "$work/data" --gpu 'rtx pro 6000' --policy mixed \
        --max-num-seqs 128 --max-num-batched-tokens 2048
}

# Rows of the table for one validation: | cost | requests | metric | mean | p50 | p90 | p99 |, and
# what was tuned with the cost.
rows() { # LABEL FILE OPTION...
    local label=$1 tuned
    shift
    tuned=$(validate "$@" | sed -n 's/^  \([a-z]*\) .* -> \(.*[^ ]\) *$/\1 \2/p' | paste -sd,)
    label+=${tuned:+": ${tuned//,/, }"}
    validate "$@" --format csv | awk -F, -v label="$label" '
        NR > 1 && $1 != "calibrated" {
            if ($4 == "mean")
                row = sprintf("| %s | %s %d | %s |", label, $1, $2, $3)
            row = row sprintf(" %+.1f %% |", $7 + 0)
            if ($4 == "p99") {
                gsub(/[-+]0\.0 /, "0.0 ", row)
                print row
            }
        }'
}

table() { # TITLE
    echo "| $1 | requests | | mean | p50 | p90 | p99 |"
    echo "|---|---|---|---|---|---|---|"
}

# Prefix caching was on. The files say how many tokens of each prompt it can have found at most.
cache=(--kv-cache paged --enable-prefix-caching --cached-column prefix_cached_tokens_est)
third=(--calibrate-on first:1/3 --tune)

model=(--model meta-llama/Llama-3.1-8B)
table "Llama-3.1-8B, 1 GPU"
rows "fitted, from steps alone" "$llama" "${model[@]}" --cost fitted "${cache[@]}"
rows "the same without prefix cache" "$llama" "${model[@]}" --cost fitted
rows "fitted, first third" "$llama" "${model[@]}" --cost fitted "${cache[@]}" "${third[@]}" step
rows "fitted, first third" "$llama" "${model[@]}" --cost fitted "${cache[@]}" \
    "${third[@]}" step,bw,ptps
rows "two numbers, first third" "$llama" "${model[@]}" --cost ptps --ptps 20000 "${cache[@]}" \
    "${third[@]}" step,bw,ptps
echo
table "Qwen3-32B, 2 GPUs"
model=(--model Qwen/Qwen3-32B --tensor-parallel-size 2 --ptps 4000 "${cache[@]}")
rows "two numbers, first third" "$qwen" "${model[@]}" "${third[@]}" bw,ptps 2>/dev/null
rows "two numbers, first third" "$qwen" "${model[@]}" "${third[@]}" step,bw,ptps 2>/dev/null

if [ -n "$plot" ]; then
    validate "$llama" --model meta-llama/Llama-3.1-8B --cost fitted "${cache[@]}" \
        --plot "$plot/accuracy_e2e_llama_steps.png" >/dev/null
    validate "$llama" --model meta-llama/Llama-3.1-8B --cost fitted "${cache[@]}" \
        "${third[@]}" step,bw,ptps --plot "$plot/accuracy_e2e_llama_calibrated.png" >/dev/null
    validate "$qwen" "${model[@]}" "${third[@]}" step,bw,ptps \
        --plot "$plot/accuracy_e2e_qwen_calibrated.png" >/dev/null 2>&1
fi
