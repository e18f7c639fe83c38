#!/bin/bash
# The goals of docs/accuracy.md, held against what scripts/accuracy.sh finds in the shared
# measurements; skipped, saying so, where they are not.
#
# usage: accuracy.sh PROGRAM SOURCE SHARED
set -euo pipefail
tables=$("$2/scripts/accuracy.sh" --program "$1" "$3/data/truth")
if [ -z "$tables" ]; then
    echo "skipped: there are no measurements in $3/data/truth"
    exit 0
fi
# Median errors of TPOT at numbers of users that were not fitted; the worst server has 10.4 %.
"$2/scripts/accuracy_closed_loop.sh" --program "$1" "$3/data/truth" | awk -F ' *[|] *' '
    NR > 2 {
        n_servers++
        if ($6 + 0 > 12) {
            printf "%s on %s: %s of TPOT is over 12 %%\n", $2, $3, $6
            failed = 1
        }
    }
    END {
        if (n_servers < 10) {
            print "servers are missing: " n_servers + 0
            failed = 1
        }
        exit failed
    }'
# Closed loops of servers that nothing was fitted to: medians of TPOT over groups of runs, about a
# tenth to a half above what they are.
"$2/scripts/accuracy_silicon.sh" --program "$1" "$3/data/truth" | awk -F ' *[|] *' '
    BEGIN {
        goals["dense under vllm"] = 5.5
        goals["dense, all engines"] = 8
        goals["experts, all engines"] = 14
        n_groups = 3
    }
    $2 in goals {
        n_groups--
        if ($5 + 0 > goals[$2]) {
            printf "%s: a median of %s of TPOT is over %s %%\n", $2, $5, goals[$2]
            failed = 1
        }
    }
    END {
        if (n_groups != 0) {
            print "groups of runs are missing: " n_groups
            failed = 1
        }
        exit failed
    }'
echo "$tables" | awk -F ' *[|] *' '
    function check(value, goal, what) {
        if (value != "–" && value + 0 > goal) {
            printf "%s: %s is over %s %%\n", what, value, goal
            failed = 1
        }
    }
    /^\| meta/ {
        what = $2 " on " $3 " x" $4
        check($6, 3, what ", decode")
        check($8, 5, what ", prefill > 256 tokens")
        check($10, 8, what ", prefill")
        check($12, 8, what ", mixed")
        if ($6 + 0 > $7 + 0 || $10 + 0 > $11 + 0)
            check(100, 0, what ": the two-number model is better")
        n_steps++
    }
    / vLLM \|/ {
        check($5, 3, $2 ", static batches")
        n_batches++
    }
    END {
        if (n_steps < 9 || n_batches < 4)
            check(100, 0, "rows are missing: " n_steps " of steps, " n_batches " of batches")
        exit failed
    }'
