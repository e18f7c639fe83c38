# silicon_tables.awk: errors of the closed-loop benchmarks, by group and over all, as Markdown.
#   awk -f silicon_tables.awk [-v errors=FILE] predicted.txt     (accuracy_silicon.sh)
# With `errors`, also a JSON object of errors by method and kind of model there; with `is_short`, only the
# first table.
BEGIN {
    FS = "\t"
}
function sort_list(list, n,    i, j, t) {
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
            t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
        }
}
# Linear between the two nearest ranks.
function quantile(key, q,    n, list, i, at, low) {
    n = count[key]
    for (i = 1; i <= n; i++)
        list[i] = values[key, i]
    sort_list(list, n)
    at = 1 + q * (n - 1)
    low = int(at)
    return low < n ? list[low] + (at - low) * (list[low + 1] - list[low]) : list[n]
}
function add(key, value) {
    values[key, ++count[key]] = value
}
function absolute(x) { return x < 0 ? -x : x }
function note(key, tpot, ttft) {
    if (!(key in known)) {
        known[key] = 1
        keys[++n_keys] = key
    }
    add(key "/tpot", absolute(tpot))
    add(key "/ttft", absolute(ttft))
    add(key "/bias", tpot)
    add(key "/ttft bias", ttft)
}
# The head of a table whose first column falls into three.
function wider(head_) {
    sub(/\|---\|/, "|---|---|---|", head_)
    return head_
}
function row(name, key) {
    printf "| %s | %d | %+.1f %% | %.1f %% | %.1f %% | %+.1f %% | %.1f %% |\n", name, count[key "/tpot"],
        quantile(key "/bias", 0.5), quantile(key "/tpot", 0.5), quantile(key "/tpot", 0.9),
        quantile(key "/ttft bias", 0.5), quantile(key "/ttft", 0.5)
}
{
    tpot = 100 * ($9 / $8 - 1)
    ttft = 100 * ($7 / $6 - 1)
    split($1, part, " on ")
    kind = part[1] ~ /MiniMax|235B|DeepSeek|gpt-oss/ ? "experts" : "dense"
    engine = part[2]
    sub(/^.* under /, "", engine)
    sub(/[, ].*/, "", engine)
    note("group " $1, tpot, ttft)
    if ($5 != "all") {
        n_left_out[$5]++
        next
    }
    note(kind " under " engine, tpot, ttft)
    note(kind ", all engines", tpot, ttft)
    note("errors " $10 " " kind, tpot, ttft)
}
END {
    head = "| runs | TPOT, bias | median | p90 | TTFT, bias | median |\n|---|---|---|---|---|---|---|"
    print "| kind " head
    for (i = 1; i <= n_keys; i++)
        if (keys[i] !~ /^(group|errors) /)
            row(keys[i], keys[i])
    for (use in n_left_out)
        printf "\n%d runs are left out of these: %s.\n", n_left_out[use], use
    if (is_short)
        exit
    print "\n| server | weights | GPUs " wider(head)
    for (i = 1; i <= n_keys; i++)
        if (keys[i] ~ /^group /)
            row(substr(keys[i], 7), keys[i])
    if (errors == "")
        exit
    separator = "{"
    for (i = 1; i <= n_keys; i++)
        if (keys[i] ~ /^errors /) {
            key = keys[i]
            printf "%s\n    \"%s\": {\"runs\": %d, \"tpot_median_percent\": %.1f, \"tpot_p90_percent\": %.1f, \"ttft_median_percent\": %.1f, \"ttft_p90_percent\": %.1f}",
                separator, substr(key, 8), count[key "/tpot"], quantile(key "/tpot", 0.5), quantile(key "/tpot", 0.9),
                quantile(key "/ttft", 0.5), quantile(key "/ttft", 0.9) >errors
            separator = ","
        }
    print "\n}" >errors
}
