# silicon_rows.awk: the rows of closedloop_silicon.csv (docs/accuracy.md), each as a run of llmsim:
#   awk -f silicon_rows.awk closedloop_silicon.csv
# prints GROUP TTFT_S TPOT_S ISL OSL USERS VARIES USE OPTIONS, tabs between
# GROUP is model, system, engine, precision and GPUs; VARIES is 1 where the client drew lengths from
# 0.8 to 1.0 of what the row says; USE is "all", or why a row is left out of the medians.
#
# What the file says of a run is taken over but for five things, each plain from the file itself:
# - A product of tensor and expert parallel sizes stands in the place of the number of GPUs where both
#   are the same number over 1 (gpt-oss, DeepSeek), or are over one machine's 8 (MiniMax): these rows
#   repeat others to the digit, or to 1 %.
# - No precision: SGLang's rows are those of an 8-bit checkpoint (16-bit weights alone take longer
#   than the whole step), vLLM's of a 16-bit one.
# - KV cache in 8 bits: TensorRT-LLM (its quantised checkpoints say so) and vLLM on Blackwell, whose
#   benchmark passes --kv-cache-dtype fp8.
# - vLLM before 0.14 prepares a step when the last one is done, unless it is told not to, as that
#   benchmark of Blackwell does.
# - gpt-oss is said to be nvfp4; the checkpoint is mxfp4.
BEGIN {
    FS = ","
    OFS = "\t"
    gpu["h100_sxm"] = "NVIDIA H100 80GB HBM3"
    gpu["h200_sxm"] = "NVIDIA H200"
    gpu["b200_sxm"] = "NVIDIA B200"
}
NR == 1 {
    for (i = 1; i <= NF; i++)
        column[$i] = i
    next
}
function of(name) { return $column[name] }
{
    model = of("model"); box = of("system"); engine = of("engine")
    tp = of("tp") + 0; moe_tp = of("moe_tp") + 0; moe_ep = of("moe_ep") + 0
    dp = of("attention_dp") > 1 ? of("attention_dp") + 0 : 1
    if (moe_tp > 1 && moe_tp == moe_ep) {
        tp = dp > 1 ? 1 : moe_ep
        dp = dp > 1 ? moe_ep : 1
        moe_tp = dp > 1 ? 1 : moe_tp
        moe_ep = dp > 1 ? moe_ep : (model ~ /DeepSeek/ ? moe_ep : 1)
    }
    if (tp * dp > 8) {
        dp = 1
        moe_ep = tp
    }
    if (dp == 1 && moe_tp * moe_ep > tp && moe_tp * moe_ep <= 8)
        dp = moe_tp * moe_ep / tp
    precision = of("gemm") != "" ? of("gemm") : (engine == "sglang" ? "fp8_block" : "bf16")
    if (model ~ /FP8$|DeepSeek|MiniMax/)
        dtype = "auto"
    else if (model ~ /gpt-oss/)
        dtype = "auto"
    else
        dtype = precision
    kv = engine == "trtllm" && model !~ /gpt-oss/ || engine == "vllm" && box ~ /^[bg]/ ? "fp8" : "auto"
    options = "--model " model " --gpu '" gpu[box] "' --server " engine " --tensor-parallel-size " tp
    if (dp > 1)
        options = options " --data-parallel-size " dp
    if (moe_ep > 1)
        options = options " --enable-expert-parallel"
    if (dtype != "auto")
        options = options " --dtype " dtype
    if (kv != "auto")
        options = options " --kv-cache-dtype " kv
    if (engine == "vllm" && (of("version") ~ /^0\.1[0-3]\./ || (of("version") == "" && box ~ /^h100/)))
        options = options " --no-async-scheduling"
    use = "all"
    if (model ~ /235B/)
        use = "no CUDA graphs"
    varies = of("measured") != "" && (of("isl") == 1024 || of("isl") == 8192) ? 1 : 0
    group = model " on " box " under "  engine " | " (dtype == "auto" ? "as published" : dtype) " | " tp * dp
    print group, of("ttft_ms") / 1000, of("tpot_ms") / 1000, of("isl"), of("osl"), of("concurrency"), \
        varies, use, options
}
