/* GPU-hours, money and energy, by hand. */
#include <criterion/criterion.h>
#include <string.h>

#include "llmsim/llmsim.h"

/* From second 100 to second 1900: half an hour. */
static const struct llmsim_totals half_an_hour = {
    .first_arrival_ns = 100000000000,
    .last_end_ns = 1900000000000,
    .prompt_tokens = 9000000,
    .output_tokens = 1000000,
};

/* 8 GPUs for half an hour are 4 GPU-hours: $10, and 2.8 kWh or 10,080,000 J. */
Test(expense, of_eight_gpus_for_half_an_hour)
{
    const struct llmsim_gpu_price price = {.usd_per_hour = 2.5, .watts = 700};
    struct llmsim_expense e = llmsim_expense(&half_an_hour, 8, &price);
    cr_expect_float_eq(e.gpu_hours, 4, 1e-12);
    cr_expect_float_eq(e.usd, 10, 1e-12);
    cr_expect_float_eq(e.usd_per_million_output_tokens, 10, 1e-12);
    cr_expect_float_eq(e.usd_per_million_tokens, 1, 1e-12);
    cr_expect_float_eq(e.kwh_at_most, 2.8, 1e-12);
    cr_expect_float_eq(e.output_tokens_per_joule_at_least, 1000000.0 / 10080000, 1e-12);
}

Test(expense, of_what_is_not_known_is_zero)
{
    struct llmsim_expense e =
        llmsim_expense(&half_an_hour, 1, &(struct llmsim_gpu_price){.usd_per_hour = 0});
    cr_expect_float_eq(e.gpu_hours, 0.5, 1e-12);
    cr_expect(e.usd == 0 && e.usd_per_million_output_tokens == 0 && e.usd_per_million_tokens == 0);
    cr_expect(e.kwh_at_most == 0 && e.output_tokens_per_joule_at_least == 0);
}

Test(expense, no_token_divides_nothing)
{
    const struct llmsim_totals idle = {.last_end_ns = 3600000000000};
    const struct llmsim_gpu_price price = {.usd_per_hour = 2.5, .watts = 700};
    struct llmsim_expense e = llmsim_expense(&idle, 2, &price);
    cr_expect_float_eq(e.usd, 5, 1e-12);
    cr_expect_float_eq(e.kwh_at_most, 1.4, 1e-12);
    cr_expect(e.usd_per_million_output_tokens == 0 && e.usd_per_million_tokens == 0);
    cr_expect(e.output_tokens_per_joule_at_least == 0);
}

Test(expense, gpus_are_those_of_all_replicas)
{
    struct llmsim_replay_config config = {.n_replicas = 0};
    struct llmsim_run_description run = {.config = &config};
    cr_expect(llmsim_run_gpus(&run) == 1);
    config.n_replicas = 3;
    run.gpus_per_replica = 4;
    cr_expect(llmsim_run_gpus(&run) == 12);
    config = (struct llmsim_replay_config){.prefill_replicas = 2, .decode_replicas = 5};
    cr_expect(llmsim_run_gpus(&run) == 28);
}

/* The field of a row by its column's name. */
static const char *field(const char *header, const char *row, const char *name, char text[64])
{
    size_t n = strlen(name);
    while (strncmp(header, name, n) != 0 || (header[n] != ',' && header[n] != '\0')) {
        header = strchr(header, ',');
        row = strchr(row, ',');
        cr_assert(header != NULL && row != NULL, "no column %s", name);
        header++;
        row++;
    }
    (void)snprintf(text, 64, "%.*s", (int)strcspn(row, ","), row);
    return text;
}

static void make_row(const struct llmsim_totals *totals, uint32_t n_replicas,
                     const struct llmsim_point_price *price, struct llmsim_csv_row *header,
                     struct llmsim_csv_row *row)
{
    struct llmsim_point point = {.n_replicas = n_replicas};
    point.summary.totals = *totals;
    *header = *row = (struct llmsim_csv_row){0};
    (void)llmsim_point_header(header);
    llmsim_point_row(row, &point, price);
    cr_assert(!header->failed && !row->failed);
}

Test(expense, of_a_row)
{
    const struct llmsim_point_price price = {4, {.usd_per_hour = 2.5, .watts = 700}};
    struct llmsim_csv_row header, row;
    char text[64];
    make_row(&half_an_hour, 2, &price, &header, &row);
    cr_expect_str_eq(field(header.text, row.text, "gpus", text), "8");
    cr_expect_str_eq(field(header.text, row.text, "gpu_s", text), "14400.000000000");
    cr_expect_str_eq(field(header.text, row.text, "cost_usd", text), "10.000000");
    cr_expect_str_eq(field(header.text, row.text, "usd_per_million_output_tokens", text),
                     "10.000000");
    cr_expect_str_eq(field(header.text, row.text, "usd_per_million_tokens", text), "1.000000");
    cr_expect_str_eq(field(header.text, row.text, "kwh_at_most", text), "2.800000");
    cr_expect_str_eq(field(header.text, row.text, "output_tokens_per_joule_at_least", text),
                     "0.099206");
    llmsim_csv_row_fini(&header);
    llmsim_csv_row_fini(&row);
}

Test(expense, what_is_not_known_leaves_its_fields_empty)
{
    const struct llmsim_point_price price = {.gpus_per_replica = 1};
    struct llmsim_csv_row header, row;
    char text[64];
    make_row(&half_an_hour, 1, &price, &header, &row);
    cr_expect_str_eq(field(header.text, row.text, "usd_per_million_tokens", text), "");
    cr_expect_str_eq(field(header.text, row.text, "kwh_at_most", text), "");
    cr_expect_str_eq(field(header.text, row.text, "output_tokens_per_joule_at_least", text), "");
    llmsim_csv_row_fini(&header);
    llmsim_csv_row_fini(&row);
}

/* 4,096 replicas of 1,024 GPUs for a day are more nanoseconds than 64 bits hold. */
Test(expense, gpu_seconds_of_a_large_cluster)
{
    const struct llmsim_totals a_day = {.last_end_ns = 86400000000000};
    const struct llmsim_point_price price = {.gpus_per_replica = 1024};
    struct llmsim_csv_row header, row;
    char text[64];
    make_row(&a_day, 4096, &price, &header, &row);
    cr_expect_str_eq(field(header.text, row.text, "gpu_s", text), "362387865600.000000");
    llmsim_csv_row_fini(&header);
    llmsim_csv_row_fini(&row);
}
