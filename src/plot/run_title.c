#include "run_title.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "plot_files.h"

#define TITLE_MAX 512

static const cJSON *member(const cJSON *root, const char *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, object);
    return name != NULL ? cJSON_GetObjectItemCaseSensitive(item, name) : item;
}

double run_title_number(const cJSON *root, const char *object, const char *name, double otherwise)
{
    const cJSON *item = member(root, object, name);
    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? item->valuedouble : otherwise;
}

static const char *text_of(const cJSON *root, const char *object, const char *name)
{
    const char *text = cJSON_GetStringValue(member(root, object, name));
    return text != NULL ? text : "?";
}

/* Append to a title that has room. */
static void add(char title[static TITLE_MAX], const char *format, ...) LLMSIM_PRINTF(2, 3);
static void add(char title[static TITLE_MAX], const char *format, ...)
{
    size_t used = strlen(title);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(title + used, TITLE_MAX - used, format, args);
    va_end(args);
}

void run_title_put(struct llmsim_output *out, const cJSON *summary)
{
    char title[TITLE_MAX] = "", cut[4 * SUBTITLE_WIDTH];
    double replicas = run_title_number(summary, "settings", "replicas", 1);
    double prefill_replicas = run_title_number(summary, "settings", "prefill_replicas", 0);
    double gpus = run_title_number(summary, "settings", "tensor_parallel_size", 1);
    double blocks = run_title_number(summary, "settings", "num_gpu_blocks", 0);
    double rate_scale = run_title_number(summary, "settings", "rate_scale", 1);
    add(title, "%s on %s", text_of(summary, "model", "name"), text_of(summary, "gpu", "name"));
    if (gpus > 1)
        add(title, ", tensor parallel size %g", gpus);
    if (prefill_replicas > 0)
        add(title, ", %g prefill and %g decode replicas", prefill_replicas,
            run_title_number(summary, "settings", "decode_replicas", 0));
    else if (replicas > 1)
        add(title, ", %g replicas", replicas);
    gnuplot_text_cut(cut, sizeof cut, title, HEADING_WIDTH);
    plot_put_text(out, "heading", cut, GNUPLOT_TEXT);
    title[0] = '\0';
    add(title, "%s", text_of(summary, "trace", "name"));
    if (rate_scale < 1 || rate_scale > 1)
        add(title, " at %g times its rate", rate_scale);
    add(title, ", %s batching, max-num-seqs %g, max-num-batched-tokens %g, KV memory ",
        text_of(summary, "settings", "policy"),
        run_title_number(summary, "settings", "max_num_seqs", 0),
        run_title_number(summary, "settings", "max_num_batched_tokens", 0));
    if (blocks > 0)
        add(title, "%g blocks of %g tokens", blocks,
            run_title_number(summary, "settings", "block_size", 0));
    else
        add(title, "without limit");
    gnuplot_text_cut(cut, sizeof cut, title, SUBTITLE_WIDTH);
    plot_put_text(out, "subtitle", cut, GNUPLOT_TEXT);
}
