#!/bin/bash
# Measure llmsim, each figure beside a yardstick, and print tables.
#
# usage: bench.sh [--quick] [--markdown] [--update FILE] [--program PATH] [--rounds N] [--core N]
#
#   --quick        small inputs: seconds instead of minutes, without the week
#   --markdown     the tables as docs/performance.md has them
#   --update FILE  put them there, between its lines <!-- bench:begin --> and <!-- bench:end -->
#   --program PATH llmsim; `bench` is beside it in tests/  (default: build/release/llmsim)
#   --rounds N     every measurement is taken N times and the least counts  (default: 7, quick: 3)
#   --core N       the core that everything but the pipes runs on  (default: the last)
#
# The trace is Azure's of 2023, in traces/ of $LLMSIM_SHARED (else of ../shared beside the source tree),
# or, where that is absent, traces/azure_conv_like.csv.
#
# The machine should have nothing else to do. Files go to a scratch directory in $TMPDIR (or /tmp),
# up to 7 GB, with --quick 1 GB. A round runs the measurements and their yardsticks in turn, so
# that a slow minute of the machine hits both.
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
program=$source/build/release/llmsim
quick=false markdown=false update='' rounds='' core=$(($(nproc) - 1))
while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=true ;;
    --markdown) markdown=true ;;
    --update) update=$(realpath "$2") && markdown=true && shift ;;
    --program) program=$(realpath "$2") && shift ;;
    --rounds) rounds=$2 && shift ;;
    --core) core=$2 && shift ;;
    *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
    shift
done
bench=${program%/*}/tests/bench
export LC_ALL=C LLMSIM_DATA=$source/data
setting=(--model meta-llama/Llama-2-13b-hf --gpu a6000)
# Loads, as --rate-scale: one at which queues stay short, and the trace's own rate.
loads=(short own)
declare -A scale=([short]=0.15 [own]=1) load_name=([short]='short queue' [own]='overload')
# The generated traces have the short queue's rate.
requests_per_s=0.83
if $quick; then
    rounds=${rounds:-3} token_copies=1 sizes=(10000 100000 1000000) n_streamed=0
else
    rounds=${rounds:-7} token_copies=5 sizes=(10000 100000 1000000 10000000) n_streamed=100000000
fi
n_week=44000000

scratch=$(mktemp -d -t llmsim-bench.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
say() { echo "== $* (${SECONDS} s)" >&2; }

# Least seconds and greatest memory (KB) of a measurement, and what it processed.
declare -A seconds=() cpu=() peak=() rows=() tokens=() bytes=()

keep() { # KEY SECONDS CPU_SECONDS PEAK_KB
    if awk -v a="$2" -v b="${seconds[$1]-}" 'BEGIN { exit !(b == "" || a < b) }'; then
        seconds[$1]=$2
    fi
    if awk -v a="$3" -v b="${cpu[$1]-}" 'BEGIN { exit !(b == "" || a < b) }'; then
        cpu[$1]=$3
    fi
    if [ "${4:-0}" -gt "${peak[$1]:-0}" ]; then
        peak[$1]=$4
    fi
}

keep_stats() { # KEY FILE: as `bench exec` writes it
    local wall user kernel kb
    read -r wall user kernel kb <"$2"
    keep "$1" "$wall" "$(awk -v a="$user" -v b="$kernel" 'BEGIN { print a + b }')" "$kb"
}

# Run a command on the core, its output to a file.
measure() { # KEY STDOUT COMMAND...
    local key=$1 output=$2
    shift 2
    taskset -c "$core" "$bench" exec "$scratch/stats" "$output" "$@"
    keep_stats "$key" "$scratch/stats"
}

# Run benchmarks inside one process. Their keys are NAME.SUFFIX.
measure_inside() { # SUFFIX TRACE ARGUMENT...
    local suffix=$1 trace=$2 name wall cpu_s n_rows n_tokens n_bytes
    shift 2
    taskset -c "$core" "$bench" exec "$scratch/stats" "$scratch/lines" \
        "$bench" "$trace" --scratch "$scratch/inside" "${setting[@]}" "$@"
    while read -r name wall cpu_s n_rows n_tokens n_bytes; do
        keep "$name.$suffix" "$wall" "$cpu_s" 0
        rows[$name.$suffix]=$n_rows tokens[$name.$suffix]=$n_tokens bytes[$name.$suffix]=$n_bytes
    done <"$scratch/lines"
}

replay() { # KEY TRACE LOAD OPTION...
    local key=$1 trace=$2 load=$3
    shift 3
    rm -rf "$scratch/run" # not in the time: it drops the old files' pages
    measure "$key" /dev/null "$program" replay "$trace" "${setting[@]}" \
        --rate-scale "${scale[$load]}" --output "$scratch/run" "$@"
}

json_number() { # FILE OBJECT KEY: the first KEY behind OBJECT
    awk -v object="\"$2\":" -v key="\"$3\":" '
        $1 == object { inside = 1 }
        inside && $1 == key { sub(/,$/, "", $2); print $2; exit }' "$1"
}

# --- The inputs ---------------------------------------------------------------------------------

trace=${LLMSIM_SHARED:-$source/../shared}/traces/AzureLLMInferenceTrace_conv.csv
trace_name='the Azure conversation trace of 2023'
if ! [ -e "$trace" ]; then
    trace=$source/traces/azure_conv_like.csv
    trace_name='traces/azure_conv_like.csv'
fi
load_before=$(cut -d' ' -f1 /proc/loadavg)
if awk -v load="$load_before" 'BEGIN { exit !(load > 0.5) }'; then
    echo "bench.sh: the machine is not idle (load $load_before): the times will be too long" >&2
fi
say "traces"
mkdir "$scratch/inside"
big=$scratch/big.csv token_trace=$scratch/tokens_trace.csv
"$program" trace convert "$trace" --repeat 100 --output "$big" 2>/dev/null
"$program" trace convert "$trace" --repeat $token_copies --output "$token_trace" 2>/dev/null
generate() { # REQUESTS
    "$program" trace generate --requests "$1" --rate $requests_per_s --lengths-from "$trace"
}

# --- A trace of two million requests, no tokens -------------------------------------------------

declare -A queue_s=() csv_bytes=()
# shellcheck disable=SC2016,SC2054  # the program is mawk's, the comma too
add_column=(mawk -F, '{s+=$2} END {print s}' "$big")
for ((round = 1; round <= rounds; round++)); do
    say "requests, round $round of $rounds"
    measure wc /dev/null wc -l "$big"
    measure_inside parse "$big" --only parse --repeat 1
    measure mawk /dev/null "${add_column[@]}"
    for load in "${loads[@]}"; do
        measure_inside "$load" "$big" --only engine,summary,memcpy --repeat 1 \
            --rate-scale "${scale[$load]}"
        replay "summary.only.$load" "$big" "$load" --no-tokens --no-requests
        replay "requests.$load" "$big" "$load" --no-tokens
        queue_s[$load]=$(json_number "$scratch/run/summary.json" queue_s mean)
        measure mawk /dev/null "${add_column[@]}"
    done
done
rm -rf "$scratch/run"

# --- Tokens, and the step engine ----------------------------------------------------------------

for ((round = 1; round <= rounds; round++)); do
    say "tokens, round $round of $rounds"
    for load in "${loads[@]}"; do
        measure_inside "steps.$load" "$token_trace" --only engine,engine-step --repeat 1 \
            --rate-scale "${scale[$load]}"
        replay "null.$load" "$token_trace" "$load" --tokens-output /dev/null
        replay "tokens.$load" "$token_trace" "$load"
        csv_bytes[$load]=$(stat -c %s "$scratch/run/tokens.csv")
        rm -f "$scratch/copy"
        sync "$scratch/run/tokens.csv" # so that both writers begin with nothing left to write
        measure "cat.$load" "$scratch/copy" cat "$scratch/run/tokens.csv"
        rm -rf "$scratch/copy" "$scratch/run"
    done
done

# --- How cost grows -----------------------------------------------------------------------------

say "traces of ${sizes[*]} requests"
for n in "${sizes[@]}"; do
    generate "$n" >"$scratch/$n.csv"
done
for ((round = 1; round <= rounds; round++)); do
    say "sizes, round $round of $rounds"
    for n in "${sizes[@]}"; do
        measure_inside "$n" "$scratch/$n.csv" --only replay --repeat $((n < 1000000 ? 20 : 1))
        replay "size.$n" "$scratch/$n.csv" own --no-tokens --no-requests
    done
done
rm -rf "$scratch/run"
for n in "${sizes[@]}"; do
    rm "$scratch/$n.csv"
done

# Through a pipe; both ends run where the system puts them.
stream() { # KEY REQUESTS OPTION...
    local key=$1 n=$2
    shift 2
    say "$n requests through a pipe"
    rm -rf "$scratch/run"
    "$bench" exec "$scratch/generate.stats" - "$program" trace generate --requests "$n" \
        --rate $requests_per_s --lengths-from "$trace" |
        "$bench" exec "$scratch/stats" /dev/null "$program" replay - "${setting[@]}" \
            --output "$scratch/run" --no-tokens "$@"
    keep_stats "$key" "$scratch/stats"
    keep_stats "generate.$key" "$scratch/generate.stats"
    [ "$(json_number "$scratch/run/summary.json" outcomes completed)" = "$n" ]
    rm -rf "$scratch/run"
}
if ! $quick; then
    stream week $n_week
    stream week.no $n_week --no-requests
fi
if [ $n_streamed != 0 ]; then
    stream streamed $n_streamed --no-requests
fi

# --- The tables ---------------------------------------------------------------------------------

# Lines of cells with a | between, the first the header; text or Markdown. The first column and
# those in LEFT (a list of numbers) go left, the others right.
table() { # LEFT
    awk -F'|' -v markdown="$markdown" -v left=" 1 $1 " '
        function pad(text, n, to_left,    space) {
            space = sprintf("%*s", n - length(text), "")
            return to_left ? text space : space text
        }
        {
            for (i = 1; i <= NF; i++) {
                cell[NR, i] = $i
                if (length($i) > width[i])
                    width[i] = length($i)
            }
            n = NF
        }
        END {
            for (row = 1; row <= NR; row++) {
                line = ""
                for (i = 1; i <= n; i++) {
                    text = pad(cell[row, i], width[i], index(left, " " i " "))
                    line = line (markdown == "true" ? "| " text " " : (i > 1 ? "  " : "") text)
                }
                sub(/ +$/, "", line)
                print line (markdown == "true" ? " |" : "")
                if (row > 1 || markdown != "true")
                    continue
                line = ""
                for (i = 1; i <= n; i++)
                    line = line (index(left, " " i " ") ? "|---" : "|--:")
                print line "|"
            }
        }'
}

# A quotient with three digits, as 1.23 k, M or G from 1000 on; - where a side is not known.
rate() { # COUNT SECONDS
    awk -v n="$1" -v s="$2" 'BEGIN {
        if (n == "" || n == 0 || s == "" || s == 0) { print "-"; exit }
        x = n / s
        split(" k M G T", unit, " ")
        for (i = 0; x >= 999.5 && i < 4; i++)
            x /= 1000
        decimals = x < 9.995 ? 2 : (x < 99.95 ? 1 : 0)
        printf("%.*f%s\n", decimals, x, i > 0 ? " " unit[i] : "")
    }'
}
fixed() { # DECIMALS VALUE [FACTOR [DIVISOR]]
    awk -v d="$1" -v x="${2:-}" -v f="${3:-1}" -v by="${4:-1}" \
        'BEGIN { if (x == "" || x == 0 || by == 0) print "-"; else printf "%.*f\n", d, x * f / by }'
}
megabytes() { fixed 1 "${1:-}" 1024 1000000; }

# One line of the first table. A row is a row of the trace, or of tokens.csv where it writes that.
row() { # WHAT LOAD KEY ROWS REQUESTS TOKENS YARDSTICK YARDSTICK_KEY GOAL
    local s=${seconds[$3]}
    echo "$1|$2|$(fixed 3 "$s")|$(rate "$4" "$s")|$(rate "$5" "$s")|$(rate "$6" "$s")|$(
        fixed 0 "$s" 1000000000 "$5"
    )|$(megabytes "${peak[$3]-}")|$7|$(fixed 3 "${seconds[$8]}")|$(fixed 2 "$s" 1 "${seconds[$8]}")|$(
        fixed 2 "${cpu[$3]}" 1 "${cpu[$8]}"
    )|$9"
}

main_table() {
    local load name n=${rows[parse.parse]} n_tokens=${tokens[parse.parse]}
    local m=${rows[engine.steps.own]} m_tokens=${tokens[engine.steps.own]}
    echo "what|load|s|rows/s|requests/s|tokens/s|ns/request|peak MB|yardstick|its s|ratio|CPU ratio|goal"
    row 'parse only' '' parse.parse "$n" "$n" '' 'wc -l' wc ''
    row 'parse only' '' parse.parse "$n" "$n" '' mawk mawk ''
    for load in "${loads[@]}"; do
        name=${load_name[$load]}
        row 'engine only' "$name" "engine.$load" '' "$n" "$n_tokens" 'memcpy of the requests' \
            "memcpy.$load" '5 M requests/s, 1 G tokens/s'
        row 'engine and summary' "$name" "summary.$load" '' "$n" "$n_tokens" \
            'memcpy of the requests' "memcpy.$load" ''
    done
    for load in "${loads[@]}"; do
        name=${load_name[$load]}
        row 'replay --no-tokens --no-requests' "$name" "summary.only.$load" "$n" "$n" \
            "$n_tokens" mawk mawk ''
        row 'replay --no-tokens' "$name" "requests.$load" "$n" "$n" "$n_tokens" \
            mawk mawk 'ratio 1.5, 64 MB'
    done
    for load in "${loads[@]}"; do
        name=${load_name[$load]}
        # What memcpy takes for the bytes of tokens.csv, at its speed over the requests.
        seconds[copy.$load]=$(awk -v s="${seconds[memcpy.own]}" -v copied="${bytes[memcpy.own]}" \
            -v bytes="${csv_bytes[$load]}" 'BEGIN { print s * bytes / copied }')
        cpu[copy.$load]=${seconds[copy.$load]}
        row 'replay, tokens to /dev/null' "$name" "null.$load" "$m_tokens" "$m" "$m_tokens" \
            'memcpy of the bytes' "copy.$load" '20 M rows/s'
        row 'replay, tokens to a file' "$name" "tokens.$load" "$m_tokens" "$m" "$m_tokens" \
            'cat to a file' "cat.$load" 'ratio 2.5'
    done
}

week_row() { # WHAT KEY
    echo "$1|$(fixed 1 "${seconds[$2]}")|$(fixed 1 "${cpu[$2]}")|$(megabytes "${peak[$2]}")|$(
        fixed 1 "${cpu[generate.$2]}"
    )|$(megabytes "${peak[generate.$2]}")|60 s, 64 MB"
}

week_table() {
    echo "what|s|CPU s|peak MB|generate, CPU s|generate, peak MB|goal"
    week_row 'replay - --no-tokens' week
    week_row 'replay - --no-tokens --no-requests' week.no
}

size_costs=() # CPU ns/request of every size: inside, and of the program where it reads a pipe
size_table() {
    echo "requests|from|inside, s|CPU ns/request|the program, s|CPU ns/request|peak MB"
    for n in "${sizes[@]}"; do
        echo "$n|a file|$(fixed 4 "${seconds[replay.$n]}")|$(
            fixed 0 "${cpu[replay.$n]}" 1000000000 "$n"
        )|$(fixed 4 "${seconds[size.$n]}")|$(fixed 0 "${cpu[size.$n]}" 1000000000 "$n")|$(
            megabytes "${peak[size.$n]}"
        )"
    done
    [ $n_streamed = 0 ] ||
        echo "$n_streamed|a pipe|-|-|$(fixed 4 "${seconds[streamed]}")|$(
            fixed 0 "${cpu[streamed]}" 1000000000 $n_streamed
        )|$(megabytes "${peak[streamed]}")"
}
for n in "${sizes[@]}"; do
    size_costs+=("$(fixed 3 "${cpu[replay.$n]}" 1000000000 "$n")")
done
[ $n_streamed = 0 ] || size_costs+=("$(fixed 3 "${cpu[streamed]}" 1000000000 $n_streamed)")

engine_table() {
    local load
    echo "load|requests|tokens|step engine, s|fast engine, s|speed-up"
    for load in "${loads[@]}"; do
        echo "${load_name[$load]}|${rows[engine.steps.$load]}|${tokens[engine.steps.$load]}|$(
            fixed 4 "${seconds[engine-step.steps.$load]}"
        )|$(fixed 4 "${seconds[engine.steps.$load]}")|$(
            fixed 1 "${seconds[engine-step.steps.$load]}" 1 "${seconds[engine.steps.$load]}"
        )"
    done
}

compiler() {
    local cache=${program%/*}/CMakeCache.txt cc
    cc=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$cache" 2>/dev/null | head -1)
    "${cc:-cc}" --version | head -1
}

wrapped() {
    fold -s -w 104 | sed 's/ *$//'
}

report() {
    local commit load
    commit=$(git -C "$source" rev-parse --short HEAD 2>/dev/null || echo unknown)
    git -C "$source" diff --quiet HEAD -- src include 2>/dev/null || commit="$commit with changes"
    echo "Machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores," \
        "$(awk '/^MemTotal/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo); load $load_before" \
        "before the run. Compiler: $(compiler). llmsim at commit $commit," \
        "$("$program" --version | head -1). The least of $rounds rounds$(
            $quick && echo ', with small inputs (--quick)'
        )." | wrapped
    echo
    echo "Input: $trace_name, 100 times end to end (${rows[parse.parse]} requests," \
        "${tokens[parse.parse]} output tokens, $(
            fixed 0 "$(stat -c %s "$big")" 1 1000000
        ) MB). The runs with tokens write ${tokens[engine.steps.own]} rows." | wrapped
    echo
    for load in "${loads[@]}"; do
        echo "- ${load_name[$load]}: --rate-scale ${scale[$load]}, mean queue time $(
            fixed 3 "${queue_s[$load]}"
        ) s."
    done
    echo
    main_table | table '2 9 13'
    echo
    echo "Fast engine against step engine, requests in memory, no output:"
    echo
    engine_table | table ''
    if ! $quick; then
        echo
        echo "A week, $n_week requests, trace generate | replay:"
        echo
        week_table | table '7'
    fi
    echo
    echo "Cost by size, at $requests_per_s requests/s, --no-tokens --no-requests; the dearest" \
        "request takes $(printf '%s\n' "${size_costs[@]}" | sort -g |
            awk 'NR == 1 { least = $1 } { most = $1 } END { printf "%.2f", most / least }'
        ) times the processor time of the cheapest (goal: 1.5):" | wrapped
    echo
    size_table | table '2'
}

report >"$scratch/report"
if [ -z "$update" ]; then
    cat "$scratch/report"
    exit
fi
awk -v report="$scratch/report" '
    $0 == "<!-- bench:begin -->" {
        print
        print ""
        while ((getline line <report) > 0)
            print line
        print ""
        inside = 1
    }
    $0 == "<!-- bench:end -->" { inside = 0; found = 1 }
    !inside { print }
    END { exit !found }' "$update" >"$scratch/updated" || {
    echo "bench.sh: $update has no lines <!-- bench:begin --> and <!-- bench:end -->" >&2
    cat "$scratch/report"
    exit 1
}
cp "$scratch/updated" "$update"
