/* Axes and Pareto fronts of a sweep, against tables that can be seen through. */
#include <criterion/criterion.h>

#include "support/files.h"
#include "sweep_points.h"

/* Write sweep.csv: the settings' names, then rows "VALUES|GPUS,SATURATED,TOKENS/S,P99,USD". All
 * latencies of a point are P99. */
static char *write_sweep(const char *names, const char *const *rows, size_t n)
{
    char *dir = scratch_dir(), path[512], values[256], rest[256];
    (void)snprintf(path, sizeof path, "%s/sweep.csv", dir);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    (void)fprintf(
        f,
        "point,%s,status,gpus,saturated,output_tokens_per_s,usd_per_million_output_tokens,"
        "ttft_p50_s,itl_p50_s,e2e_p50_s,ttft_p99_s,itl_p99_s,e2e_p99_s\n",
        names);
    for (size_t i = 0; i < n; i++) {
        char gpus[16], saturated[8], tokens[16], p99[16], usd[16] = "";
        cr_assert_eq(sscanf(rows[i], "%255[^|]|%255s", values, rest), 2);
        cr_assert_geq(
            sscanf(rest, "%15[^,],%7[^,],%15[^,],%15[^,],%15s", gpus, saturated, tokens, p99, usd),
            4);
        (void)fprintf(f, "%zu,%s,ok,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s\n", i, values, gpus, saturated,
                      tokens, usd, p99, p99, p99, p99, p99, p99);
    }
    (void)fclose(f);
    return dir;
}

static struct sweep_points read_sweep(const char *names, const char *const *rows, size_t n,
                                      const char *manifest)
{
    struct sweep_points points;
    char *dir = write_sweep(names, rows, n);
    cJSON *root = manifest != NULL ? cJSON_Parse(manifest) : NULL;
    cr_assert_eq(sweep_points_read(&points, dir, NULL), LLMSIM_OK);
    cr_assert_eq(sweep_axes_find(&points, root, NULL), LLMSIM_OK);
    cr_assert_eq(sweep_fronts_find(&points, NULL), LLMSIM_OK);
    cJSON_Delete(root);
    remove_dir(dir);
    return points;
}

static void expect_axis(const struct sweep_points *points, size_t i, const char *name,
                        const char *title, const char *values)
{
    char joined[512] = "";
    cr_assert_lt(i, points->n_axes, "there is no axis %zu", i);
    for (size_t k = 0; k < points->axes[i].values.n; k++) {
        (void)strcat(joined, k > 0 ? "|" : "");
        (void)strcat(joined, points->axes[i].values.items[k]);
    }
    cr_expect_str_eq(points->axes[i].name, name);
    cr_expect_str_eq(points->axes[i].title, title);
    cr_expect_str_eq(joined, values);
}

/* Every combination of two settings: two axes. A third has one value, and is none. */
Test(plot_sweep, grid)
{
    static const char *const rows[] = {"a,1,x|1,no,1,1", "a,2,x|1,no,1,1", "b,1,x|1,no,1,1",
                                       "b,2,x|1,no,1,1"};
    struct sweep_points p = read_sweep("policy,seqs,router", rows, 4, NULL);
    cr_expect_eq(p.n_axes, 2);
    expect_axis(&p, 0, "policy", "policy", "a|b");
    expect_axis(&p, 1, "seqs", "seqs", "1|2");
    cr_expect_eq(p.axes[0].of[2], 1);
    cr_expect_eq(p.axes[1].of[2], 0);
    sweep_points_fini(&p);
}

/* An option that goes with a value of another has no axis of its own, nor have the values of a zip.
 */
Test(plot_sweep, what_goes_with_another)
{
    static const char *const rows[] = {"a,1,,7|1,no,1,1", "a,2,,8|1,no,1,1", "b,1,512,7|1,no,1,1",
                                       "b,2,512,8|1,no,1,1"};
    struct sweep_points p = read_sweep("policy,seqs,threshold,zipped", rows, 4, NULL);
    cr_expect_eq(p.n_axes, 2);
    expect_axis(&p, 0, "policy", "policy with threshold", "a|b");
    expect_axis(&p, 1, "seqs", "seqs with zipped", "1|2");
    sweep_points_fini(&p);
}

/* Points of a list, each of which says some settings, under two rates: an axis for all of the list,
 * as manifest.json has it. What a point does not say is not named, and one that says nothing has
 * the defaults. */
Test(plot_sweep, list)
{
    static const char *const rows[] = {
        "4,512,,0.1|1,no,1,1", "4,512,,0.2|1,no,1,1", "4,,,0.1|1,no,1,1", "4,,,0.2|1,no,1,1",
        ",512,2,0.1|1,no,1,1", ",512,2,0.2|1,no,1,1", ",,,0.1|1,no,1,1",  ",,,0.2|1,no,1,1"};
    struct sweep_points p = read_sweep("max_num_seqs,tokens,replicas,rate", rows, 8,
                                       "{\"swept\":{\"max-num-seqs\":{\"axis\":3},\"tokens\":{"
                                       "\"axis\":3},\"replicas\":{\"axis\":3},"
                                       "\"rate\":{\"axis\":4}}}");
    char label[64];
    cr_expect_eq(p.n_axes, 2);
    expect_axis(&p, 0, "configuration", "configuration",
                "max_num_seqs 4, tokens 512|max_num_seqs 4|tokens 512, replicas 2|defaults");
    expect_axis(&p, 1, "rate", "rate", "0.1|0.2");
    cr_expect(p.axes[0].has_letters);
    sweep_axis_label(&p.axes[0], 2, label);
    cr_expect_str_eq(label, "C");
    sweep_axis_label(&p.axes[0], 26, label);
    cr_expect_str_eq(label, "AA");
    sweep_axis_label(&p.axes[0], 26 + 26 * 26, label);
    cr_expect_str_eq(label, "AAA");
    sweep_axis_label(&p.axes[1], 1, label);
    cr_expect_str_eq(label, "0.2");
    sweep_points_fini(&p);
}

/* The load is 100 tokens/s whatever the fleet. One GPU serves it at 3 s, two at 2 s, four at 2 s:
 * the last has no place on a front. Neither has what is saturated. */
Test(plot_sweep, front_per_gpu)
{
    static const char *const rows[] = {"1|1,no,100,3", "2|2,no,100,2", "4|4,no,100,2",
                                       "8|8,no,100,1", "0|1,yes,120,0.5"};
    struct sweep_points p = read_sweep("replicas", rows, 5, NULL);
    static const double yields[] = {100, 50, 25, 12.5, 120};
    static const unsigned fronts[] = {7, 7, 0, 7, 0};
    cr_expect_eq(p.yield, SWEEP_PER_GPU);
    for (size_t i = 0; i < 5; i++) {
        cr_expect_float_eq(p.points[i].yield, yields[i], 1e-9);
        cr_expect_eq(p.points[i].fronts, fronts[i], "point %zu", i);
    }
    sweep_points_fini(&p);
}

/* GPUs of two prices: 100 tokens/s for 3.6 $/h are 1e5 tokens per dollar, so a million costs 10 $;
 * for 7.2 $/h 20 $. The faster GPU is not better at the same latency. One price: per GPU. */
Test(plot_sweep, front_per_dollar)
{
    static const char *const rows[] = {"cheap|1,no,100,2,10", "dear|1,no,100,2,20",
                                       "fast|1,no,150,1,26.666667"};
    struct sweep_points p = read_sweep("gpu", rows, 3, NULL);
    cr_expect_eq(p.yield, SWEEP_PER_USD);
    cr_expect_float_eq(p.points[0].yield, 1e5, 1e-3);
    cr_expect_eq(p.points[0].fronts, 7);
    cr_expect_eq(p.points[1].fronts, 0);
    cr_expect_eq(p.points[2].fronts, 7);
    sweep_points_fini(&p);
    static const char *const same[] = {"a|1,no,100,2,10", "b|2,no,100,1,20"};
    p = read_sweep("gpu", same, 2, NULL);
    cr_expect_eq(p.yield, SWEEP_PER_GPU);
    sweep_points_fini(&p);
    static const char *const one_unknown[] = {"a|1,no,100,2,10", "b|1,no,100,1"};
    p = read_sweep("gpu", one_unknown, 2, NULL);
    cr_expect_eq(p.yield, SWEEP_PER_GPU);
    sweep_points_fini(&p);
}

/* Of 72 settings the best have names: here the eight that have most tokens for their latency, which
 * lie last in the table. */
Test(plot_sweep, the_best_have_names)
{
    char rows[144][64], *dir, path[512];
    const char *pointers[144];
    size_t length;
    for (int i = 0; i < 144; i++) {
        int setting = i / 2, rate = i % 2; /* the later, the less latency for more tokens */
        (void)snprintf(rows[i], sizeof rows[i], "%d,%d|1,no,%d,%d", setting, rate,
                       100 * rate + (setting < 64 ? 10 : 200 - setting), 200 - setting);
        pointers[i] = rows[i];
    }
    struct sweep_points p = read_sweep("setting,rate", pointers, 144, NULL);
    struct llmsim_plot_report report = {0};
    dir = scratch_dir();
    struct plot_files files = {.dir = dir, .report = &report};
    cr_assert_eq(p.n_axes, 2);
    cr_assert_eq(sweep_axis_write(&p, 1, &files, NULL), LLMSIM_OK);
    (void)snprintf(path, sizeof path, "%s/axis_rate.gp", dir);
    char *script = read_file(path, &length);
    cr_assert_not_null(script);
    cr_expect_not_null(strstr(script, "n_lines = 8\n"));
    cr_expect_not_null(strstr(script, "best of 72"));
    for (int k = 64; k < 72; k++) {
        char line[64];
        (void)snprintf(line, sizeof line, "lines[%d] = '%d'\n", k - 63, k);
        cr_expect_not_null(strstr(script, line), "no %s", line);
    }
    free(script);
    text_list_fini(&files.scripts);
    sweep_points_fini(&p);
    remove_dir(dir);
}
