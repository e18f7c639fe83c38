/* What gnuplot makes of texts that others wrote: names of models, GPUs, traces, settings and files
 * with every byte from 0x01 to 0xFF, each beside a shell command in backticks. Nothing runs, and
 * the pictures are there. */
#include <criterion/criterion.h>

#include <sys/stat.h>

#include "gnuplot_text.h"
#include "llmsim/plot.h"
#include "support/files.h"

/* `>m` makes a file in the directory in which a shell runs. */
#define BYTES_PER_TEXT 16
#define N_TEXTS (256 / BYTES_PER_TEXT)
#define TEXT_ROOM 256
static const char breaks[] = "\"; system(\">m\"); a=\"'; system('>m'); a='\n!>m\n%n<i>@a{/*2 x}\\";

/* Text k of N_TEXTS: some bytes, each before a command and behind one, then ways out of strings. */
static void make_text(char text[static TEXT_ROOM], int k)
{
    char *end = text;
    for (int byte = k * BYTES_PER_TEXT; byte < (k + 1) * BYTES_PER_TEXT; byte++)
        if (byte > 0)
            end += sprintf(end, "%c`>m`%c", byte, byte);
    (void)strcpy(end, breaks);
}

static bool is_there(const char *dir, const char *name)
{
    char path[2048];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

/* The text as a JSON string; what is not ASCII as the character of that number, since JSON is
 * UTF-8. */
static void put_json(FILE *f, const char *text)
{
    (void)fputc('"', f);
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
            (void)fprintf(f, "\\u%04x", (unsigned char)*text);
        else
            (void)fputc(*text, f);
    (void)fputc('"', f);
}

/* What of the text a field of a CSV row can have: no line ends, and control characters only where
 * nothing is quoted. */
static void make_field(char field[static TEXT_ROOM], const char *text)
{
    bool is_control = false;
    for (const char *c = text; *c != '\0'; c++)
        is_control = is_control || ((unsigned char)*c < ' ' && *c != '\n') || *c == '\x7f';
    for (; *text != '\0'; text++)
        if (!is_control || (*text != '"' && *text != ','))
            *field++ = *text == '\n' || *text == '\r' ? ' ' : *text;
    *field = '\0';
}

static void put_field(FILE *f, const char *field)
{
    if (strpbrk(field, "\",") == NULL) {
        (void)fputs(field, f);
        return;
    }
    (void)fputc('"', f);
    for (; *field != '\0'; field++)
        (void)fprintf(f, "%s%c", *field == '"' ? "\"" : "", *field);
    (void)fputc('"', f);
}

static FILE *create(const char *dir, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f, "%s", path);
    return f;
}

/* Draw DIR, all formats; nothing has run, and nothing was said. How many pictures. */
static size_t draw(struct llmsim_plot_options *options, const char *what, int k)
{
    struct llmsim_plot_report *report;
    struct llmsim_error err;
    size_t n = 0;
    for (size_t format = 0; format < LLMSIM_N_PLOT_FORMATS; format++)
        options->formats[format] = format != LLMSIM_PLOT_PNG || k == 0;
    enum llmsim_status status = llmsim_plot(options, &report, &err);
    cr_assert_eq(status, LLMSIM_OK, "%s, text %d: %s", what, k, err.message);
    for (const char *path; (path = llmsim_plot_picture(report, n)) != NULL; n++) {
        size_t length;
        char *picture = read_file(path, &length);
        cr_assert_not_null(picture, "%s", path);
        cr_expect_gt(length, 50, "%s", path);
        cr_expect_null(strstr(picture, "<i>") != NULL && strstr(path, ".svg") != NULL ? path : NULL,
                       "a text is a tag in %s", path);
        free(picture);
    }
    for (size_t i = 0; llmsim_plot_note(report, i) != NULL; i++)
        cr_expect_null(strstr(llmsim_plot_note(report, i), "gnuplot"), "%s, text %d: %s", what, k,
                       llmsim_plot_note(report, i));
    llmsim_plot_report_destroy(report);
    cr_assert_not(is_there(options->output, "m"), "%s: a command of text %d was run", what, k);
    cr_assert_not(is_there(".", "m"), "%s: a command of text %d was run", what, k);
    return n;
}

/* What a script gets is the text, with blanks for what has no place in it: as gnuplot says. */
Test(plot_texts, strings)
{
    char *dir = scratch_dir(), text[TEXT_ROOM], command[512];
    cr_assert_eq(chdir(dir), 0);
    FILE *script = create(dir, "script"), *expected = create(dir, "expected");
    (void)fputs("set print 'said'\n", script);
    for (int k = 0; k < N_TEXTS; k++) {
        make_text(text, k);
        (void)fputs("print ", script);
        llmsim_picture_string(script, text);
        (void)fputc('\n', script);
        for (const char *c = text; *c != '\0'; c++) /* none of the bytes from 0x80 on is UTF-8 */
            (void)fputc(*c >= ' ' && *c <= '~' ? *c : ' ', expected);
        (void)fputc('\n', expected);
    }
    static const char utf8[] = "\u00e9\u0416\u4e2d\U0001f600";
    (void)fputs("print ", script);
    llmsim_picture_string(script, utf8);
    (void)fprintf(expected, "%s\n", utf8);
    (void)fputs("\nprint ", script); /* C1 controls, turned writing, line ends, no characters */
    llmsim_picture_string(script, "a\xc2\x85"
                                  "b\xc2\x9b"
                                  "c\u202ed\u2066e\u2028f\xef\xbf\xbfg");
    (void)fputs("a b c d e f g\n", expected);
    (void)fputc('\n', script);
    (void)fclose(script);
    (void)fclose(expected);
    (void)snprintf(command, sizeof command,
                   "LC_ALL=C.UTF-8 gnuplot -d script && cmp said expected");
    cr_expect_eq(system(command), 0);
    cr_expect_not(is_there(dir, "m"));
    remove_dir(dir);
}

/* A tic's label is a format. */
Test(plot_texts, tic_labels)
{
    char label[64] = "";
    size_t n;
    const char *text = "50%'s %n", *bytes;
    while (bytes = gnuplot_text_next(&text, GNUPLOT_TIC_LABEL, &n), n > 0)
        (void)strncat(label, bytes, n);
    cr_expect_str_eq(label, "50%%''s %%n");
}

/* "…" stands for what is cut off; whole characters, and no more bytes than there is room for. */
Test(plot_texts, cut)
{
    char cut[16];
    gnuplot_text_cut(cut, sizeof cut, "abcd", 4);
    cr_expect_str_eq(cut, "abcd");
    gnuplot_text_cut(cut, sizeof cut, "abcde", 4);
    cr_expect_str_eq(cut, "abc\u2026");
    gnuplot_text_cut(cut, sizeof cut, "\u00e9\u00e9\u00e9\u00e9", 3);
    cr_expect_str_eq(cut, "\u00e9\u00e9\u2026");
    gnuplot_text_cut(cut, 8, "\u4e2d\u4e2d\u4e2d", 9);
    cr_expect_str_eq(cut, "\u4e2d\u2026");
    gnuplot_text_cut(cut, sizeof cut, "", 3);
    cr_expect_str_eq(cut, "");
}

Test(plot_texts, replay)
{
    char *dir = scratch_dir(), output[256], text[TEXT_ROOM], field[TEXT_ROOM];
    cr_assert_eq(chdir(dir), 0);
    (void)snprintf(output, sizeof output, "%s/|>m;`>m`'\"\n<>m", dir);
    for (int k = 0; k < N_TEXTS; k++) {
        make_text(text, k);
        make_field(field, text);
        FILE *f = create(dir, "summary.json");
        (void)fputs("{\"model\":{\"name\":", f);
        put_json(f, text);
        (void)fputs("},\"gpu\":{\"name\":", f);
        put_json(f, text);
        (void)fputs("},\"trace\":{\"name\":", f);
        put_json(f, text);
        (void)fputs("},\"settings\":{\"policy\":", f);
        put_json(f, text);
        (void)fputs(",\"replicas\":1e999,\"until\":1e300}}", f);
        (void)fclose(f);
        f = create(dir, "requests.csv");
        (void)fputs(
            "request_id,arrival_s,prompt_tokens,output_tokens,outcome,queue_s,ttft_s,tpot_s,"
            "e2e_s\n",
            f);
        put_field(f, field);
        (void)fputs(",0,5,2,completed,0,1,1,2\n", f);
        (void)fclose(f);
        f = create(dir, "tokens.csv");
        (void)fputs("request_id,token_index,time_s,latency_s\n", f);
        for (int i = 0; i < 2; i++) {
            put_field(f, field);
            (void)fprintf(f, ",%d,%d,1\n", i, i + 1);
        }
        (void)fclose(f);
        struct llmsim_plot_options options = {
            .dir = dir, .output = output, .requests = {field}, .n_requests = 1};
        cr_expect_eq(draw(&options, "replay", k), k == 0 ? 12 : 8);
    }
    remove_dir(dir);
}

/* Texts from the manifest; names of settings; and their values, which are labels on an axis and, in
 * the other picture, names of lines. */
Test(plot_texts, sweep)
{
    char *dir = scratch_dir(), output[256], text[TEXT_ROOM], field[TEXT_ROOM];
    cr_assert_eq(chdir(dir), 0);
    (void)snprintf(output, sizeof output, "%s/`>m`|", dir);
    for (int k = 0; k < N_TEXTS; k++) {
        make_text(text, k);
        make_field(field, text);
        FILE *f = create(dir, "manifest.json");
        (void)fputs("{\"trace\":{\"name\":", f);
        put_json(f, text);
        (void)fputs("},\"settings\":{\"model\":", f);
        put_json(f, text);
        (void)fputs(",\"gpu\":", f);
        put_json(f, text);
        (void)fputs("}}", f);
        (void)fclose(f);
        f = create(dir, "sweep.csv");
        (void)fputs("point,", f);
        put_field(f, field);
        (void)fputs(
            ",model,status,gpus,saturated,output_tokens_per_s,ttft_p50_s,ttft_p99_s,itl_p50_s,"
            "itl_p99_s,e2e_p50_s,e2e_p99_s\n",
            f);
        for (int i = 0; i < 4; i++) {
            (void)fprintf(f, "%d,", i);
            put_field(f, i % 2 == 0 ? "other" : field);
            (void)fputc(',', f);
            put_field(f, i / 2 == 0 ? "other" : field);
            (void)fprintf(f, ",ok,1,no,%d,1,%d,1,%d,1,%d\n", i + 1, i + 1, 9 - i, i + 2);
        }
        (void)fclose(f);
        struct llmsim_plot_options options = {.dir = dir, .output = output};
        cr_expect_eq(draw(&options, "sweep", k), 1 + (k == 0 ? 9 : 6)); /* and pareto.csv */
    }
    remove_dir(dir);
}

/* The name of a picture, and a text in it. */
Test(plot_texts, picture)
{
    char *dir = scratch_dir(), text[TEXT_ROOM], path[TEXT_ROOM + 8];
    struct llmsim_picture picture;
    struct llmsim_error err;
    cr_assert_eq(chdir(dir), 0);
    for (int k = 0; k < N_TEXTS; k++) {
        make_text(text, k);
        (void)snprintf(path, sizeof path, "%s%.200s.svg", k % 2 == 0 ? "|>m;" : "", text);
        for (char *c = path; *c != '\0'; c++)
            if (*c == '/')
                *c = ' ';
        cr_assert_eq(llmsim_picture_open(&picture, path, 900, 500, &err), LLMSIM_OK);
        (void)fputs("set title ", picture.script);
        llmsim_picture_string(picture.script, text);
        (void)fputs("\nplot x\n", picture.script);
        cr_assert_eq(llmsim_picture_close(&picture, &err), LLMSIM_OK, "%d: %s", k, err.message);
        cr_expect_eq(access(path, F_OK), 0);
        cr_expect_not(is_there(dir, "m"), "a command of text %d was run", k);
    }
    remove_dir(dir);
}
