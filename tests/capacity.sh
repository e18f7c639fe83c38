#!/bin/bash
# What capacity answers, held against replays: at the answer the SLO holds and the system is not
# saturated; at the value that it says fails, one of the two is otherwise. Random traces, whose times
# begin at 0, at an hour or at Unix time, with and without windows, calls that failed, and prompts
# that never fit the memory. Attainment is counted from the rows of requests.csv, not read from the
# summary.
#
# usage: capacity.sh PROGRAM [TRACES]
set -euo pipefail
program=$(realpath "$1")
n_traces=${2:-500}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export LC_ALL=C
mkdir data
echo '{"easy": {"memory_cap": 48, "memory_bw": 1000, "memory_bw_util": 100}}' >data/gpu.json
echo '{"m": {"num_hidden_layers": 1, "num_heads": 1, "model_size_GB": 20, "kvc_size_KB": 100}}' \
    >data/model.json
echo '{"m": {"easy": 2000}}' >data/ptps.json

state=1
random() { # N: sets $drawn to one of 0 to N-1
    state=$(((state * 1103515245 + 12345) & 0x7fffffff))
    drawn=$(((state >> 8) % $1))
}
pick() { # VALUE...: sets $drawn to one of them
    random $#
    drawn=$((drawn + 1))
    drawn=${!drawn}
}

# Requests come in clumps; times in whole milliseconds, which every format keeps.
make_trace() { # SEED COUNT OFFSET FAILED_PERCENT FORMAT
    awk -v x="$1" -v n="$2" -v offset="$3" -v failed="$4" -v format="$5" '
        function next_random(m) { x = (x * 16807) % 2147483647; return x % m }
        BEGIN {
            if (format == "burstgpt") print "Timestamp,Request tokens,Response tokens"
            if (format == "native") print "arrival_s,prompt_tokens,output_tokens"
            for (i = 0; i < n; i++) {
                prompt = 50 + next_random(800)
                if (next_random(20) == 0) prompt = 5000
                output = 1 + next_random(60)
                if (next_random(100) < failed) output = 0
                if (format == "mooncake")
                    printf "{\"timestamp\": %.0f, \"input_length\": %d, \"output_length\": %d}\n",
                        offset * 1000 + ms, prompt, output
                else
                    printf "%.3f,%d,%d\n", offset + ms / 1000, prompt, output
                if (next_random(4) > 0) ms += next_random(2000)
            }
        }' /dev/null
}

# Of requests.csv: does the SLO hold? Prints yes, no, or none where there is nobody to judge.
judge() { # UNTIL (simulated, 0: no end)
    awk -F, -v until="$1" -v ttft="$ttft" -v tpot="$tpot" -v goal="$goal" '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["outcome"] == "failed_in_trace" { next }
        $at["outcome"] == "unfinished" {
            n_gaps = $at["output_tokens"] - 1
            so_far = until - $at["arrival_s"]
            first = $at["ttft_s"] != "" ? $at["ttft_s"] : so_far
            missed = $at["output_tokens"] > 0 && first > ttft + 1e-9
            if ($at["ttft_s"] != "" && n_gaps > 0 && (so_far - first) / n_gaps > tpot + 1e-9)
                missed = 1
            judged += missed
            next
        }
        { judged++ }
        $at["outcome"] == "completed" {
            met += ($at["ttft_s"] == "" || $at["ttft_s"] <= ttft) &&
                   ($at["tpot_s"] == "" || $at["tpot_s"] <= tpot)
        }
        END {
            if (judged == 0) holds = "none"
            else holds = (met / judged >= goal) ? "yes" : "no"
            print holds
        }' out/requests.csv
}

replay() { # OPTION VALUE: sets $holds
    local scale=1
    rm -rf out
    [ "$1" = rate-scale ] && scale=$2
    [ "$1" = rate-scale ] || scale=$rate
    local rate_option=()
    [ "$1" = rate-scale ] || rate_option=(--rate-scale "$rate")
    "$program" replay "${common[@]}" "${rate_option[@]}" "--$1" "$2" --no-tokens --output out \
        "${trace_operand[@]}" >/dev/null 2>err <"$input" ||
        { cat err >&2 && return 1; }
    local simulated_until
    simulated_until=$(awk -v u="$until" -v s="$scale" 'BEGIN { printf "%.9f", u / s }')
    holds=$(judge "$simulated_until")
    grep -q '"saturated":	true' out/summary.json && holds=no
    [ "$holds" != none ] || holds=no
}

field() { # NAME: of the only row of capacity.csv
    awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { print $at[name] }' found/capacity.csv
}

fail() {
    echo "trace $trace ($format, offset $offset, $failed % failed): $find: $1" >&2
    echo "  ${common[*]}" >&2
    cp "$file" "${CAPACITY_KEEP:-/dev/null}" 2>/dev/null || true
    exit 1
}

answers=0 none=0 all=0
for ((trace = 1; trace <= n_traces; trace++)); do
    pick 0 0 3600 1700000000 && offset=$drawn
    pick native burstgpt burstgpt mooncake && format=$drawn
    pick 0 0 3 20 && failed=$drawn
    [ "$format" = burstgpt ] || failed=0
    pick rate-scale rate-scale rate-scale replicas max-concurrency && find=$drawn
    random 90 && count=$((30 + drawn))
    file=trace.csv
    make_trace "$trace" "$count" "$offset" "$failed" "$format" >$file

    start=$offset # of the window's clock
    [ "$offset" != 1700000000 ] || start=0
    pick none none from until both && window=$drawn
    [ "$find" != max-concurrency ] || window=none
    from=0 until=0
    case $window in
    from | both) random 20 && from=$((start + 1 + drawn)) ;;&
    until) random 60 && until=$((start + 1 + drawn)) ;;
    both) random 60 && until=$((from + 1 + drawn)) ;;
    esac
    pick 1 2 4 && ttft=$drawn
    pick 0.05 0.1 0.3 && tpot=$drawn
    pick 0.5 0.8 0.9 0.99 && goal=$drawn
    pick 0.5 1 3 && rate=$drawn
    common=(--model m --gpu easy --data data --slo "ttft=$ttft,tpot=$tpot" --max-num-seqs 16
        --from "$from" --until "$until")
    [ "$format" != mooncake ] || common+=(--time-unit ms)
    random 2 && [ "$drawn" = 0 ] || common+=(--kv-cache paged --num-gpu-blocks 200 --block-size 16)
    # A file, or standard input.
    input=/dev/null trace_operand=("$file") trace_option=$file
    random 4
    [ "$drawn" != 0 ] || { input=$file && trace_operand=(-) && trace_option=-; }
    rate_option=()
    [ "$find" = rate-scale ] || rate_option=(--rate-scale "$rate")

    rm -rf found
    code=0
    "$program" capacity --trace "$trace_option" "${common[@]}" "${rate_option[@]}" --find "$find" \
        --attainment "$goal" --jobs 1 --output found >/dev/null 2>err <"$input" || code=$?
    column=${find//-/_}
    value=$(field "$column") fails=$(field "${column}_fails") status=$(field status)
    case $status in
    ok)
        [ $code = 0 ] || fail "exit $code with an answer"
        replay "$find" "$value"
        [ "$holds" = yes ] || fail "$value is the answer, but there it is '$holds'"
        answers=$((answers + 1))
        ;;
    no_answer)
        [ "$code$value" = 1 ] || fail "exit $code without an answer"
        none=$((none + 1))
        ;;
    *) fail "status '$status': $(cat err)" ;;
    esac
    if [ -n "$fails" ]; then
        replay "$find" "$fails"
        [ "$holds" = no ] || fail "$fails is said to fail, but there it is '$holds'"
    else
        all=$((all + 1))
    fi
done
# A test that never gets an answer, or nothing else, would show nothing.
if [ $((answers * 4)) -lt "$n_traces" ] || [ $((none * 50)) -lt "$n_traces" ]; then
    echo "$answers answers and $none without one say too little" >&2
    exit 1
fi
echo "capacity: $n_traces traces: $answers answers, $none without one, $all where nothing fails"
