#!/bin/bash
# Install what is missing, build with every compiler and sanitizer, and pass all tests.
# usage: test.sh [--long]      --long: property tests try many more cases (LLMSIM_LONG=1)
#
# What takes minutes the first time (compiling, clang-tidy) is kept under build/, so a second run
# does only what has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1-} in
'') ;;
--long) export LLMSIM_LONG=1 ;;
*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
jobs=$(nproc)
mkdir -p build
stage() { echo "== $* (${SECONDS} s)"; }

scripts/setup.sh test

stage "clang-format, shellcheck"
find include src tests \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' \) -print0 | xargs -0 clang-format --dry-run --Werror
find .ci scripts tests \( -name '*.sh' -o -path .ci/run \) -print0 | xargs -0 shellcheck

build() { # PRESET TARGET: quiet unless it fails or warns
    local log=build/$1.log
    stage "build $1"
    if ! { cmake --preset "$1" && cmake --build --preset "$1" --parallel "$jobs" --target "$2"; } \
        >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "build $1 failed; all of it is in $log"
        return 1
    fi
}
build release all
build clang all
build debug all
build asan all
build tsan thread_tests
failed=()
build tidy all || failed+=("clang-tidy")

for preset in release clang debug asan tsan; do
    stage "test $preset"
    ctest --preset $preset --parallel "$jobs" || failed+=("test $preset")
    # Why a test was skipped, in its own words.
    grep -hE '^\[SKIP\]|^skipped: ' build/$preset/Testing/Temporary/LastTest.log || true
done

stage "the same bytes from gcc -O3, gcc -O0 and clang"
tests/identity.sh build/release/llmsim build/debug/llmsim build/clang/llmsim ||
    failed+=("the same bytes")

if [ ${#failed[@]} != 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "== all tests passed in ${SECONDS} s"
