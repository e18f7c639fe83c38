/* profile_csv.c: the rows of profile CSV. */
#include "profile_csv.h"

#include <stdio.h>
#include <string.h>

#include "csv_line.h"
#include "llmsim/time.h"
#include "llmsim/version.h"
#include "numfmt.h"

#define NUMBERS_ROOM 256

static void put_name(struct llmsim_output *out, const char *name)
{
    char field[2 * LLMSIM_MAX_NAME + 3];
    llmsim_output_bytes(out, field, llmsim_csv_quote(name, strlen(name), field, sizeof field));
    llmsim_output_text(out, ",");
}

static const char *phase_name(enum llmsim_profile_phase phase)
{
    return phase == LLMSIM_PROFILE_PREFILL ? "prefill" : "decode";
}

static void describe_source(struct profile_csv *csv, const struct llmsim_profile_plan *plan,
                            const struct llmsim_profile_config *config,
                            const struct llmsim_device_info *info)
{
    (void)snprintf(csv->source, sizeof csv->source,
                   "llmsim profile " LLMSIM_VERSION "; %s launches; %s; %u of %u layers%s; %s; "
                   "core %.0f MHz; memory %.0f MHz; %s",
                   llmsim_launch_mode_choice(config->mode)->name,
                   llmsim_dtype_choice(plan->network.dtype)->name, plan->n_layers,
                   plan->network.n_layers, plan->n_fewer_layers > 0 ? " measured and scaled" : "",
                   info->driver, info->core_clock_MHz, info->memory_clock_MHz, config->date);
    for (char *p = csv->source; *p != '\0'; p++)
        if (*p == ',' || *p == '"' || (unsigned char)*p < ' ')
            *p = ' ';
}

enum llmsim_status profile_csv_open(struct profile_csv *csv, const char *path,
                                    const struct llmsim_profile_plan *plan,
                                    const struct llmsim_profile_config *config,
                                    const struct llmsim_device_info *info, struct llmsim_error *err)
{
    csv->model = plan->network.name;
    csv->gpu = info->name;
    describe_source(csv, plan, config, info);
    enum llmsim_status status = llmsim_output_open(&csv->out, path, LLMSIM_COMPRESS_NONE, err);
    if (status == LLMSIM_OK)
        llmsim_output_text(&csv->out,
                           "model,gpu,tp,phase,batch_size,new_tokens,context_tokens,sum_sq_tokens,"
                           "latency_s,repeat,source\n");
    return status;
}

void profile_csv_add(struct profile_csv *csv, const struct llmsim_profile_point *point,
                     const double *seconds, size_t n)
{
    bool is_decode = point->phase == LLMSIM_PROFILE_DECODE;
    uint64_t tokens = point->batch_size * point->tokens_each;
    const uint64_t numbers[] = {
        point->batch_size,
        is_decode ? point->batch_size : tokens,
        is_decode ? tokens : 0,
        is_decode ? 0 : tokens * point->tokens_each,
    };
    for (size_t i = 0; i < n; i++) {
        put_name(&csv->out, csv->model);
        put_name(&csv->out, csv->gpu);
        llmsim_output_text(&csv->out, "1,");
        llmsim_output_text(&csv->out, phase_name(point->phase));
        char *p = llmsim_output_room(&csv->out, NUMBERS_ROOM);
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            *p++ = ',';
            p = llmsim_put_u64(p, numbers[k]);
        }
        *p++ = ',';
        p = llmsim_put_ns(p, (int64_t)(seconds[i] * 1e9 + 0.5));
        *p++ = ',';
        p = llmsim_put_u64(p, i);
        *p++ = ',';
        llmsim_output_advance(&csv->out, p);
        llmsim_output_text(&csv->out, csv->source);
        llmsim_output_text(&csv->out, "\n");
    }
}

enum llmsim_status profile_csv_commit(struct profile_csv *csv, struct llmsim_error *err)
{
    enum llmsim_status status = llmsim_output_finish(&csv->out, err);
    return status == LLMSIM_OK ? llmsim_output_commit(&csv->out, err) : status;
}

void profile_csv_close(struct profile_csv *csv)
{
    llmsim_output_close(&csv->out);
}
