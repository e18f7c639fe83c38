#!/bin/bash
# How well `llmsim fit` predicts measured steps and batches: the tables of docs/accuracy.md.
#
# usage: accuracy.sh [--program PATH] [--update FILE] [DIR]
#
# DIR (default: data/truth in the folder that $LLMSIM_SHARED names, else in ../shared beside the source
# tree) holds the measurements step_*.csv, batch_argonne.csv and models.csv (docs/accuracy.md, "The
# measurements"); where they are not there the script says so and does nothing. --update writes the tables
# into FILE, between its marks; else they go to stdout.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$here/../build/release/llmsim
truth=${LLMSIM_SHARED:-$here/../../shared}/data/truth
update=

while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$(realpath "$2") && shift ;;
    --update) update=$2 && shift ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) truth=$1 ;;
    esac
    shift
done
if [ ! -e "$truth/batch_argonne.csv" ]; then
    echo "skipped: $truth has no measurements" >&2
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# ---- steps ----

awk -f "$here/step_profile.awk" "$truth"/step_composed_*.csv "$truth"/step_splitwise_*.csv \
    >"$scratch/steps.csv"

# The tables that fit prints, as a row a group: held-out MAPE of each set, fitted and with two
# numbers.
steps_table() {
    LLMSIM_DATA=$here/../data "$program" fit "$scratch/steps.csv" | awk '
        function flush(    i) {
            if (group == "")
                return
            printf "| %s | %d", group, rows
            for (i = 1; i <= 4; i++)
                printf " | %s | %s", held[1, sets[i]], held[0, sets[i]]
            print " |"
        }
        BEGIN { split("decode,prefill > 256 tokens,prefill,mixed", sets, ",") }
        / measurements$/ {
            flush()
            rows = $(NF - 1)
            group = $0
            sub(/:.*/, "", group)
            sub(/ on /, " | ", group)
            sub(/, tensor parallel size /, " | ", group)
            for (key in held)
                held[key] = "–"
            for (i = 1; i <= 4; i++)
                held[0, sets[i]] = held[1, sets[i]] = "–"
        }
        /^fitted / { fitted = 1 }
        /^ptps  / { fitted = 0 }
        / % / {
            name = substr($0, 1, 22)
            sub(/ +$/, "", name)
            n = split($0, parts, "%")
            sub(/ +/, "", parts[4])
            held[fitted, name] = sprintf("%.1f %%", parts[4])
        }
        END { flush() }'
}

# ---- static batches ----

awk -v want=fit -f "$here/batch_profile.awk" "$truth/models.csv" "$truth/batch_argonne.csv" \
    >"$scratch/batches.csv"
awk -v want=test -f "$here/batch_profile.awk" "$truth/models.csv" "$truth/batch_argonne.csv" \
    >"$scratch/tests.csv"
mkdir "$scratch/data"
cp "$here/../data/model.json" "$scratch/data"
cut -d, -f1 "$scratch/tests.csv" | sort -u | awk '
    BEGIN { print "{" }
    { printf "%s    \"%s\": {\"memory_cap\": 80, \"memory_bw\": 2000, \"memory_bw_util\": 60}", (NR > 1 ? ",\n" : ""), $0 }
    END { print "\n}" }' >"$scratch/data/gpu.json"
echo '{}' >"$scratch/data/ptps.json"

# A batch alone on a server: all requests at once, its whole prompts in one step.
predict() { # GPU MODEL LENGTH BATCH BLOCKS: seconds
    awk -v n="$3" -v b="$4" 'BEGIN {
        print "arrival_s,prompt_tokens,output_tokens"
        for (i = 0; i < b; i++)
            print "0," n "," n
    }' >"$scratch/trace.csv"
    "$program" replay "$scratch/trace.csv" --data "$scratch/data" --gpu "$1" --model "$2" \
        --max-num-batched-tokens $((n_max * 64)) --kv-cache paged --num-gpu-blocks "$5" --watermark 0 \
        --no-tokens --no-requests --output "$scratch/out" >/dev/null 2>&1
    sed -n 's/^.*"makespan_s":[^0-9]*\([0-9.e+-]*\).*$/\1/p' "$scratch/out/summary.json"
}
n_max=2048

fit_batches() {
    cut -d, -f1,2 "$scratch/tests.csv" | sort -u | while IFS=, read -r gpu model; do
        "$program" fit "$scratch/batches.csv" --model "$model" --gpu "$gpu" --data "$scratch/data" \
            >/dev/null 2>"$scratch/log" || sed "s/^/not fitted: /" "$scratch/log" >>"$scratch/refused"
    done
}

# GPU,MODEL,LENGTH,BATCH,fits,error in %
predict_batches() {
    while IFS=, read -r gpu model length batch seconds blocks fits; do
        predicted=$(predict "$gpu" "$model" "$length" "$batch" "$blocks" || true)
        if [ -n "$predicted" ]; then
            awk -v p="$predicted" -v m="$seconds" -v row="$gpu,$model,$length,$batch,$fits" \
                'BEGIN { printf "%s,%.3f\n", row, 100 * (p / m - 1) }'
        fi
    done <"$scratch/tests.csv"
}

# Per GPU and engine: the median over the configurations (model, number of GPUs) of the mean error.
batches_table() {
    awk -F, -v name="$1" '
        function abs(x) { return x < 0 ? -x : x }
        function median(list, n,    i, j, t) {
            for (i = 2; i <= n; i++)
                for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
                    t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
                }
            return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
        }
        name == "in" && $5 == 0 { next }
        {
            config = $1 "," $2
            sum[config] += abs($6)
            count[config]++
            engine = $1
            sub(/ x[0-9]+/, "", engine)
            all[engine, ++n_rows[engine]] = abs($6)
        }
        END {
            for (engine in n_rows) {
                n = 0
                for (config in sum) {
                    of = config
                    sub(/ x[0-9]+/, "", of)
                    sub(/,.*/, "", of)
                    if (of == engine)
                        list[++n] = sum[config] / count[config]
                }
                by_config = median(list, n)
                for (i = 1; i <= n_rows[engine]; i++)
                    rows[i] = all[engine, i]
                printf "| %s | %d | %d | %.1f %% | %.1f %% |\n", engine, n, n_rows[engine], by_config,
                    median(rows, n_rows[engine])
            }
        }' "$scratch/errors.csv" | sort
}

fit_batches
predict_batches >"$scratch/errors.csv"
{
    echo "Held-out MAPE, each fifth of the rows predicted from the other four; \"2\" is the two-number model."
    echo
    echo "| model | GPU | tp | rows | decode | 2 | prefill > 256 tokens | 2 | prefill | 2 | mixed | 2 |"
    echo "|---|---|---|---|---|---|---|---|---|---|---|---|"
    steps_table
    echo
    echo "Static batches whose KV cache fits at once, rows marked test predicted from rows marked fit:"
    echo
    echo "| GPU and engine | configurations | rows | median MAPE | median error of a row |"
    echo "|---|---|---|---|---|"
    batches_table in
    echo
    echo "All of them, also where requests have to wait for memory or are preempted:"
    echo
    echo "| GPU and engine | configurations | rows | median MAPE | median error of a row |"
    echo "|---|---|---|---|---|"
    batches_table all
} >"$scratch/tables"
if [ -n "${KEEP:-}" ]; then cp "$scratch/errors.csv" "$KEEP"; fi
[ ! -e "$scratch/refused" ] || cat "$scratch/refused" >&2
if [ -n "$update" ]; then
    awk -v tables="$scratch/tables" '
        /<!-- accuracy.sh -->/ { print; while ((getline line < tables) > 0) print line; skip = 1 }
        /<!-- end -->/ { skip = 0 }
        !skip || /<!-- end -->/ { if (!/<!-- accuracy.sh -->/) print }' "$update" >"$scratch/new"
    cat "$scratch/new" >"$update"
else
    cat "$scratch/tables"
fi
