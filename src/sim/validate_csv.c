/* validate_csv.c: every request of a validation, measured and simulated side by side. */
#include "llmsim/validate.h"

#include "numfmt.h"
#include "output.h"
#include "parts.h"

static char *put_text(char *p, const char *text, size_t n)
{
    memcpy(p, text, n);
    return p + n;
}

/* ",measured,simulated"; empty where there is none. */
static char *put_pair(char *p, int64_t measured_ns, int64_t simulated_ns)
{
    *p++ = ',';
    if (measured_ns >= 0)
        p = llmsim_put_ns(p, measured_ns);
    *p++ = ',';
    if (simulated_ns >= 0)
        p = llmsim_put_ns(p, simulated_ns);
    return p;
}

static void write_part(struct llmsim_output *out, const struct llmsim_validation_part *part)
{
    const struct llmsim_measured_run *run = part->run;
    for (size_t i = part->span.first; i < part->span.last; i++) {
        const struct llmsim_latencies *m = &run->latencies[i], *s = &part->simulated[i];
        char *p = llmsim_output_room(out, 512);
        p = put_text(p, part->name, strlen(part->name));
        *p++ = ',';
        p = llmsim_put_u64(p, run->rows[i]);
        *p++ = ',';
        p = llmsim_put_ns(p, run->requests[i].arrival_ns);
        *p++ = ',';
        p = llmsim_put_u64(p, run->requests[i].prompt_tokens);
        *p++ = ',';
        p = llmsim_put_u64(p, run->requests[i].output_tokens);
        p = put_pair(p, m->ttft_ns, s->ttft_ns);
        p = put_pair(p, m->tpot_ns, s->tpot_ns);
        p = put_pair(p, m->e2e_ns, s->e2e_ns);
        *p++ = '\n';
        llmsim_output_advance(out, p);
    }
}

enum llmsim_status llmsim_validate_write(const char *path,
                                         const struct llmsim_validation_part *parts, size_t n_parts,
                                         struct llmsim_error *err)
{
    struct llmsim_output out;
    enum llmsim_status status = LLMSIM_OK;
    for (size_t i = 0; i < n_parts && status == LLMSIM_OK; i++)
        status = LLMSIM_CHECK_PARTS("a part of a validation", err, {parts[i].name != NULL, "name"},
                                    {parts[i].run != NULL, "measured run"},
                                    {parts[i].simulated != NULL, "simulated latencies"});
    if (status == LLMSIM_OK)
        status = llmsim_output_open(&out, path, LLMSIM_COMPRESS_NONE, err);
    if (status != LLMSIM_OK)
        return status;
    llmsim_output_text(&out, "part,row,arrival_s,prompt_tokens,output_tokens,"
                             "measured_ttft_s,simulated_ttft_s,measured_tpot_s,simulated_tpot_s,"
                             "measured_e2e_s,simulated_e2e_s\n");
    for (size_t i = 0; i < n_parts; i++)
        write_part(&out, &parts[i]);
    status = llmsim_output_finish(&out, err);
    if (status == LLMSIM_OK)
        status = llmsim_output_commit(&out, err);
    llmsim_output_close(&out);
    return status;
}
