#!/bin/bash
# Make data/kernels anew from measured tables, and print what each fit was off.
#
# usage: make_kernels.sh [--program PATH] [--output DIR] [--table FILE] [TABLES_DIR]
#
# TABLES_DIR (default: data/kernels in the folder that $LLMSIM_SHARED names, else in ../shared beside the
# source tree) has a folder SYSTEM/ENGINE of CSV tables for each engine, and index.csv with versions:
# docs/kernels.md says where they come from, and scripts/fetch_kernels.sh makes newer ones.
# --table FILE: the errors as a Markdown table, for docs/kernels.md.
set -euo pipefail
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
program=$source/build/release/llmsim
tables=${LLMSIM_SHARED:-$source/../shared}/data/kernels
output=$source/data/kernels table=/dev/null
while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$(realpath "$2") && shift ;;
    --output) output=$2 && shift ;;
    --table) table=$2 && shift ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) tables=$1 ;;
    esac
    shift
done
if [ ! -e "$tables/index.csv" ]; then
    echo "skipped: $tables has no index.csv" >&2
    exit 0
fi
mkdir -p "$output"
describe() { # SYSTEM: datasheet GB/s, dense TFLOP/s in bf16, fp8, fp4, MB of L2 cache, and the GPU
    case $1 in
    a100_sxm) echo 2039 312 0 0 40 NVIDIA A100-SXM4-80GB ;;
    h100_sxm) echo 3350 989.4 1978.9 0 50 NVIDIA H100 80GB HBM3 ;;
    h200_sxm) echo 4800 989.4 1978.9 0 50 NVIDIA H200 ;;
    b200_sxm) echo 7700 2250 4500 9000 126 NVIDIA B200 ;;
    b300_sxm) echo 7750 2250 4500 14000 126 NVIDIA B300 SXM6 AC ;;
    gb200) echo 8000 2500 5000 10000 126 NVIDIA GB200 ;;
    gb300) echo 8000 2500 5000 15000 126 NVIDIA GB300 ;;
    l40s) echo 864 362 733 0 96 NVIDIA L40S ;;
    rtx_pro_6000_server) echo 1792 468 936 1871 128 NVIDIA RTX PRO 6000 Blackwell Server Edition ;;
    b60) echo 456 98.3 0 0 18 Intel Arc Pro B60 ;;
    *) echo "$1: no such system" >&2 && return 1 ;;
    esac
}
{
    echo "| system | engine | kernel | variant | rows | held out | mean | p90 | bias |"
    echo "|---|---|---|---|---|---|---|---|---|"
} >"$table"
for folder in "$tables"/*/*/; do
    engine=$(basename "$folder") system=$(basename "$(dirname "$folder")")
    case $engine in
    vllm | sglang | trtllm) ;;
    *) continue ;;
    esac
    version=$(awk -F, -v s="$system" -v e="$engine" '$1 == s && $2 == e && $4 == "gemm" { print $3 }' "$tables/index.csv")
    read -r bandwidth bf16 fp8 fp4 cache gpu <<<"$(describe "$system")"
    echo "== $system $engine $version"
    "$program" fit kernels "$folder" --system "$system" --gpu "$gpu" --engine "$engine" --engine-version "$version" \
        --memory-bw "$bandwidth" --bf16-tflops "$bf16" --fp8-tflops "$fp8" --fp4-tflops "$fp4" \
        --cache-mb "$cache" \
        --source "NVIDIA aiconfigurator (github.com/ai-dynamo/aiconfigurator)" --license Apache-2.0 \
        --output "$output/${system}_$engine.json" |
        tee /dev/stderr |
        awk -v box="$system" -v engine="$engine" '$NF == "%" {
            n = NF - 8
            variant = $2
            for (i = 3; i <= n; i++)
                variant = variant " " $i
            printf "| %s | %s | %s | %s | %d | %d | %s %% | %s %% | %s %% |\n", box, engine, $1, variant,
                $(NF - 7), $(NF - 6), $(NF - 5), $(NF - 3), $(NF - 1)
        }' >>"$table"
done
