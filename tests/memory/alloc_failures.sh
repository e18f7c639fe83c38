#!/bin/bash
# Every command with each of its allocations failing in turn: it ends well, or with "out of memory"
# and exit code 1; never by a signal. Each file is then as it was or as it would be, and no other
# file is left.
# usage: alloc_failures.sh LLMSIM FAIL_ALLOC_LIBRARY SOURCE_DIR [CASE…]
#
# A few commands, and of each some 50 places, unless LLMSIM_LONG is set or cases are named.
# TRACE=1 shows the backtrace of each failure that goes wrong.
set -uo pipefail
llmsim=$(realpath "$1")
library=$(realpath "$2")
source=$(realpath "$3")
shift 3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
n_runs=0 n_wrong=0

# ---- inputs ----

mkdir data
cat >data/gpu.json <<'END'
{"NVIDIA RTX A6000": {"memory_cap": 48, "memory_bw": 768, "memory_bw_util": 60, "pcie_bw": 25, "aliases": ["A6000"]}}
END
cat >data/model.json <<'END'
{"o/m": {"num_hidden_layers": 40, "num_heads": 40, "model_size_GB": 26.03, "kvc_size_KB": 800, "hidden_size": 5120}}
END
printf '{"o/m": {"NVIDIA RTX A6000": 4164.2}}\n' >data/ptps.json
export LLMSIM_DATA=$scratch/data LC_ALL=C
cat >trace.csv <<'END'
arrival_s,prompt_tokens,output_tokens,request_id,class,priority,deadline_s
0,100,4,a,chat,1,9
0.05,2000,3,"b,c",code,0,
0.05,100,20,c,chat,0,10
20,10,0,d,,0,
END
cat >bad_rows.csv <<'END'
arrival_s,prompt_tokens,output_tokens
0,100,4
x,1,1
1,10,2
END
cat >hash_ids.jsonl <<'END'
{"timestamp": 0, "input_length": 1000, "output_length": 5, "hash_ids": [1, 2]}
{"timestamp": 10, "input_length": 600, "output_length": 5, "hash_ids": [1, 3]}
END
cat >azure.csv <<'END'
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
END
cat >spec.json <<'END'
{"trace": "trace.csv", "model": "o/m", "gpu": "a6000", "max_num_seqs": [1, 2],
 "zip": {"policy": ["continuous", "mixed"], "max-num-batched-tokens": [4096, 1.28e2]}}
END
cat >measured.csv <<'END'
arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s,cached
0,4164,2,1,1.1,0
9,4164,1,1,1,64
19,100,5,0.1,0.5,0
END
{
    echo 'model,gpu,tp,phase,batch_size,new_tokens,context_tokens,sum_sq_tokens,latency_s,repeat,source'
    for n in 64 128 256 512 1024 2048; do
        echo "o/m,NVIDIA RTX A6000,1,prefill,1,$n,0,$((n * n)),0.$((n + 1000)),0,x"
    done
    for n in 1 2 4 8 16 32; do
        for c in 100 1000; do
            echo "o/m,NVIDIA RTX A6000,1,decode,$n,$n,$((n * c)),0,0.0$((500 + n + n * c / 50)),0,x"
        done
    done
} >profile.csv
gzip -k trace.csv
zstd -q trace.csv
cp "$source/tests/data/configs/meta-llama/Llama-2-7b-hf.json" config.json

# ---- cases: a command each, whose files go to out/ ----

# Those of every run. The others take minutes.

# Those of every run. The others take minutes.
short='simulate replay convert capacity sweep fit profile_model validate'
replay='--model o/m --gpu a6000 --output out/r'
measured='validate measured.csv --model o/m --gpu a6000'
declare -A commands=(
    [simulate]='simulate --model o/m --gpu a6000 --prompt-length 10 --response-length 5 --format json'
    [replay]="replay trace.csv --steps --slo ttft=0.4 $replay"
    [replay_zstd]="replay trace.csv.zst --compress zst $replay"
    [replay_paged]="replay hash_ids.jsonl --kv-cache paged --enable-prefix-caching $replay"
    [replay_replicas]="replay trace.csv.gz --replicas 3 --router least-kv --policy mixed --queue-order edf $replay"
    [replay_pools]="replay trace.csv --prefill-replicas 1 --decode-replicas 2 --kv-link-gbps 100 --engine step $replay"
    [replay_bad_rows]="replay bad_rows.csv --on-bad-row skip $replay"
    [replay_events]="replay trace.csv --trace-events out/events.json $replay"
    [replay_loop]="replay trace.csv --max-concurrency 1 --no-tokens $replay"
    [fit]='fit profile.csv'
    [fit_write]='fit profile.csv --data out/data'
    [fit_plot]='fit profile.csv --plot out/fit.svg'
    [profile_model]='profile model --config config.json --name o/new --data out/data'
    [info]='trace info trace.csv'
    [info_json]='trace info azure.csv --output-format json'
    [convert]='trace convert trace.csv --output out/t.csv'
    [convert_zstd]='trace convert hash_ids.jsonl --to mooncake --repeat 3 --compress zst --output out/t.jsonl.zst'
    [generate]='trace generate --requests 50 --rate 2 --arrivals gamma --cv 2 --prompt-tokens lognormal:100,1 --output-tokens fixed:5 --classes a=1,b=2 --output out/g.csv'
    [generate_empirical]='trace generate --requests 50 --rate 2 --lengths-from trace.csv --output out/g.csv'
    [sweep]='sweep spec.json --jobs 2 --summaries --output out/s'
    [merge]='sweep merge shard0 shard1 --output out/m'
    [capacity]='capacity --trace trace.csv --model o/m --gpu a6000 --slo ttft=2 --jobs 1 --output out/c'
    [validate]="$measured --requests out/v.csv"
    [calibrate]="$measured --calibrate-on first:2 --tune bw"
    [validate_cached]="$measured --kv-cache paged --enable-prefix-caching --cached-column cached --format csv"
    [validate_plot]="$measured --plot out/v.svg"
    [plot_replay]='plot out/r --format txt'
    [plot_sweep]='plot out/s --format txt'
)

quiet() { "$llmsim" "$@" >/dev/null 2>&1 || echo "cannot prepare: $*"; }

# What lies in out/ before the command.
prepare() { # CASE
    mkdir out
    case $1 in
    plot_replay) quiet replay trace.csv --steps --model o/m --gpu a6000 --output out/r ;;
    plot_sweep) quiet sweep spec.json --output out/s ;;
    replay*) quiet replay azure.csv --steps --model o/m --gpu a6000 --output out/r ;;
    profile_model | fit_write) cp -r data out ;;
    merge)
        quiet sweep spec.json --shard 0/2 --output shard0
        quiet sweep spec.json --shard 1/2 --output shard1
        ;;
    sweep | capacity) ;;
    *) for file in t.csv t.jsonl.zst g.csv v.csv v.svg fit.svg; do echo old >out/$file; done ;;
    esac
}

# ---- one failure ----

wrong() { # CASE N WHAT
    echo "$1: allocation $2: $3: $(head -c 300 stderr)"
    n_wrong=$((n_wrong + 1))
    if [ -n "${TRACE-}" ]; then
        reset
        run_failing "$1" "$2" FAIL_ALLOC_TRACE=1
        grep -v -e libc.so -e fail_alloc stderr | sed 's/^/    /' | head -14
    fi
}

reset() { rm -rf out && cp -r before out; }

run_failing() { # CASE N [VARIABLE=VALUE…]: exit code in $code
    local words
    read -ra words <<<"${commands[$1]}"
    rm -f mark
    env LD_PRELOAD="$library" FAIL_ALLOC_PROGRAM=llmsim FAIL_ALLOC_MARK=mark FAIL_ALLOC_AT="$2" \
        "${@:3}" "$llmsim" "${words[@]}" >stdout 2>stderr
    code=$?
    n_runs=$((n_runs + 1))
}

# A directory of points keeps those that are finished: run again, it is complete.
finish_points() { # CASE
    local words
    read -ra words <<<"${commands[$1]}"
    "$llmsim" "${words[@]}" >again 2>&1 && diff -r -x journal -x made.txt after out >/dev/null
}

# Nothing in out/ but what was there or will be, each file one of the two; no directory counts. The
# list of the files that a plot has made so far grows with them.
check_files() {
    local file
    while IFS= read -r file; do
        [ "${file##*/}" != made.txt ] || ! grep -qvxFf "after/$file" "out/$file" || {
            echo "$file"
            return
        }
        [ "${file##*/}" != made.txt ] || continue
        cmp -s "out/$file" "before/$file" || cmp -s "out/$file" "after/$file" || {
            echo "$file"
            return
        }
    done < <(cd out && find . -type f)
    while IFS= read -r file; do
        [ -e "out/$file" ] || [ ! -e "after/$file" ] || {
            echo "$file is lost"
            return
        }
    done < <(cd before && find . -type f)
}

# On stderr, or of a point in the table that a sweep makes.
says_so() {
    grep -q 'out of memory' stderr ||
        { grep -q 'points failed; the column error of' stderr && grep -q 'out of memory' out/*/*.csv; }
}

check() { # CASE N
    local file
    if [ "$code" = 0 ]; then
        cmp -s stdout right_stdout || wrong "$1" "$2" "ends well, with another stdout"
        diff -r -x journal before out >/dev/null || diff -r -x journal after out >/dev/null ||
            wrong "$1" "$2" "ends well, with other files"
    elif [ "$code" != 1 ]; then
        wrong "$1" "$2" "exit code $code"
    elif ! says_so; then
        wrong "$1" "$2" "does not say so"
    elif [ -e out/s/journal ] || [ -e out/c/journal ] || [ -e out/m/journal ]; then
        finish_points "$1" || wrong "$1" "$2" "cannot go on: $(head -c 300 again)"
    else
        file=$(check_files)
        [ -z "$file" ] || wrong "$1" "$2" "out/$file is neither old nor new"
    fi
}

# ---- all of a command ----

count_allocations() { # CASE: in $n_allocations, by bisection
    local low=0 high=1
    while :; do
        reset && run_failing "$1" "$high" FAIL_ALLOC_COUNT=1
        [ -e mark ] || break
        low=$high high=$((high * 2))
    done
    while [ $((high - low)) -gt 1 ]; do
        local middle=$(((low + high) / 2))
        reset && run_failing "$1" "$middle" FAIL_ALLOC_COUNT=1
        if [ -e mark ]; then low=$middle; else high=$middle; fi
    done
    n_allocations=$low
}

run_command() { # CASE
    local step=1 n mode
    rm -rf out before after shard0 shard1
    prepare "$1"
    mv out before
    reset
    run_failing "$1" 1000000000
    [ "$code" = 0 ] || { wrong "$1" none "exit code $code"; return; }
    cp stdout right_stdout
    mv out after
    count_allocations "$1"
    [ "$n_allocations" -gt 5 ] || wrong "$1" none "$n_allocations allocations: is the library there?"
    [ -n "${LLMSIM_LONG-}" ] || step=$((n_allocations / 50 + 1))
    echo "$1: $n_allocations allocations, every ${step}th"
    for mode in FAIL_ALLOC_ONCE=1 FAIL_ALLOC_STICKY=1; do
        for ((n = 1; n <= n_allocations; n += step)); do
            reset
            run_failing "$1" "$n" "$mode"
            check "$1" "$n ($mode)"
        done
    done
}

names=("$@")
if [ ${#names[@]} = 0 ]; then
    if [ -n "${LLMSIM_LONG-}" ]; then names=("${!commands[@]}"); else read -ra names <<<"$short"; fi
fi
for name in "${names[@]}"; do
    run_command "$name"
done
echo "$n_runs runs, $n_wrong wrong"
[ $n_wrong = 0 ]
