# batch_profile.awk: the static batches of batch_argonne.csv (docs/accuracy.md), as profile CSV
# (docs/fit.md), or as a list of what to predict.
#   awk -v want=fit -f batch_profile.awk models.csv batch_argonne.csv     profile of the fit rows
#   awk -v want=test -f batch_profile.awk models.csv batch_argonne.csv    GPU,MODEL,LENGTH,BATCH,SECONDS,BLOCKS
# A GPU's name here says how many there are and which engine ran: "Nvidia A100 GPU x2 vLLM". Rows
# whose batch does not fit the KV memory at once are left out of the profile: they are no static
# batch. The A100s of that benchmark have 40 GB.
BEGIN {
    FS = ","
    if (want == "fit")
        print "model,gpu,tp,phase,batch_size,new_tokens,context_tokens,sum_sq_tokens,latency_s,repeat,source"
}
FNR == 1 {
    sub(/\r$/, "")
    delete at
    for (i = 1; i <= NF; i++)
        at[$i] = i
    is_batch = "engine" in at
    next
}
# A line of models.csv may stand for two models: "Llama-3.1-8B / Meta-Llama-3-8B". Commas stand in
# quoted names of models that no batch has.
!is_batch {
    n = split_names($1, names)
    for (i = 1; i <= n; i++) {
        weights[names[i]] = $(NF - 1)
        kv[names[i]] = $NF
    }
    next
}
function split_names(text, names) {
    gsub(/ /, "", text)
    return split_by(text, names, "/")
}
function split_by(text, out, separator,    n) {
    n = 0
    while ((k = index(text, separator)) > 0) {
        out[++n] = substr(text, 1, k - 1)
        text = substr(text, k + 1)
    }
    out[++n] = text
    return n
}
$at["engine"] !~ /vLLM|TensorRT/ || $at["gpu"] !~ /^Nvidia/ || $at["suspect"] != 0 { next }
{
    model = $at["model"]
    name = model
    sub(/.*\//, "", name)
    sub(/-hf$/, "", name)
    tp = $at["tp"]; n = $at["in_out_tokens"]; b = $at["batch_size"]
    gpu = $at["gpu"] " x" tp " " $at["engine"]
    memory = $at["gpu"] ~ /A100/ ? 40e9 : 80e9
    blocks = int((0.9 * memory * tp - weights[name]) / (16 * kv[name]))
    fits = b * int((2 * n + 15) / 16) <= blocks
    steps = n - 1
    if (want == "fit" && $at["split"] == "fit" && fits)
        printf "%s,%s,1,batch,%d,%d,%.0f,%.0f,%s,0,batch_argonne.csv\n", model, gpu, b, b * n,
            b * (steps * n + steps * (steps + 1) / 2), b * n * n, $at["batch_latency_s"]
    if (want == "test" && $at["split"] == "test")
        printf "%s,%s,%d,%d,%s,%d,%d\n", gpu, model, n, b, $at["batch_latency_s"], blocks, fits
}
