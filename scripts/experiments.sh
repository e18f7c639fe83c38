#!/bin/bash
# The experiments of docs/experiments.md: prefill of 1,024 tokens over batch sizes, prefill against
# tokens, and token phase and whole latency against what was measured. Draws
# docs/images/experiment_*.png and prints the tables of the page.
#
# usage: experiments.sh [--program PATH] [--output DIR] [TRUTH_DIR]
#
# TRUTH_DIR (default: data/truth in the folder that $LLMSIM_SHARED names, else in ../shared beside the
# source tree) has step_splitwise_llama2-70b.csv, Splitwise's measurements of Llama-2-70b on A100 and H100
# servers, and ../seed/unloaded_llama-2-13b_rtx-a6000.csv. They are not part of this repository
# (docs/accuracy.md, "The measurements"); without them nothing is drawn.
set -euo pipefail
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
program=$source/build/release/llmsim
output=$source/docs/images
truth=${LLMSIM_SHARED:-$source/../shared}/data/truth
while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$(realpath "$2") && shift ;;
    --output) output=$2 && shift ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) truth=$1 ;;
    esac
    shift
done
measured=$truth/step_splitwise_llama2-70b.csv
seed=$truth/../seed/unloaded_llama-2-13b_rtx-a6000.csv
for file in "$measured" "$seed"; do
    [ -e "$file" ] || { echo "skipped: $file is not there" && exit 0; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
llmsim() { "$program" "$@"; }
model=meta-llama/Llama-2-70b-hf
gpu_name() { # SERVER
    case $1 in
    a100-80gb) echo "NVIDIA A100-SXM4-80GB" ;;
    *) echo "NVIDIA H100 80GB HBM3" ;;
    esac
}
servers=(a100-80gb h100-80gb)
sizes=(2 4 8)

# Rows of Splitwise's file that are sound, with 128 tokens asked for: a batch of batch_size prompts of
# prompt_tokens, its prompt phase, its mean decode step and its whole latency, in ms. Generation ended
# at 128 tokens or a little before; how many steps there were follows from the times.
awk -F, 'NR > 1 && $6 == 128 && $11 == 0 {
    print $2, $3, $4, $5, $8, $9, $10, int(($10 - $8) / $9 + 0.5)
}' "$measured" >"$work/batches"

# Which batches are predicted and never fitted, in awk's words.
# shellcheck disable=SC2016
held_out='($4 == 4 || $4 == 16 || $3 == 256 || $3 == 1024 || $3 == 4096)'

# The rows of Splitwise's file for which $1 holds, as a profile for llmsim fit.
profile() { # CONDITION
    awk -F, -v OFS=, -v model="$model" -v a="$(gpu_name a100-80gb)" -v h="$(gpu_name h100-80gb)" '
        NR == 1 { print; next }
        { whole = $0; server = $2; size = $3; prompt = $4; batch = $5
          $0 = server FS size FS prompt FS batch }
        '"$1"' { $0 = whole; $1 = model; $2 = $2 == "a100-80gb" ? a : h; print }' "$measured" |
        awk -f "$source/scripts/step_profile.awk"
}

# As a measured run for llmsim validate: every batch 1,000 s after the one before.
run() { # SERVER SIZE CONDITION
    echo "arrival_s,prompt_tokens,output_tokens,ttft_ms,tpot_ms,e2e_ms"
    awk -v server="$1" -v size="$2" '$1 == server && $2 == size && '"$3"' {
        for (i = 0; i < $4; i++)
            print 1000 * n "," $3 "," $8 + 1 "," $5 "," $6 "," $7
        n++
    }' "$work/batches"
}

for part in all some; do
    cp -r "$source/data" "$work/$part"
done
profile 1 >"$work/all.csv"
profile "!$held_out" >"$work/some.csv"
for part in all some; do
    llmsim fit "$work/$part.csv" --data "$work/$part" >"$work/$part.fit" || {
        cat "$work/$part.fit" && exit 1
    }
done

prefill_s() { # SERVER SIZE COST PROMPT BATCH
    llmsim simulate --data "$work/all" --model "$model" --gpu "$(gpu_name "$1")" \
        --tensor-parallel-size "$2" --cost "$3" --prompt-length "$4" --batch-size "$5" \
        --response-length 0 --format csv | awk -F, 'NR == 2 { print $2 }'
}

style='set terminal pngcairo size 1200,560 noenhanced font "sans,11"
set grid linetype 1 linecolor rgb "#DDDDDD" linewidth 0.7
set border 3 linecolor rgb "#444444"
set tics nomirror
blue = "#0072B2"; vermilion = "#D55E00"; green = "#009E73"'

# ---- 1: 1,024 prompt tokens, split over batches of 1 to 16 ----

for server in "${servers[@]}"; do
    for batch in 1 2 4 8 16; do
        echo "$batch $(prefill_s "$server" 4 fitted $((1024 / batch)) "$batch")" \
            "$(prefill_s "$server" 4 ptps $((1024 / batch)) "$batch")"
    done >"$work/split.$server"
    awk -v server="$server" '$1 == server && $2 == 4 && $3 * $4 == 1024 { print $4, $5 / 1000 }' \
        "$work/batches" >"$work/split.$server.measured"
done
gnuplot <<END
$style
set output "$output/experiment_prefill_split.png"
set multiplot layout 1,2 title \
    "Prefill of 1,024 tokens, split over a batch: Llama-2-70b, 4 GPUs" font "sans,14"
set logscale x 2
set xrange [0.9:18]
set yrange [0:*]
set xlabel "requests in the batch, of 1,024 / batch tokens each"
set ylabel "prompt phase (ms)"
set bmargin at screen 0.24
set tmargin at screen 0.86
set key at graph 0.5, -0.2 center top horizontal samplen 3
set title "$(gpu_name a100-80gb)"
plot "$work/split.a100-80gb" using 1:(\$2*1000) with linespoints pointtype 1 linecolor rgb blue linewidth 2 title "fitted", \
     "" using 1:(\$3*1000) with linespoints pointtype 2 dashtype 2 linecolor rgb vermilion linewidth 2 title "two numbers", \
     "$work/split.a100-80gb.measured" using 1:(\$2*1000) with points pointtype 6 pointsize 1.3 linecolor rgb "black" title "measured"
set title "$(gpu_name h100-80gb)"
plot "$work/split.h100-80gb" using 1:(\$2*1000) with linespoints pointtype 1 linecolor rgb blue linewidth 2 title "fitted", \
     "" using 1:(\$3*1000) with linespoints pointtype 2 dashtype 2 linecolor rgb vermilion linewidth 2 title "two numbers", \
     "$work/split.h100-80gb.measured" using 1:(\$2*1000) with points pointtype 6 pointsize 1.3 linecolor rgb "black" title "measured"
unset multiplot
END
echo "$output/experiment_prefill_split.png"
echo
echo "| requests | A100, fitted | A100, two numbers | A100, measured | H100, fitted | H100, two numbers | H100, measured |"
echo "|---|---|---|---|---|---|---|"
for batch in 1 2 4 8 16; do
    for server in "${servers[@]}"; do
        mean=$(awk -v b="$batch" '$1 == b { s += $2; n++ } END { if (n) printf "%.1f", 1000 * s / n }' \
            "$work/split.$server.measured")
        awk -v b="$batch" -v m="$mean" '$1 == b { printf "| %.1f | %.1f | %s ", 1000 * $2, 1000 * $3, m }' \
            "$work/split.$server"
    done | awk -v b="$batch" '{ print "| " b " " $0 "|" }'
done
echo

# ---- 2: prefill against tokens ----

for server in "${servers[@]}"; do
    for size in "${sizes[@]}"; do
        for tokens in 128 181 256 362 512 724 1024 1448 2048 2896 4096 5793 8192; do
            echo "$tokens $(prefill_s "$server" "$size" fitted "$tokens" 1)" \
                "$(prefill_s "$server" "$size" ptps "$tokens" 1)"
        done >"$work/tokens.$server.$size"
        awk -v server="$server" -v size="$size" '$1 == server && $2 == size && $4 == 1 {
            print $3, $5 / 1000 }' "$work/batches" >"$work/tokens.$server.$size.measured"
    done
done
gnuplot <<END
$style
set output "$output/experiment_prefill_tokens.png"
set multiplot layout 1,2 title \
    "Prefill of one prompt against its tokens: Llama-2-70b" font "sans,14"
set logscale xy
set xrange [100:10000]
set xtics (128, 256, 512, 1024, 2048, 4096, 8192)
set yrange [0.02:10]
set xlabel "prompt tokens"
set ylabel "prompt phase (s)"
set bmargin at screen 0.3
set tmargin at screen 0.86
set key at graph 0.5, -0.2 center top vertical maxrows 3 samplen 2 font "sans,10"
do for [server in "a100-80gb h100-80gb"] {
    set title server eq "a100-80gb" ? "$(gpu_name a100-80gb)" : "$(gpu_name h100-80gb)"
    file(size) = "$work/tokens.".server.".".size
    colour(i) = word(blue." ".vermilion." ".green, i)
    plot for [i = 1 : 3] file(word("2 4 8", i)) using 1:2 with lines linecolor rgb colour(i) linewidth 2 \
             title word("2 4 8", i)." GPUs, fitted", \
         for [i = 1 : 3] file(word("2 4 8", i)) using 1:3 with lines dashtype 3 linecolor rgb colour(i) linewidth 1.5 \
             title word("2 4 8", i)." GPUs, two numbers", \
         for [i = 1 : 3] file(word("2 4 8", i)).".measured" with points pointtype 6 pointsize 1.1 linecolor rgb colour(i) \
             title word("2 4 8", i)." GPUs, measured"
}
unset multiplot
END
echo "$output/experiment_prefill_tokens.png"
echo

# ---- 3: prompt phase, token phase and whole latency, simulated and measured ----

# Lines of measured and simulated TTFT, TPOT and E2E and the decode steps, one a batch: all requests
# of a batch have the same. $1: catalogues; $4: which batches.
compare() { # PART SERVER SIZE CONDITION
    run "$2" "$3" "$4" >"$work/run.csv"
    llmsim validate "$work/run.csv" --data "$work/$1" --model "$model" --gpu "$(gpu_name "$2")" \
        --tensor-parallel-size "$3" --cost fitted --policy static --max-num-seqs 64 \
        --max-num-batched-tokens 65536 --requests "$work/requests.csv" >/dev/null
    awk -F, 'NR > 1 && $3 "" != last { last = $3; print $6, $7, $8, $9, $10, $11, $5 - 1 }' \
        "$work/requests.csv"
}

# "mean signed error | mean absolute error |" of prompt phase, token phase and whole latency.
mean_errors() {
    awk '{
        for (i = 0; i < 3; i++) {
            e = 100 * ($(2 * i + 2) / $(2 * i + 1) - 1)
            sum[i] += e
            absolute[i] += e < 0 ? -e : e
        }
    }
    END {
        printf "%d |", NR
        for (i = 0; i < 3; i++)
            printf " %+.1f %% | %.1f %% |", sum[i] / NR, absolute[i] / NR
    }'
}

echo "| GPUs | batches | prompt phase | each | token phase | each | whole latency | each |"
echo "|---|---|---|---|---|---|---|---|"
for server in "${servers[@]}"; do
    for size in "${sizes[@]}"; do
        name="$size x $(gpu_name "$server")"
        echo "| $name, fitted to them | $(compare all "$server" "$size" 1 | mean_errors)"
        compare some "$server" "$size" "!$held_out" | sed 's/^/0 /' >>"$work/errors"
        compare some "$server" "$size" "$held_out" >"$work/held_out"
        echo "| $name, held out | $(mean_errors <"$work/held_out")"
        sed 's/^/1 /' "$work/held_out" >>"$work/errors"
    done
done
gnuplot <<END
$style
set output "$output/experiment_errors.png"
set multiplot layout 1,2 title \
    "Simulated against measured: batches of Llama-2-70b on 2, 4 and 8 GPUs" font "sans,14"
set logscale x
set xrange [2.5:25]
set xtics (3, 4, 5, 6, 8, 10, 15, 20)
set yrange [-20:15]
set ylabel "error of the simulation (%)"
set bmargin at screen 0.24
set tmargin at screen 0.86
set key at graph 0.5, -0.2 center top horizontal samplen 1.5
set object 1 rectangle from graph 0, first -5 to graph 1, first 5 fillcolor rgb "#EEEEEE" fillstyle solid noborder behind
set title "token phase (band: 5 %)"
set xlabel "measured token phase (s)"
error(s, m) = 100 * (s - m) / m
plot "$work/errors" using (\$1 == 0 ? \$8 * \$4 : NaN):(error(\$5, \$4)) with points pointtype 1 linecolor rgb blue title "fitted to", \
     "" using (\$1 == 1 ? \$8 * \$4 : NaN):(error(\$5, \$4)) with points pointtype 6 linecolor rgb vermilion title "held out of the fit"
set title "whole latency (band: 5 %)"
set xlabel "measured latency (s)"
plot "$work/errors" using (\$1 == 0 ? \$6 : NaN):(error(\$7, \$6)) with points pointtype 1 linecolor rgb blue title "fitted to", \
     "" using (\$1 == 1 ? \$6 : NaN):(error(\$7, \$6)) with points pointtype 6 linecolor rgb vermilion title "held out of the fit"
unset multiplot
END
echo
echo "$output/experiment_errors.png"
echo

# ---- the earlier tool's latencies of requests alone ----

awk -F, 'BEGIN { print "arrival_s,prompt_tokens,output_tokens,ttft_s,tpot_s,e2e_s" }
    NR > 1 { print 1000 * (NR - 2) "," $1 "," $2 + 1 "," $4 "," $5 "," $3 }' "$seed" >"$work/seed.csv"
llmsim validate "$work/seed.csv" --data "$source/data" --model llama-2-13b-hf --gpu a6000
