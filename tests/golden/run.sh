#!/bin/bash
# Golden command tests. A case is a folder here:
#
#   NAME/cmd     shell commands, run in an empty directory with `llmsim` on the PATH, the catalogues
#                of the source tree, and the source tree itself in $SOURCE
#   NAME/stdout  its exact standard output
#   NAME/exit    its exit code
#   NAME/stderr  its exact standard error; without this file standard error may be anything
#
# usage: run.sh [--program PATH] [--update] [NAME...]      (no NAME: all)
#
# --update writes what the program does now into the folders; read the diff before you commit it.
# A new case needs only its cmd. --update makes its stderr file if the exit code is not 0.
set -euo pipefail
golden=$(cd "$(dirname "$0")" && pwd)
SOURCE=$(cd "$golden/../.." && pwd)
program=$SOURCE/build/release/llmsim
update=false
names=()

while [ $# -gt 0 ]; do
    case $1 in
    --program) program=$(realpath "$2") && shift ;;
    --update) update=true ;;
    -*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) names+=("$1") ;;
    esac
    shift
done
if [ ${#names[@]} = 0 ]; then
    for cmd in "$golden"/*/cmd; do
        names+=("$(basename "$(dirname "$cmd")")")
    done
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export SOURCE LLMSIM_DATA=$SOURCE/data LC_ALL=C
PATH=$(dirname "$program"):$PATH

run_case() { # NAME: leaves stdout, stderr and exit in $scratch
    rm -rf "$scratch/work" && mkdir "$scratch/work"
    local code=0
    (cd "$scratch/work" && exec bash -u "$golden/$1/cmd") \
        >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || code=$?
    echo $code >"$scratch/exit"
}

check_case() { # NAME
    local same=true
    for file in exit stderr stdout; do
        if [ -e "$golden/$1/$file" ] || [ $file != stderr ]; then
            diff -u --label "$1/$file" --label "what llmsim does" \
                "$golden/$1/$file" "$scratch/$file" || same=false
        fi
    done
    # The exit code alone says little: show what came with it.
    cmp -s "$golden/$1/exit" "$scratch/exit" || cat "$scratch/stderr"
    $same
}

update_case() { # NAME
    cp "$scratch/stdout" "$scratch/exit" "$golden/$1/"
    if [ -e "$golden/$1/stderr" ] || [ "$(cat "$scratch/exit")" != 0 ]; then
        cp "$scratch/stderr" "$golden/$1/"
    fi
}

failed=()
for name in "${names[@]}"; do
    run_case "$name"
    if $update; then
        update_case "$name"
    else
        check_case "$name" || failed+=("$name")
    fi
done
if $update; then
    echo "${#names[@]} golden cases written"
elif [ ${#failed[@]} != 0 ]; then
    printf '%s\n' "${#failed[@]} of ${#names[@]} golden cases differ: ${failed[*]}" \
        "if that is as it should be: tests/golden/run.sh --update ${failed[*]}"
    exit 1
else
    echo "${#names[@]} golden cases agree"
fi
