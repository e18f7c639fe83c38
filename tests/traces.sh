#!/bin/sh
# The generating commands in traces/README.md give the traces that ship, byte for byte.
# usage: traces.sh PROGRAM SOURCE_DIR
set -eu
program=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/traces"
ln -s "$program" "$work/bin/llmsim"
# shellcheck disable=SC2016 # the backquotes are Markdown's
sed -n '/^```sh$/,/^```$/{/^```/d;p}' "$source/traces/README.md" >"$work/commands.sh"
(cd "$work" && PATH="$work/bin:$PATH" sh -eu commands.sh)
n=0
for trace in "$source"/traces/*.csv; do
    cmp "$trace" "$work/traces/$(basename "$trace")"
    n=$((n + 1))
done
echo "$n traces are as generated"
[ "$n" -eq 2 ]
