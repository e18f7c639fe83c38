#!/bin/bash
# Fuzz (clang with libclang-rt): build the preset, then run each target so many times.
# usage: fuzz.sh [RUNS [TARGET…]]      RUNS: 100000 by default; TARGET: all of tests/fuzz/fuzz_*.c
#
# What is worth keeping grows under build/fuzz/corpus/TARGET; a finding is left in
# build/fuzz/findings/TARGET-*. Copy it, made small (TARGET -minimize_crash=1 -runs=100000 FILE), to
# tests/fuzz/corpus/TARGET, which every test run replays.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1-100000}
shift || true
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        target=${source##*/fuzz_}
        targets+=("${target%.c}")
    done
fi
cmake --preset fuzz >build/fuzz.log
cmake --build --preset fuzz --target fuzz_targets >>build/fuzz.log
mkdir -p build/fuzz/findings
failed=()
for target in "${targets[@]}"; do
    corpus=build/fuzz/corpus/$target
    tests/fuzz/seeds.sh "$target" "build/fuzz/seeds/$target"
    mkdir -p "$corpus" "tests/fuzz/corpus/$target"
    echo "== $target"
    build/fuzz/tests/fuzz_"$target" -runs="$runs" -max_len=1500 -timeout=20 -rss_limit_mb=3000 \
        -print_final_stats=1 -dict=tests/fuzz/words.dict \
        -artifact_prefix="build/fuzz/findings/$target-" \
        "$corpus" "build/fuzz/seeds/$target" "tests/fuzz/corpus/$target" \
        >"build/fuzz/$target.log" 2>&1 || failed+=("$target")
    grep number_of_executed_units "build/fuzz/$target.log" || tail -n 30 "build/fuzz/$target.log"
done
if [ ${#failed[@]} != 0 ]; then
    echo "FOUND: ${failed[*]} (build/fuzz/findings, build/fuzz/TARGET.log)"
    exit 1
fi
