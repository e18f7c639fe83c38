/* cmd_capacity.c: how much load a configuration carries, or how many replicas a load takes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep_plan.h"

/* Rate scales are searched in millionths. */
#define RATE_UNIT 1000000u
#define MAX_RATE_SCALE 1000000u

struct values {
    struct sweep_options sweep;
    struct cli_choice find;
    double attainment, tolerance;
};

/* What can be looked for: an option of replay. */
struct target {
    struct llmsim_choice choice;
    const char *column, *fails_column;
    uint64_t unit; /* 1, or RATE_UNIT: a decimal number with six places */
    uint64_t max;  /* units */
    bool larger_is_good;
    bool is_users;
    const char *none; /* what is said where nothing holds */
    const char *any;  /* and of the most that was reached */
};
static const struct target targets[] = {
    {{"rate-scale", "the highest at which the SLO holds"},
     "rate_scale",
     "rate_scale_fails",
     RATE_UNIT,
     (uint64_t)MAX_RATE_SCALE *RATE_UNIT,
     false,
     false,
     "rate scale",
     "rate scale"},
    {{"replicas", "the fewest with which the SLO holds"},
     "replicas",
     "replicas_fails",
     1,
     LLMSIM_MAX_REPLICAS,
     true,
     false,
     "number of replicas up to 4096",
     "number of replicas"},
    {{"max-concurrency", "the most users, each with one request at a time, for whom the SLO holds"},
     "max_concurrency",
     "max_concurrency_fails",
     1,
     LLMSIM_MAX_CONCURRENCY,
     false,
     true,
     "number of users",
     "number of users"},
};
_Static_assert(LLMSIM_MAX_REPLICAS == 4096, "the table says so");

static const struct llmsim_choice *find_choice(size_t i)
{
    return i < sizeof targets / sizeof *targets ? &targets[i].choice : NULL;
}

struct capacity_run {
    const struct values *v;
    struct sweep_plan plan;
    size_t n_columns; /* behind `error` */
    const char *header;
    uint64_t n_none; /* points without one */
    uint64_t n_found;
    uint64_t n_judged; /* of the former, points that had a request to judge */
    double best;       /* the highest attainment of any of them */
};

static const char *value_text(const struct values *v, uint64_t value, char text[static 32])
{
    if (targets[v->find.row].unit == 1)
        (void)snprintf(text, 32, "%llu", (unsigned long long)value);
    else
        (void)snprintf(text, 32, "%llu.%06llu", (unsigned long long)(value / RATE_UNIT),
                       (unsigned long long)(value % RATE_UNIT));
    return text;
}

static enum llmsim_status simulate(const struct capacity_run *r, uint64_t number, uint64_t value,
                                   struct replay_setup *setup, struct llmsim_point *point,
                                   struct llmsim_error *err)
{
    char text[32];
    enum llmsim_status status =
        sweep_plan_setup(&r->plan, number, value_text(r->v, value, text), setup, err);
    if (status != LLMSIM_OK)
        return status;
    return llmsim_simulate_point(&r->plan.memory, &setup->description, point, err);
}

struct question {
    const struct capacity_run *r;
    uint64_t number;
    bool has_best;
    double best; /* attainment */
};

/* A queue that only grows meets its SLO for as long as the trace is short. A window without a
 * request to judge says nothing, which is no answer. */
static enum llmsim_status is_good(void *ctx, uint64_t value, bool *good, struct llmsim_error *err)
{
    struct question *q = ctx;
    struct llmsim_point point;
    struct replay_setup unused;
    enum llmsim_status status = simulate(q->r, q->number, value, &unused, &point, err);
    if (status != LLMSIM_OK)
        return status;
    const struct llmsim_summary *s = &point.summary;
    bool is_judged = llmsim_summary_judged(s) > 0;
    double attainment = llmsim_attainment(s->n_slo_met, llmsim_summary_judged(s));
    *good = is_judged && attainment >= q->r->v->attainment && !s->backlog.is_saturated;
    if (is_judged && !(q->has_best && q->best >= attainment))
        q->best = attainment;
    q->has_best = q->has_best || is_judged;
    llmsim_point_fini(&point);
    return LLMSIM_OK;
}

static void put_value(struct llmsim_csv_row *row, const struct values *v, uint64_t value)
{
    char text[32];
    llmsim_csv_row_text(row, value != 0 ? value_text(v, value, text) : "");
}

static void put_violations(struct llmsim_csv_row *row, const struct values *v,
                           const struct llmsim_search_result *result)
{
    char text[32], all[LLMSIM_SEARCH_MAX_VIOLATIONS * 32] = "";
    for (size_t i = 0; i < result->n_violations; i++) {
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? " " : "",
                       value_text(v, result->violations[i], text));
    }
    llmsim_csv_row_text(row, all);
}

/* The field `error`: why there is no answer. */
static void put_reason(struct llmsim_csv_row *row, const struct question *q,
                       const struct llmsim_search_result *result, uint64_t min)
{
    const struct target *target = &targets[q->r->v->find.row];
    char text[256] = "", value[32];
    if (result->good == 0 && !q->has_best)
        (void)snprintf(text, sizeof text, "no %s has a request to judge", target->any);
    else if (result->good == 0 && q->best >= q->r->v->attainment)
        (void)snprintf(text, sizeof text, "the system is saturated at every %s that was tried",
                       target->any);
    else if (result->good == 0)
        (void)snprintf(text, sizeof text, "%.4f %% is the most that any %s reaches; expected %g %%",
                       100 * q->best, target->any, 100 * q->r->v->attainment);
    if (result->good == 0 && target->unit > 1 && min > 1) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used,
                       " (below %s the trace goes on for more than 100 years)",
                       value_text(q->r->v, min, value));
    }
    llmsim_csv_row_text(row, text);
}

/* The numbers of the replay with the value that was found. */
static void put_found(struct llmsim_csv_row *row, const struct replay_setup *setup,
                      struct llmsim_point *point)
{
    const struct llmsim_point_price price = {setup->n_gpus, replay_gpu_price(setup)};
    llmsim_point_row(row, point, &price);
    sweep_put_warnings(row, setup, &point->summary);
    llmsim_point_fini(point);
}

static enum llmsim_status find(const struct capacity_run *r, uint64_t number,
                               struct llmsim_csv_row *row, struct llmsim_error *err)
{
    struct question question = {.r = r, .number = number};
    const struct target *target = &targets[r->v->find.row];
    const struct llmsim_memory_trace *memory = &r->plan.memory;
    uint64_t min = 1, max = target->max;
    if (target->unit > 1 && memory->n > 0) /* the last request arrives within what a trace may be */
        min += (uint64_t)((double)memory->requests[memory->n - 1].arrival_ns /
                          (double)LLMSIM_MAX_ARRIVAL_NS * (double)target->unit);
    if (target->is_users && memory->n > 0 && memory->n < max)
        max = memory->n; /* more than that would never send one */
    const struct llmsim_search search = {
        .ctx = &question,
        .is_good = is_good,
        .min = min,
        .max = max,
        .start = target->unit,
        .tolerance = target->unit > 1 ? r->v->tolerance : 0,
        .larger_is_good = target->larger_is_good,
    };
    struct llmsim_search_result result;
    struct replay_setup setup;
    struct llmsim_point point;
    enum llmsim_status status = llmsim_search_border(&search, &result, err);
    if (status == LLMSIM_OK && result.good != 0)
        status = simulate(r, number, result.good, &setup, &point, err);
    if (status != LLMSIM_OK)
        return status;
    llmsim_csv_row_text(row, result.good != 0 ? "ok" : "no_answer");
    put_reason(row, &question, &result, min);
    put_value(row, r->v, result.good);
    put_value(row, r->v, result.bad);
    llmsim_csv_row_u64(row, result.n_probes);
    put_violations(row, r->v, &result);
    if (result.good != 0)
        put_found(row, &setup, &point);
    else
        llmsim_csv_row_empty(row, r->n_columns - 5);
    if (question.has_best)
        llmsim_csv_row_decimal(row, question.best);
    else
        llmsim_csv_row_empty(row, 1);
    return LLMSIM_OK;
}

static enum llmsim_status compute(void *ctx, uint64_t number, struct llmsim_csv_row *row,
                                  enum llmsim_status *outcome, struct llmsim_error *err)
{
    const struct capacity_run *r = ctx;
    struct llmsim_error why;
    sweep_plan_row(&r->plan, number, row);
    *outcome = find(r, number, row, &why);
    if (*outcome == LLMSIM_OK)
        return LLMSIM_OK;
    return sweep_fail_point(*outcome, &why, r->n_columns, row, err);
}

static enum llmsim_status make_header(struct capacity_run *r, struct llmsim_csv_row *header,
                                      struct llmsim_error *err)
{
    const struct target *target = &targets[r->v->find.row];
    sweep_plan_header(&r->plan, header);
    llmsim_csv_row_text(header, "status");
    llmsim_csv_row_text(header, "error");
    llmsim_csv_row_text(header, target->column);
    llmsim_csv_row_text(header, target->fails_column);
    llmsim_csv_row_text(header, "simulations");
    llmsim_csv_row_text(header, "not_monotonic_at");
    r->n_columns = 6 + llmsim_point_header(header);
    llmsim_csv_row_text(header, "warnings");
    llmsim_csv_row_text(header, "best_attainment");
    return header->failed ? llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory") : LLMSIM_OK;
}

static bool is_field(const struct capacity_run *r, const char *row, const char *name,
                     const char *text)
{
    size_t length;
    const char *field = sweep_row_field(r->header, row, name, &length);
    return length == strlen(text) && memcmp(field, text, length) == 0;
}

/* Count the points with an answer and without. */
static void look(void *ctx, const char *row)
{
    struct capacity_run *r = ctx;
    size_t length;
    r->n_found += is_field(r, row, "status", "ok");
    if (!is_field(r, row, "status", "no_answer"))
        return;
    const char *field = sweep_row_field(r->header, row, "best_attainment", &length);
    double best = length > 0 ? strtod(field, NULL) : 0;
    r->n_none++;
    r->n_judged += length > 0;
    r->best = best > r->best ? best : r->best;
}

static void print_none(const struct capacity_run *r)
{
    const struct target *target = &targets[r->v->find.row];
    if (r->n_none == 0)
        return;
    (void)printf("no answer      %llu: the SLO holds at no %s\n", (unsigned long long)r->n_none,
                 target->none);
}

/* A table without one answer is no success. */
static enum llmsim_status check_answers(const struct capacity_run *r, struct llmsim_error *err)
{
    if (r->n_none == 0 || r->n_found > 0)
        return LLMSIM_OK;
    if (r->n_judged == 0)
        return llmsim_fail(
            err, LLMSIM_RUN_FAILED,
            "no answer: no request to judge: they are outside the window, or failed in "
            "the trace");
    return llmsim_fail(err, LLMSIM_RUN_FAILED,
                       "no answer: %.4f %% of the requests within the SLO is the most that any %s "
                       "reaches, and --attainment wants %g %%; the column error says more",
                       100 * r->best, targets[r->v->find.row].any, 100 * r->v->attainment);
}

static enum llmsim_status check_values(const struct values *v, struct llmsim_error *err)
{
    if (!(v->attainment <= 1))
        return llmsim_fail(err, LLMSIM_USAGE, "--attainment %g: expected a share of 1",
                           v->attainment);
    if (!(v->tolerance >= 1e-6 && v->tolerance <= 1))
        return llmsim_fail(err, LLMSIM_USAGE, "--tolerance %g: expected 0.000001 to 1",
                           v->tolerance);
    return LLMSIM_OK;
}

static enum llmsim_status run(const void *values, const char *const *operands, size_t n_operands,
                              struct llmsim_error *err)
{
    const struct values *v = values;
    char goal[96];
    struct llmsim_csv_row header = {0};
    (void)snprintf(goal, sizeof goal, "%s, attainment %.9g, tolerance %.9g", v->find.name,
                   v->attainment, v->tolerance);
    struct capacity_run r = {
        .v = v,
        .plan = {.command = "capacity",
                 .options = &v->sweep,
                 .not_swept = v->find.name,
                 .probe = "2",
                 .needs_slo = true,
                 .goal = goal},
    };
    struct sweep_table table = {.file_name = "capacity.csv",
                                .work = {.ctx = &r, .compute = compute},
                                .look = look,
                                .look_ctx = &r};
    enum llmsim_status status = check_values(v, err);
    if (status == LLMSIM_OK)
        status = sweep_plan_init(&r.plan, n_operands > 0 ? operands[0] : NULL, err);
    if (status == LLMSIM_OK && !sweep_plan_has_option(&r.plan, v->find.name))
        status = llmsim_fail(err, LLMSIM_USAGE, "replay has no option --%s", v->find.name);
    if (status == LLMSIM_OK)
        status = make_header(&r, &header, err);
    table.header = r.header = header.text;
    if (status == LLMSIM_OK)
        status = sweep_plan_run(&r.plan, &table, err);
    print_none(&r);
    if (status == LLMSIM_OK)
        status = check_answers(&r, err);
    llmsim_csv_row_fini(&header);
    sweep_plan_fini(&r.plan);
    return status;
}

static const struct cli_option options[] = {
    {.name = "find",
     .argument = "WHAT",
     .help = "what to look for at each point",
     .kind = CLI_CHOICE,
     .choice = find_choice,
     .initial = "rate-scale",
     .offset = offsetof(struct values, find)},
    {.name = "attainment",
     .argument = "X",
     .help = "share of all requests that have to be within --slo for it to hold",
     .kind = CLI_DOUBLE,
     .initial = "0.99",
     .offset = offsetof(struct values, attainment)},
    {.name = "tolerance",
     .argument = "X",
     .help = "the answer is right to this share of itself (rate-scale; the others are exact)",
     .kind = CLI_DOUBLE,
     .initial = "0.01",
     .offset = offsetof(struct values, tolerance)},
    CLI_SWEEP_OPTIONS(struct values, sweep),
    CLI_OPTION_END,
};

const struct cli_command cli_capacity = {
    .name = "capacity",
    .help = "the highest rate, most users or fewest replicas at which the SLO holds; write "
            "capacity.csv",
    .operands = "[SPEC.json]",
    .example = "llmsim capacity --trace traces/azure_conv_like.csv --model "
               "meta-llama/Llama-2-13b-hf --gpu a6000 --slo ttft=2,tpot=0.2 --max-num-seqs 16,64",
    .min_operands = 0,
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
