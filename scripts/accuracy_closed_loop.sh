#!/bin/bash
# Closed-loop benchmarks of servers, predicted from other numbers of users: a table of docs/accuracy.md.
#
# usage: accuracy_closed_loop.sh [--program PATH] [--rows FILE] [TRUTH_DIR]
#
# TRUTH_DIR (default: data/truth in the folder that $LLMSIM_SHARED names, else in ../shared beside the
# source tree) has closedloop_aic_silicon.csv and models.csv, which are not part of this repository:
# docs/accuracy.md, "The measurements".
# --rows: write every row's measured and simulated TTFT and TPOT there.
#
# Servers with fewer than 6 runs to fit are left out; a run whose KV cache does not fit the memory is never
# fitted, only predicted. How many are left out, and each replay that fails, goes to stderr; if one fails,
# the exit code is 1.
set -euo pipefail
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
program=$source/build/release/llmsim
truth=${LLMSIM_SHARED:-$source/../shared}/data/truth
rows=/dev/null
while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$(realpath "$2") && shift ;;
    --rows) rows=$(realpath "$2") && shift ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) truth=$1 ;;
    esac
    shift
done
if [ ! -e "$truth/closedloop_aic_silicon.csv" ]; then
    echo "skipped: $truth has no measurements" >&2
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
sort -t, -k1,6 -k7,7n -k8,8n -k9,9n "$truth/closedloop_aic_silicon.csv" |
    awk -f "$source/scripts/closed_loop_rows.awk" "$truth/models.csv" - >"$scratch/rows.csv"
cd "$scratch"

# Servers with enough rows that can be fitted.
awk -F, '$9 == "fit" { n[$1 "," $2]++ } END { for (key in n) if (n[key] >= 6) print key }' rows.csv |
    sort >servers.csv
mkdir data
cp "$source/data/model.json" data
echo '{}' >data/ptps.json
awk -F, '
    BEGIN { print "{" }
    { printf "%s    \"%s\": {\"memory_cap\": 80, \"memory_bw\": 3350, \"memory_bw_util\": 60}", (NR > 1 ? ",\n" : ""), $2 }
    END { print "\n}" }' servers.csv >data/gpu.json

# In steady state each of b users has its prompt processed and its tokens decoded while the others
# do the same, which is the work of a batch of b.
awk -F, '
    BEGIN { print "model,gpu,tp,phase,batch_size,new_tokens,context_tokens,sum_sq_tokens,latency_s,repeat,source" }
    $9 == "fit" {
        b = $5; n = $3; m = $4 - 1
        printf "%s,%s,1,batch,%d,%d,%.0f,%.0f,%.9f,0,aiconfigurator\n", $1, $2, b, b * n,
            b * (m * n + m * (m + 1) / 2), b * n * n, $6 + m * $7
    }' rows.csv >profile.csv

mean() { # METRIC: its mean in out/summary.json
    tr -d ' \t\n' <out/summary.json | sed -n "s/^.*\"$1\":{\"count\":[0-9]*,\"mean\":\([0-9.e+-]*\).*\$/\1/p"
}

# SGLang has prompts go first; the others mix them with decodes. 10 requests of each user, all there
# from the beginning.
predict() { # MODEL SERVER ISL OSL USERS BLOCKS
    local policy=mixed
    case $2 in *sglang*) policy=continuous ;; esac
    awk -v n=$((10 * $5)) -v isl="$3" -v osl="$4" 'BEGIN {
        print "arrival_s,prompt_tokens,output_tokens"
        for (i = 0; i < n; i++)
            print "0," isl "," osl
    }' >trace.csv
    "$program" replay trace.csv --data data --model "$1" --gpu "$2" --policy $policy \
        --max-num-seqs 512 --kv-cache paged --num-gpu-blocks "$6" --max-concurrency "$5" \
        --no-tokens --no-requests --output out >/dev/null 2>log
}

while IFS=, read -r model server; do
    "$program" fit profile.csv --model "$model" --gpu "$server" --data data >/dev/null 2>log ||
        sed 's/^/not fitted: /' log >&2
done <servers.csv
n_left_out=0 n_failed=0
while IFS=, read -r model server isl osl users ttft tpot blocks use; do
    if ! grep -qxF "$model,$server" servers.csv; then
        n_left_out=$((n_left_out + 1))
    elif predict "$model" "$server" "$isl" "$osl" "$users" "$blocks" &&
        simulated_ttft=$(mean ttft_s) && simulated_tpot=$(mean tpot_s) &&
        [ -n "$simulated_ttft" ] && [ -n "$simulated_tpot" ]; then
        echo "$model,$server,$isl,$osl,$users,$use,$ttft,$simulated_ttft,$tpot,$simulated_tpot"
    else
        n_failed=$((n_failed + 1))
        echo "not replayed: $model on $server, $isl and $osl tokens, $users users:" \
            "$(grep '^llmsim: ' log | tail -n 1)" >&2
    fi
done <rows.csv >predicted.csv
echo "$n_left_out runs of servers with too few to fit are left out, $n_failed replays failed" >&2
{
    echo model,server,isl,osl,users,use,ttft_s,simulated_ttft_s,tpot_s,simulated_tpot_s
    cat predicted.csv
} >"$rows"

echo "| model | server | runs | TPOT | median | worst |"
echo "|---|---|---|---|---|---|"
awk -F, '
    function median(list, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
                t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
            }
        return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
    }
    $6 == "test" {
        key = $1 " | " $2
        e = 100 * ($10 / $9 - 1)
        sum[key] += e
        errors[key, ++n[key]] = e < 0 ? -e : e
    }
    END {
        for (key in n) {
            for (i = 1; i <= n[key]; i++)
                list[i] = errors[key, i]
            middle = median(list, n[key])
            printf "| %s | %d | %+.1f %% | %.1f %% | %.1f %% |\n", key, n[key], sum[key] / n[key], middle, list[n[key]]
        }
    }' predicted.csv | sort
[ "$n_failed" -eq 0 ]
