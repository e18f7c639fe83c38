#!/bin/bash
# How far off the kernel catalogue is for shapes that its fits had not seen: the tables of
# docs/kernels.md, from what the files of data/kernels say of themselves.
#
# usage: kernels_table.sh [--data DIR] [--update FILE]
#
# --data: the folder of the files (default: data/kernels). --update: write the tables into FILE, between
# its lines "<!-- kernels_table.sh -->" and "<!-- end -->"; else to standard output.
set -euo pipefail
export LC_ALL=C
source=$(cd "$(dirname "$0")/.." && pwd)
data=$source/data/kernels document=''
while [ $# -gt 0 ]; do
    case $1 in
    --data) data=$2 && shift ;;
    --update) document=$2 && shift ;;
    *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
    shift
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tables() { # the least and the greatest mean error of a kernel's variants, a column a kernel
    awk '
        function value(key,    text) { # of "key": value in this line
            if (!match($0, "\"" key "\": (\"[^\"]*\"|[-0-9.]*)"))
                return ""
            text = substr($0, RSTART, RLENGTH)
            sub(/^[^:]*: /, "", text)
            gsub(/"/, "", text)
            return text
        }
        FNR == 1 { files[++n_files] = FILENAME }
        /^  "system"/ { system_of[FILENAME] = value("system") }
        /^  "engine"/ { engine[FILENAME] = value("engine") }
        /^  "engine_version"/ { version[FILENAME] = value("engine_version") }
        /"kernel":/ {
            kernel = value("kernel")
            # The bound differs between these.
            if (kernel == "gemm")
                kernel = value("variant") ~ /^bf16/ ? "gemm bf16" : "gemm others"
            if (!(kernel in seen)) {
                seen[kernel] = 1
                kernels[++n_kernels] = kernel
            }
        }
        /"held_out":/ {
            error = value("mean_percent") + 0
            key = FILENAME SUBSEP kernel
            if (!(key in low) || error < low[key])
                low[key] = error
            if (!(key in high) || error > high[key])
                high[key] = error
        }
        END {
            printf "| system | engine |"
            for (k = 1; k <= n_kernels; k++)
                printf " %s |", kernels[k]
            printf "\n|---|---|"
            for (k = 1; k <= n_kernels; k++)
                printf "---|"
            print ""
            for (i = 1; i <= n_files; i++) {
                f = files[i]
                printf "| %s | %s %s |", system_of[f], engine[f], version[f]
                for (k = 1; k <= n_kernels; k++) {
                    key = f SUBSEP kernels[k]
                    if (!(key in low))
                        printf " – |"
                    else if (low[key] == high[key])
                        printf " %.1f |", low[key]
                    else
                        printf " %.1f–%.1f |", low[key], high[key]
                }
                print ""
            }
        }' "$data"/*.json
}

tables >"$scratch/tables"
if [ -z "$document" ]; then
    cat "$scratch/tables"
    exit 0
fi
awk -v tables="$scratch/tables" '
    /^<!-- end -->$/ { is_old = 0 }
    !is_old
    /^<!-- kernels_table.sh -->$/ {
        while ((getline line < tables) > 0)
            print line
        is_old = 1
    }' "$document" >"$scratch/document"
cp "$scratch/document" "$document"
