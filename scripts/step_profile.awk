# step_profile.awk: the measured steps of step_*.csv (docs/accuracy.md), as profile CSV (docs/fit.md).
#   awk -f step_profile.awk step_composed_*.csv step_splitwise_*.csv
# Which file it is, is told by the columns of its header.
BEGIN {
    FS = ","
    print "model,gpu,tp,phase,batch_size,new_tokens,context_tokens,sum_sq_tokens,latency_s,repeat,source"
}
function full_name(model) {
    if (model ~ /^Llama-3/)
        return "meta-llama/" model
    return "meta-llama/Llama-2-70b-hf" # also "llama2-70b" and "Llama-2-70b-hf"
}
function row(phase, batch, tokens, context, sum_sq, ms, repeat) {
    printf "%s,%s,%d,%s,%d,%.0f,%.0f,%.0f,%.9f,%d,%s\n", full_name($at["model"]), $at["gpu"], $at["tp"], phase,
        batch, tokens, context, sum_sq, ms / 1000, repeat, name
}
FNR == 1 {
    sub(/\r$/, "")
    delete at
    for (i = 1; i <= NF; i++)
        at[$i] = i
    name = FILENAME
    sub(/.*\//, "", name)
    next
}
# Composed: kernel times added up, without the CPU's launches. A chunk of p tokens after c, beside n
# decodes that read k each.
"step_ms" in at {
    p = $at["prefill_tokens"]; c = $at["prefill_kv_tokens"]
    n = $at["n_decode"]; k = $at["kv_per_decode"]
    if (p == 0)
        row("decode", n, n, n * k, 0, $at["step_ms"], 0)
    else if (n == 0)
        row("prefill", 1, p, c, (c + p) ^ 2 - c ^ 2, $at["step_ms"], 0)
    else
        row("mixed", n, p, n * k, (c + p) ^ 2 - c ^ 2, $at["step_ms"], 0)
}
# Measured end to end: a batch's prompts in one step, then the mean of its decode steps. How many
# there were follows from the times; the mean step reads what the middle one reads.
"decode_step_ms" in at && $at["suspect"] == 0 {
    b = $at["batch_size"]; p = $at["prompt_tokens_per_req"]
    row("prefill", b, b * p, 0, b * p * p, $at["prefill_ms"], $at["repeat"])
    steps = ($at["e2e_ms"] - $at["prefill_ms"]) / $at["decode_step_ms"]
    row("decode", b, b, int(b * (p + (steps + 1) / 2) + 0.5), 0, $at["decode_step_ms"], $at["repeat"])
}
