#!/bin/bash
# The shared library exports what the public headers mark LLMSIM_API, and nothing else.
# usage: exports.sh LIBRARY.so INCLUDE_DIR
set -euo pipefail
export LC_ALL=C
library=$1 include=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

nm -D --defined-only "$library" | awk '{ print $NF }' | sed 's/@.*//' | sort >"$scratch/exported"

# After the preprocessor a declaration is all up to the ';', and the marked name is the first that
# is followed by '(' or '['.
echo '#include "llmsim/llmsim.h"' | ${CC:-cc} -E -P -I"$include" - |
    tr '\n' ' ' | sed 's/[;{}]/&\n/g' | grep visibility | grep -oE '\bllmsim_[a-z0-9_]+ *[[(]' |
    tr -d ' [(' | sort -u >"$scratch/declared"

if ! [ -s "$scratch/declared" ]; then
    echo "found no LLMSIM_API declaration under $include" && exit 1
fi
if grep -v '^llmsim_' "$scratch/exported"; then
    echo "these exported symbols are not named llmsim_…" && exit 1
fi
if ! diff -u --label "declared LLMSIM_API" --label "exported" "$scratch/declared" "$scratch/exported"
then
    exit 1
fi
echo "$(wc -l <"$scratch/exported") symbols exported, all of them declared LLMSIM_API"
