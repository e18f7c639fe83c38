#!/bin/bash
# Draw the latencies of a run: how TTFT and the gaps between tokens (ITL) are distributed, and TTFT
# over time. usage: plot_latency.sh RESULTS_DIR [PICTURE.png]   (default: RESULTS_DIR/latency.png)
#
# What gnuplot gets is small: about 200,000 rows of each file, evenly spaced, give the curves. The
# percentiles in the headings are the exact ones of summary.json.
set -euo pipefail
export LC_ALL=C
if [ $# = 0 ] || [ $# -gt 2 ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
picture=${2-$dir/latency.png}
max_rows=200000
for part in summary.json requests.csv; do
    if [ ! -e "$dir/$part" ] && [ ! -e "$dir/$part.zst" ]; then
        echo "plot_latency.sh: $dir has no $part; expected the results of llmsim replay" >&2
        exit 2
    fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

value() { # OBJECT KEY: of summary.json, without quotes; a number to three digits
    tr -d '\n\t' <"$dir/summary.json" | grep -oE "\"$1\": *\{[^}]*" |
        grep -oE "\"$2\": *(\"[^\"]*\"|[^,]*)" | head -n 1 | sed 's/^[^:]*: *//' |
        tr -d "\"'\\\\" | awk '/^[0-9.e+-]+$/ { printf "%.3g\n", $0; next } { print }'
}

percentiles() { # OBJECT
    echo "p50 $(value "$1" p50) s, p90 $(value "$1" p90) s, p99 $(value "$1" p99) s"
}

# Every how many rows of FILE to take one, by its size and the length of its first rows.
stride() { # FILE
    local bytes sample
    bytes=$(stat -L -c %s "$1")
    sample=$(head -n 1001 "$1" | wc -c)
    echo $((bytes * 1000 / (sample + 1) / max_rows + 1))
}

# Values on standard input, one a line, to $work/NAME.cdf, and what the axes need to $work/vars.gp.
distribution() { # NAME
    sort -g | awk -v name="$1" -v cdf="$work/$1.cdf" '
        { v[NR] = $1 }
        END {
            printf "%s_n = %d\n", name, NR
            if (NR == 0)
                exit
            for (i = 0; i <= 1000; i++)
                print v[1 + int(i / 1000 * (NR - 1))], i / 1000 > cdf
            low = v[1] > 0 ? v[1] : 1e-6
            high = v[NR] > low ? v[NR] : 2 * low
            printf "%s_low = %g\n%s_high = %g\n", name, low, name, high
        }' >>"$work/vars.gp"
}

# A run with --compress zst left FILE.zst.
for file in requests.csv tokens.csv; do
    if [ -e "$dir/$file.zst" ]; then
        zstd -qdc "$dir/$file.zst" >"$work/$file"
    elif [ -e "$dir/$file" ]; then
        ln -s "$(realpath "$dir/$file")" "$work/$file"
    fi
done

# Commas inside a quoted request_id only move the other fields to the right.
awk -F, -v k="$(stride "$work/requests.csv")" '
    NR == 1 { n = NF; next }
    NR % k == 0 && $(7 + NF - n) != "" { print $(2 + NF - n), $(7 + NF - n) }
    ' "$work/requests.csv" >"$work/arrivals"
cut -d' ' -f2 "$work/arrivals" | distribution ttft

if [ -e "$work/tokens.csv" ]; then
    awk -F, -v k="$(stride "$work/tokens.csv")" '
        NR == 1 { n = NF; next }
        NR % k == 0 && $(2 + NF - n) > 0 { print $(4 + NF - n) }' "$work/tokens.csv"
fi | distribution itl

# Arrivals in the unit that suits how long the trace is.
sort -g "$work/arrivals" | awk -v vars="$work/vars.gp" '
    { t[NR] = $1; v[NR] = $2 }
    END {
        span = t[NR] - t[1]
        unit = span > 7200 ? 3600 : span > 300 ? 60 : 1
        name = unit == 3600 ? "h" : unit == 60 ? "min" : "s"
        for (i = 1; i <= NR; i++)
            printf "%.9g %s\n", t[i] / unit, v[i]
        printf "time_unit = \"%s\"\n", name >> vars
        printf "time_low = %.9g\ntime_high = %.9g\n", t[1] / unit,
            (span > 0 ? t[NR] : t[1] + 1) / unit >> vars
    }' >"$work/ttft.time"

# Median and p99 of TTFT in sixty spans of time, at the middle of each.
awk '
    { t[NR] = $1; v[NR] = $2 }
    END {
        width = (t[NR] - t[1]) / 60
        for (i = 1; i <= NR; i++) {
            bin = width > 0 ? int((t[i] - t[1]) / width * 0.999999) : 0
            printf "%.9g %s\n", t[1] + (bin + 0.5) * width, v[i]
        }
    }' "$work/ttft.time" | sort -k1,1g -k2,2g | awk '
    function flush() {
        if (n > 0)
            print at, v[int((n + 1) / 2)], v[int(0.99 * (n - 1)) + 1]
        n = 0
    }
    $1 != at { flush(); at = $1 }
    { v[++n] = $2 }
    END { flush() }' >"$work/ttft.bins"

{
    echo "ttft_percentiles = '$(percentiles ttft_s)'"
    echo "itl_percentiles = '$(percentiles itl_s)'"
    echo "heading = '$(value model name) on $(value gpu name), $(value settings policy) batching," \
        "$(value trace name) at $(value settings rate_scale) times its rate'"
} >>"$work/vars.gp"

gnuplot -e "work = '$work'; picture = '$picture'" "$here/plot_latency.gp"
echo "$picture"
