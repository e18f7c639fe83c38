#!/bin/bash
# Commands that are killed at each call that changes the file system, or for which that call fails:
# results are those of before or of after, never some of each with a summary.json beside them; files of
# others stay; and the next run finds nothing in its way and leaves nothing lying about.
# usage: faults.sh LLMSIM FAULTS.so SOURCE_DIR
set -euo pipefail
llmsim=$(realpath "$1") faults=$(realpath "$2") source=$(realpath "$3")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
cp -r "$source/data" data
export LLMSIM_DATA=$scratch/data LC_ALL=C
run=(--model meta-llama/Llama-2-13b-hf --gpu a6000)
printf 'arrival_s,prompt_tokens,output_tokens\n0,100,4\n1,50,3\n' >a.csv
printf 'arrival_s,prompt_tokens,output_tokens\n0,70,2\n1,x,3\n2,90,5\n' >b.csv

fail() {
    echo "faults.sh: $*" >&2
    exit 1
}

# What is in DIR, but for unfinished files and the one of the path $unlisted.
unlisted=none
list() { # DIR
    (cd "$1" && find . ! -name '*.tmp.llmsim.*' ! -path "./$unlisted" \( -type f -exec sha256sum {} + -o ! -type d -print \) | sort)
}
has_unfinished() { # DIR
    [ -n "$(find "$1" -name '*.tmp.llmsim.*')" ]
}

# The Nth call strikes; the status of the command is left in `code`. false: there is no Nth.
with_fault() { # VARIABLE N COMMAND...
    code=0
    # The inner shell is the one that would report the kill.
    (
        env "$1=$2" LD_PRELOAD="$faults" "${@:3}" >said 2>&1
        exit $?
    ) 2>/dev/null || code=$?
    grep -q '^fault: ' said
}

# A directory before, the command, the same directory after: all ways that the command can be
# disturbed. CHECK is called after each as: CHECK killed|failed.
n_struck=0
each_fault() { # BEFORE CHECK COMMAND... , which works on `out`
    local before=$1 check=$2 n
    shift 2
    for variable in LLMSIM_FAULT_KILL_AT LLMSIM_FAULT_FAIL_AT; do
        for ((n = 1; ; n++)); do
            rm -rf out
            [ "$before" = none ] || cp -rp "$before" out
            with_fault $variable $n "$@" || break
            if [ $variable = LLMSIM_FAULT_KILL_AT ]; then
                [ "$code" = 137 ] || fail "call $n should have killed $*: exit $code: $(cat said)"
                $check killed || fail "killed at $n: $*: $(cat said)"
            else
                [ "$code" -lt 128 ] || fail "call $n: $*: exit $code: $(cat said)"
                $check failed || fail "failed at $n: $*: $(cat said)"
            fi
            "$@" >said 2>&1 || fail "after fault $n: $*: $(cat said)"
            list out | diff - after >difference ||
                fail "the run after fault $n has another result: $(cat difference)"
            ! has_unfinished out || fail "left by the run after fault $n: $(find out -name '*.tmp*')"
            n_struck=$((n_struck + 1))
        done
        [ "$n" -gt 3 ] || fail "only $((n - 1)) calls of $* were seen: is the library preloaded?"
    done
}
find_after() { # BEFORE COMMAND...
    rm -rf out
    list_before=
    if [ "$1" != none ]; then
        cp -rp "$1" out
        list_before=$(list out)
    fi
    "${@:2}" >said
    list out >after
}

# Results, and what somebody else has in their directory.
replay=("$llmsim" replay b.csv "${run[@]}" --output out --on-bad-row skip)
check_results() { # killed|failed
    local now=
    [ ! -e out ] || now=$(list out)
    if [ "$1" = failed ] && [ "$code" != 0 ]; then
        [ "$now" = "$list_before" ] && { [ ! -e out ] || ! has_unfinished out; }
    elif [ -e out/summary.json ]; then
        [ "$now" = "$list_before" ] || [ "$(grep -v plots/made.txt <<<"$now")" = "$(cat after)" ]
    else
        [ "$1" = killed ]
    fi
}
find_after none "${replay[@]}"
each_fault none check_results "${replay[@]}"

"$llmsim" replay a.csv "${run[@]}" --output before --steps >table
mkdir -p before/plots/inner before/steps.csv.zst
printf '%s\n' '# made by llmsim plot, and removed with the results that it is of:' \
    run.gp load.png inner >before/plots/made.txt
echo old >before/plots/run.gp
echo old >before/plots/load.png
echo mine >before/plots/notes.txt
echo mine >before/plots/inner/notes.txt
echo mine >before/steps.csv.zst/notes.txt
echo mine >before/notes.txt
find_after before "${replay[@]}"
for file in steps.csv plots/load.png plots/run.gp plots/made.txt; do
    [ ! -e out/$file ] || fail "a stale file is left: $file"
done
[ "$(find out -name notes.txt -exec cat {} + | sort | uniq -c | xargs)" = "4 mine" ] ||
    fail "somebody's files are lost: $(find out)"
each_fault before check_results "${replay[@]}"

# A stale file that may not be removed (another user's, in a directory like /tmp) stays, with a word.
for ((n = 1; ; n++)); do
    rm -rf out
    cp -rp before out
    LLMSIM_FAULT_ERRNO=1 with_fault LLMSIM_FAULT_FAIL_AT $n "${replay[@]}" ||
        fail "no rename of steps.csv was seen"
    if grep -q '^fault: rename(out/steps.csv.tmp' said; then break; fi
done
[ "$code" = 0 ] || fail "a stale file that stays: exit $code: $(cat said)"
grep -q '^llmsim: warning: out/steps.csv is of an earlier run and may not be removed' said ||
    fail "no warning of a stale file: $(cat said)"
unlisted=steps.csv
list out | diff - after || fail "with a stale file that stays the results are others"
cmp before/steps.csv out/steps.csv
unlisted=none

# A sweep, from its beginning and from its middle: the whole table, and no line of the journal lost.
# (One whose point failed for want of a disk stays beside that of the next time.)
unlisted=journal
sweep=("$llmsim" sweep --trace a.csv "${run[@]}" --max-num-seqs "1,2,3" --jobs 1 --summaries --output out)
check_sweep() {
    local n_before=0 n=0
    [ ! -e before/journal ] || n_before=$(wc -l <before/journal)
    [ ! -e out/journal ] || n=$(wc -l <out/journal)
    { [ ! -e out/journal ] || [ -e out/manifest.json ]; } && [ "$n" -ge "$n_before" ]
}
rm -rf before
find_after none "${sweep[@]}"
each_fault none check_sweep "${sweep[@]}"
cp -rp out before
head -n 1 out/journal >before/journal
printf '1 0 01' >>before/journal
rm before/sweep.csv
find_after before "${sweep[@]}"
each_fault before check_sweep "${sweep[@]}"
# No memory for a line is not the end of the journal, nor is a disk that cannot be read.
unlisted=none
rm -rf out
cp -rp before out
list out >after
for n in 1 2; do
    with_fault LLMSIM_FAULT_GETLINE_AT $n "${sweep[@]}" || fail "getline $n was not seen"
    [ "$code" = 1 ] || fail "getline $n: exit $code: $(cat said)"
    grep -q 'out of memory' said || fail "getline $n: exit $code: $(cat said)"
    LLMSIM_FAULT_ERRNO=5 with_fault LLMSIM_FAULT_GETLINE_AT $n "${sweep[@]}" || fail "getline $n"
    [ "$code" = 5 ] || fail "getline $n with EIO: exit $code: $(cat said)"
    list out | diff - after || fail "getline $n: the sweep has changed"
done

# A catalogue has all of its bytes, old or new.
add=("$llmsim" profile model --config "$source/tests/data/configs/mistralai/Mixtral-8x7B-v0.1.json" --name me/new --data out)
check_catalogue() { # killed|failed
    local now
    now=$(list out)
    [ "$now" = "$list_before" ] || [ "$now" = "$(cat after)" ]
}
rm -rf before
cp -r data before
find_after before "${add[@]}"
each_fault before check_catalogue "${add[@]}"
echo "$n_struck faults: nothing mixed, nothing lost, nothing left"
