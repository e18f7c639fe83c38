#!/bin/bash
# Closed-loop benchmarks of real servers, predicted without a measurement of the server: tables of
# docs/accuracy.md, and the errors to expect that the program prints.
#
# usage: accuracy_silicon.sh [--program PATH] [--rows FILE] [--errors FILE] [--every N] [TRUTH_DIR]
#
# TRUTH_DIR (default: data/truth in the folder that $LLMSIM_SHARED names, else in ../shared beside the
# source tree) has closedloop_silicon.csv, which is not part of this repository: docs/accuracy.md, "The
# measurements".
# --rows: write every row's measured and simulated TTFT and TPOT there.
# --errors: write the errors by kind of model and where the cost came from, as data/errors.json. For those
#   of the roofline every run is predicted once more, as if nobody had measured its GPU: H100 by the
#   efficiency of H200's kernels, H200 by H100's, B200 by H200's.
# --every N: only each N-th row.
#
# Each replay that fails is named on stderr; if one fails, the exit code is 1.
set -euo pipefail
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
program=$source/build/release/llmsim
truth=${LLMSIM_SHARED:-$source/../shared}/data/truth
rows=/dev/null errors='' every=1
while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$(realpath "$2") && shift ;;
    --rows) rows=$(realpath "$2") && shift ;;
    --errors) errors=$(realpath "$2") && shift ;;
    --every) every=$2 && shift ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) truth=$1 ;;
    esac
    shift
done
if [ ! -e "$truth/closedloop_silicon.csv" ]; then
    echo "skipped: $truth has no closedloop_silicon.csv" >&2
    exit 0
fi
truth=$(realpath "$truth")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
awk -f "$source/scripts/silicon_rows.awk" "$truth/closedloop_silicon.csv" |
    awk -v every="$every" 'NR % every == 0 || every == 1' >rows.txt

method() { # of the cost, from out/summary.json
    tr -d '\t\n' <out/summary.json | sed -n 's/^.*"method": *"\([^"]*\)".*$/\1/p'
}

# Means of TTFT and TPOT. A client that draws lengths begins with all users at once and counts them;
# the others warm up first, so that the requests of the beginning do not count.
means() { # VARIES
    awk -F, -v all="$1" '
        NR == 1 {
            for (i = 1; i <= NF; i++)
                column[$i] = i
            next
        }
        all || $column["arrival_s"] > 0 {
            n++
            ttft += $column["ttft_s"]
            tpot += $column["tpot_s"]
        }
        END { printf "%.6f\t%.6f\n", ttft / n, tpot / n }' out/requests.csv
}

# Ten requests of each user, all there from the beginning, as the benchmarks' clients send them.
make_trace() { # ISL OSL USERS VARIES
    awk -v isl="$1" -v osl="$2" -v n=$((10 * $3)) -v varies="$4" '
        function draw(length_) {
            state = (state * 16807) % 2147483647
            return varies ? int(length_ * (0.8 + 0.2 * state / 2147483647) + 0.5) : length_
        }
        BEGIN {
            state = 20251128
            print "arrival_s,prompt_tokens,output_tokens"
            for (i = 0; i < n; i++)
                print "0," draw(isl) "," draw(osl)
        }' >trace.csv
}

n_failed=0
replay() { # USERS OPTION...
    local users=$1
    shift
    "$program" replay trace.csv "$@" --data data --policy mixed --max-num-seqs 1024 --kv-cache paged \
        --max-concurrency "$users" --no-tokens --output out >/dev/null 2>log
}

predict() { # print what the rows come out as
    while IFS=$'\t' read -r group ttft tpot isl osl users varies use options; do
        make_trace "$isl" "$osl" "$users" "$varies"
        if eval "replay $users $options"; then # from silicon_rows.awk; only the GPU's name is quoted
            IFS=$'\t' read -r simulated_ttft simulated_tpot <<<"$(means "$varies")"
            printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$group" "$isl" "$osl" "$users" \
                "$use" "$ttft" "$simulated_ttft" "$tpot" "$simulated_tpot" "$(method)"
        else
            n_failed=$((n_failed + 1))
            echo "not replayed: $group, $isl and $osl tokens, $users users:" \
                "$(grep '^llmsim: ' log | tail -n 1)" >&2
        fi
    done <rows.txt
}

cp -r "${LLMSIM_DATA:-$source/data}" data
predict >predicted.txt
echo "$n_failed replays failed" >&2
{
    printf 'group\tisl\tosl\tusers\tuse\tttft_s\tsimulated_ttft_s\ttpot_s\tsimulated_tpot_s\tmethod\n'
    cat predicted.txt
} >"$rows"
awk -f "$source/scripts/silicon_tables.awk" predicted.txt
if [ -n "$errors" ]; then
    awk '
        /^    "/ { gpu = $0 }
        /"kernels_like"/ && gpu ~ /"NVIDIA (H100 80GB HBM3|B200)"/ { sub(/"[a-z0-9_]*",?$/, "\"h200_sxm\",") }
        /"kernels_like"/ && gpu ~ /"NVIDIA H200"/ { sub(/"[a-z0-9_]*",?$/, "\"h100_sxm\",") }
        { print }' data/gpu.json | sed -z 's/,\n    }/\n    }/g' >gpu.json
    mv gpu.json data/gpu.json
    predict >others.txt
    printf '\nAs if nobody had measured the GPU:\n\n'
    awk -f "$source/scripts/silicon_tables.awk" -v is_short=1 others.txt
    cat predicted.txt others.txt | awk -f "$source/scripts/silicon_tables.awk" -v errors="$errors" >/dev/null
fi
[ "$n_failed" -eq 0 ]
