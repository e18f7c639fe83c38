#!/bin/bash
# Every picture that `llmsim plot` draws: it is there, has the right size, gnuplot had nothing to say,
# and its script runs again by hand.
# usage: plots.sh LLMSIM SOURCE_DIR
set -euo pipefail
llmsim=$(realpath "$1")
source=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LLMSIM_DATA=$source/data
cd "$scratch"
n_checked=0

fail() {
    echo "plots.sh: $*" >&2
    exit 1
}

# FILE.png has WIDTH times HEIGHT pixels, and is not of one colour: that would pack to far less.
check_png() { # FILE WIDTHxHEIGHT
    local size bytes
    size=$(od -A n -t u1 -j 16 -N 8 "$1" | awk '{
        print (($1 * 256 + $2) * 256 + $3) * 256 + $4 "x" (($5 * 256 + $6) * 256 + $7) * 256 + $8 }')
    [ "$(head -c 4 "$1" | tail -c 3)" = PNG ] || fail "$1 is no PNG"
    [ "$size" = "$2" ] || fail "$1 has $size pixels; expected $2"
    bytes=$(stat -c %s "$1")
    [ "$bytes" -gt 9000 ] || fail "$1 has $bytes bytes: is it empty?"
    n_checked=$((n_checked + 1))
}

# DIR/plots has the picture in all formats, and its script draws it again.
check_picture() { # DIR NAME WIDTH HEIGHT
    local svg=$1/plots/$2.svg
    check_png "$1/plots/$2.png" "$3x$4"
    grep -q "^ width=\"$3\" height=\"$4\"" "$svg" || fail "$svg has not the size $3x$4"
    [ "$(grep -c '<path' "$svg")" -gt 5 ] || fail "$svg has next to no paths"
    [ "$(wc -l <"$1/plots/$2.txt")" -ge 40 ] || fail "$1/plots/$2.txt is too short"
    cp "$1/plots/$2.png" first.png
    rm "$1/plots/$2.png"
    (cd "$1/plots" && gnuplot -d "$2.gp") 2>message
    [ ! -s message ] || fail "gnuplot $2.gp: $(cat message)"
    cmp -s "$1/plots/$2.png" first.png || fail "$2.gp draws another picture by hand"
}

# The picture has a list, in two columns, of the points on fronts, up to 24.
pareto_height() { # DIR
    awk -F, 'NR > 1 { points[$2] = 1 }
        END { n = length(points); print 480 + 44 + 15 * int(((n < 24 ? n : 24) + 1) / 2) }' \
        "$1/plots/pareto.csv"
}

plot() { # as llmsim plot, in all formats; nothing may be said
    "$llmsim" plot "$@" --format png,svg,txt >list 2>message || fail "plot $*: $(cat message)"
    [ ! -s message ] || fail "plot $*: $(cat message)"
}

run=(--model meta-llama/Llama-2-13b-hf --gpu a6000)
"$llmsim" replay "$source/traces/azure_conv_like.csv" "${run[@]}" --rate-scale 0.06 --limit 4000 \
    --kv-cache paged --steps --output replay >table
plot replay --requests 1,17,3999
check_picture replay latency_cdf 1200 430
check_picture replay latency_time 1200 900
check_picture replay load_time 1200 860
check_picture replay tokens 1200 720

# Neither tokens nor steps: notes say what is missing, and all is drawn that there is.
"$llmsim" replay "$source/traces/azure_code_like.csv" "${run[@]}" --rate-scale 0.1 --limit 300 \
    --no-tokens --compress zst --output lean >table
"$llmsim" plot lean --format png,svg,txt >list 2>message
[ "$(grep -c '^llmsim: no \(tokens\|steps\).csv: ' message)" = 2 ] || fail "$(cat message)"
[ "$(wc -l <message)" = 2 ] || fail "$(cat message)"
check_picture lean latency_cdf 1200 430
check_picture lean latency_time 1200 900
check_picture lean load_time 1200 640

# Bursts, in a trace that begins at 0 and in one that begins in 2023: the same pictures. Between the
# bursts nothing runs, so the batch has no line there: it begins anew at each.
for begin in 0 1700000000; do
    awk -v begin=$begin 'BEGIN {
        print "arrival_s,prompt_tokens,output_tokens"
        for (i = 0; i < 90; i++)
            printf "%.3f,100,50\n", begin + 1000 * int(i / 30) + i % 30
    }' >trace.csv
    "$llmsim" replay trace.csv "${run[@]}" --replicas 2 --steps --output bursts_$begin >table
    plot bursts_$begin
    check_picture bursts_$begin load_time 1200 860
done
for file in load ttft_time itl_time e2e_sample; do
    cmp bursts_{0,1700000000}/plots/$file.csv || fail "$file.csv differs with the beginning of time"
done
n_begins=$(sed -n "/gnuplot_plot_3a/,/rgb( 68/{ /rgb( 68/d; p; }" bursts_0/plots/load_time.svg |
    grep -o 'M[0-9]' | wc -l) # and one in the legend
[ "$n_begins" = 4 ] || fail "the batch of three bursts has $((n_begins - 1)) lines"

# Nothing to draw but frames: no request, one request, requests of no time and of no output.
for rows in '' '0,100,1\n' '0,0,0\n1,0,0\n' '5,7,0\n'; do
    printf '%b' "arrival_s,prompt_tokens,output_tokens\n$rows" >trace.csv
    "$llmsim" replay trace.csv "${run[@]}" --steps --output bare >table
    plot bare
    check_png bare/plots/load_time.png 1200x860
done

# A name that gnuplot could take for a command, or SVG for a tag.
mkdir odd
name="it's \`date\` <b> \"q\" \\n %d é.csv"
cp trace.csv "odd/$name"
"$llmsim" replay "odd/$name" "${run[@]}" --steps --output odd >table
plot odd
grep -q 'it&apos;s\|it&#39;s\|it.s' odd/plots/latency_cdf.svg || fail "the title of latency_cdf.svg is lost"

# Names with every byte but those that no name has, each beside a command: the commands do not run.
mkdir names
cd names
n_names=0
for first in 1 17 33 49 65 81 97 113 129 145 161 177 193 209 225 241; do
    text=''
    for ((byte = first; byte < first + 16 && byte < 256; byte++)); do
        printf -v escaped '\\x%02x' $byte
        [ $byte = 47 ] || text+="$escaped\`>m\`$escaped"
    done
    text+="\";system(\">m\");\"';system('>m')"
    # The name of a file that was measured, and of the picture.
    printf -v name '%b.csv' "$text"
    printf 'arrival_s,prompt_tokens,output_tokens,ttft_s,e2e_s\n0,100,3,0.05,0.2\n1,100,3,,\n' >"$name"
    "$llmsim" validate "$name" "${run[@]}" --plot "|>m;$name.svg" >table || fail "validate of $name"
    grep -q '<svg' "|>m;$name.svg" || fail "validate has drawn no $name.svg"
    # The name of a model in a profile, which takes plain text only.
    printf -v model '%b' "$text"
    model=$(printf '%s' "$model" | LC_ALL=C tr -cd ' -~')
    model=${model//\"/\"\"}
    export model
    awk -v OFS=, 'BEGIN {
        print "model,gpu,tp,phase,batch_size,new_tokens,context_tokens,sum_sq_tokens,latency_s,repeat,source"
        for (n = 100; n <= 900; n += 100)
            for (b = 1; b <= 2; b++)
                print "\"" ENVIRON["model"] "\"", "a6000", 1, "prefill", b, n * b, 0, n * n * b,
                    0.005 + 0.0001 * b + 0.00005 * n * b, 0, "made"
        for (b = 1; b <= 16; b *= 2)
            for (k = 1000; k <= 4000; k += 1000)
                print "\"" ENVIRON["model"] "\"", "a6000", 1, "decode", b, b, b * k, 0,
                    0.005 + 0.00015 * b + 0.0000001 * b * k, 0, "made"
    }' >profile.csv
    "$llmsim" fit profile.csv --output fit.json --plot "<>m;$name.png" >table || fail "fit of $model"
    check_png "<>m;$name.png" 900x500
    [ ! -e m ] || fail "a command in a name with bytes from $first was run"
    rm fit.json
    n_names=$((n_names + 1))
done
[ $n_names = 16 ] || fail "only $n_names names were tried"
cd ..

# A new replay takes the pictures of the one before away, but nothing that people have put there.
cp replay/plots/latency_cdf.gp replay/plots/mine.gp
"$llmsim" replay "$source/traces/azure_conv_like.csv" "${run[@]}" --limit 10 --output replay >table
[ "$(ls replay/plots)" = mine.gp ] || fail "left beside new results: $(ls replay/plots)"
rm -r lean/requests.csv.zst
"$llmsim" replay trace.csv "${run[@]}" --output lean >table
[ ! -e lean/plots ] || fail "lean/plots is still there"

# A sweep, as its file has it.
mkdir sweep
{
    printf 'point,policy,max_num_seqs,status,error,gpus,saturated,output_tokens_per_s'
    for metric in ttft itl e2e; do
        printf ',%s_p50_s,%s_p99_s' $metric $metric
    done
    echo
    awk 'BEGIN {
        for (p = 0; p < 40; p++) {
            seqs = 2 ^ (p % 10); policy = p < 20 ? "continuous" : p < 30 ? "mixed" : "static"
            printf "%d,%s,%d,%s,,1,%s,%d", p, policy, seqs, p == 7 ? "failed" : "ok",
                p % 10 < 2 ? "yes" : "no", 100 * (p % 10) + p
            for (m = 1; m <= 6; m++)
                printf ",%g", m * (1 + p % 7) / (1 + p % 3)
            print ""
        }
    }'
} >sweep/sweep.csv
plot sweep
check_picture sweep axis_policy 1200 760
check_picture sweep axis_max_num_seqs 1200 760
check_picture sweep pareto 1200 "$(pareto_height sweep)"

# A real one, which takes pictures of an earlier table away, too.
mkdir -p real/plots
touch real/plots/old.png
head -n 1 sweep/plots/made.txt >real/plots/made.txt
echo old.png >>real/plots/made.txt
"$llmsim" sweep --trace "$source/traces/azure_conv_like.csv" "${run[@]}" --max-num-seqs 8,32 \
    --rate-scale 0.05,0.1 --limit 500 --output real >table 2>message || fail "$(cat message)"
[ ! -e real/plots ] || fail "left beside a new table: $(ls real/plots)"
plot real
check_picture real axis_max_num_seqs 1200 760
check_picture real axis_rate_scale 1200 760
check_picture real pareto 1200 "$(pareto_height real)"
grep -q "^heading = 'meta-llama/Llama-2-13b-hf on a6000'" real/plots/run.gp || fail "no heading"

echo "$n_checked pictures are as they should be"
