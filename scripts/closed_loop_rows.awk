# closed_loop_rows.awk: the closed-loop benchmarks of closedloop_aic_silicon.csv (docs/accuracy.md), a line a
# row: MODEL,SERVER,ISL,OSL,USERS,TTFT_S,TPOT_S,BLOCKS,fit|test
#   sort -t, -k1,6 -k7,7n -k8,8n -k9,9n closedloop_aic_silicon.csv | awk -f closed_loop_rows.awk models.csv -
# SERVER names GPU, engine, version and tensor parallel size. BLOCKS of 16 tokens are what 90 % of the
# memory leaves beside the weights; the 8-bit checkpoints that TensorRT-LLM runs have an 8-bit KV cache,
# vLLM keeps 16 bits. Of each (server, ISL, OSL) every second number of users is to be
# fitted, and where the KV cache of all users does not fit, none.
BEGIN {
    FS = OFS = ","
    memory["h100_sxm"] = 80e9
    memory["h200_sxm"] = 141e9
}
FNR == NR {
    n = split($1, names, / *\/ */)
    for (i = 1; i <= n; i++) {
        weights[names[i]] = $(NF - 1)
        kv[names[i]] = $NF
    }
    next
}
$1 ~ /\// && $10 > 0 {
    name = $1
    sub(/.*\//, "", name)
    server = $2 " " $3 ($4 != "" ? " " $4 : "") " x" $6
    bytes = weights[name] * ($5 == "fp8" ? 0.5 : 1)
    kv_bytes = kv[name] * ($5 == "fp8" && $3 == "trtllm" ? 0.5 : 1)
    blocks = int((0.9 * memory[$2] * $6 - bytes) / (16 * kv_bytes))
    fits = $9 * int(($7 + $8 + 15) / 16) <= blocks
    use = seen[server, $7, $8]++ % 2 == 0 && fits ? "fit" : "test"
    print $1, server, $7, $8, $9, $10 / 1000, $11 / 1000, blocks, use
}
