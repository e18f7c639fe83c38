/* options.c: the option tables, parsed with getopt_long. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MAX_OPTIONS CLI_MAX_OPTIONS
#define FIRST_LONG 1000 /* what getopt_long returns for row 0: no character */

bool cli_parse_u64(const char *text, uint64_t *value)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

bool cli_parse_double(const char *text, double *value)
{
    /* strtod also takes "nan", "inf" and hexadecimal: none is wanted. */
    if (text[strspn(text, "0123456789.eE+-")] != '\0')
        return false;
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0';
}

static enum llmsim_status set_choice(const struct cli_option *option, const char *text,
                                     struct cli_choice *target, struct llmsim_error *err)
{
    char names[256];
    if (!llmsim_choice_find(option->choice, text, &target->row))
        return llmsim_fail(err, LLMSIM_USAGE, "--%s '%s': expected one of %s", option->name, text,
                           llmsim_choice_names(option->choice, names, sizeof names));
    target->name = option->choice(target->row)->name;
    return LLMSIM_OK;
}

enum llmsim_status cli_set_option(const struct cli_option *option, const char *text, void *values,
                                  struct llmsim_error *err)
{
    void *target = (char *)values + option->offset;
    switch (option->kind) {
    case CLI_FLAG: /* a word only where a sweep says so */
        *(bool *)target = text == NULL || strcmp(text, "true") == 0;
        if (text != NULL && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return llmsim_fail(err, LLMSIM_USAGE, "--%s '%s': expected true or false", option->name,
                               text);
        return LLMSIM_OK;
    case CLI_TEXT_FLAG:
        *(const char **)target = "true";
        return LLMSIM_OK;
    case CLI_TEXT:
    case CLI_STRING: /* a name or a path, which an empty one is not */
        if (text[0] == '\0')
            return llmsim_fail(err, LLMSIM_USAGE, "--%s '': expected %s, not an empty text",
                               option->name, option->argument);
        *(const char **)target = text;
        return LLMSIM_OK;
    case CLI_CHOICE:
        return set_choice(option, text, target, err);
    case CLI_U64:
        if (!cli_parse_u64(text, target) || *(uint64_t *)target < option->min ||
            *(uint64_t *)target > option->max)
            return llmsim_fail(err, LLMSIM_USAGE,
                               "--%s '%s': expected a whole number from %llu to %llu", option->name,
                               text, (unsigned long long)option->min,
                               (unsigned long long)option->max);
        return LLMSIM_OK;
    case CLI_DOUBLE:
        if (!cli_parse_double(text, target) || *(double *)target < 0 ||
            (*(double *)target == 0 && !option->allows_zero))
            return llmsim_fail(err, LLMSIM_USAGE, "--%s '%s': expected a number %s", option->name,
                               text, option->allows_zero ? "from 0 on" : "greater than 0");
        if (option->max > 0 && *(double *)target > (double)option->max)
            return llmsim_fail(err, LLMSIM_USAGE, "--%s '%s': expected at most %llu", option->name,
                               text, (unsigned long long)option->max);
        return LLMSIM_OK;
    case CLI_RATIO: {
        struct llmsim_error inner;
        if (llmsim_ratio_parse(text, target, &inner) != LLMSIM_OK)
            return llmsim_fail(err, LLMSIM_USAGE, "--%s %s", option->name, inner.message);
        return LLMSIM_OK;
    }
    case CLI_TABLE: /* list_options leaves none */
    case CLI_TEXTS:
        break;
    }
    return llmsim_fail(err, LLMSIM_INTERNAL, "option --%s has no kind", option->name);
}

static size_t add_options(const struct cli_option *rows, size_t offset, size_t n,
                          struct cli_option_list *list);

/* The rows of a table as texts. An alias has the place of the row before it. */
static size_t add_texts(const struct cli_option *table, size_t offset, size_t n,
                        struct cli_option_list *list)
{
    size_t first = n, target = n;
    n = add_options(table, 0, n, list);
    for (size_t i = first; i < n; i++) {
        struct cli_option *row = &list->rows[i];
        target = row->is_alias ? target : i;
        row->kind = row->kind == CLI_FLAG ? CLI_TEXT_FLAG : CLI_TEXT;
        row->required = false;
        row->goes_with = NULL;
        row->offset = offset + (target - first) * sizeof(const char *);
    }
    return n;
}

static size_t add_options(const struct cli_option *rows, size_t offset, size_t n,
                          struct cli_option_list *list)
{
    for (const struct cli_option *o = rows; o->name != NULL && n < MAX_OPTIONS; o++) {
        if (o->kind == CLI_TABLE) {
            n = add_options(o->table, offset + o->offset, n, list);
        } else if (o->kind == CLI_TEXTS) {
            n = add_texts(o->table, offset + o->offset, n, list);
        } else {
            list->rows[n] = *o;
            list->rows[n++].offset += offset;
        }
    }
    return n;
}

void cli_list_options(const struct cli_option *table, struct cli_option_list *list)
{
    size_t n = add_options(table, 0, 0, list);
    list->rows[n] = (struct cli_option)CLI_OPTION_END;
}

/* The options that `typed` begins, as "--a, --b"; how many. */
static size_t list_completions(const struct cli_option *rows, const char *typed,
                               char names[static 256])
{
    size_t n = 0, used = 0;
    names[0] = '\0';
    for (const struct cli_option *o = rows; o->name != NULL && used < 256; o++)
        if (typed[0] != '\0' && strncmp(o->name, typed, strlen(typed)) == 0)
            used +=
                (size_t)snprintf(names + used, 256 - used, "%s--%s", n++ == 0 ? "" : ", ", o->name);
    return n;
}

/* It may be the beginning of several, or of none. */
static enum llmsim_status fail_unknown(const struct cli_command *command,
                                       const struct cli_option *rows, const char *word,
                                       struct llmsim_error *err)
{
    size_t name_length = strcspn(word, "=");
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", (int)(name_length < 63 ? name_length : 63), word);
    struct llmsim_nearest nearest = {.typed = name + strspn(name, "-")};
    char completions[256];
    if (list_completions(rows, nearest.typed, completions) > 1)
        return llmsim_fail(err, LLMSIM_USAGE, "%s: option %s is ambiguous: %s", command->name, name,
                           completions);
    for (const struct cli_option *o = rows; o->name != NULL; o++)
        llmsim_nearest_offer(&nearest, o->name);
    if (nearest.word != NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "%s: unknown option %s (did you mean --%s?)",
                           command->name, name, nearest.word);
    return llmsim_fail(err, LLMSIM_USAGE, "%s: unknown option %s; see `llmsim %s --help`",
                       command->name, name, command->name);
}

/* getopt_long returned '?': optopt is a long option that has no value, an unknown short one, or 0
 * for an unknown long one, which argv still has. */
static enum llmsim_status fail_option(const struct cli_command *command,
                                      const struct cli_option *rows, char **argv,
                                      struct llmsim_error *err)
{
    if (optopt == 0)
        return fail_unknown(command, rows, argv[optind - 1], err);
    if (optopt < FIRST_LONG && optopt != 'h')
        return llmsim_fail(err, LLMSIM_USAGE, "%s: unknown option -%c; see `llmsim %s --help`",
                           command->name, isgraph((unsigned char)optopt) ? optopt : '?',
                           command->name);
    return llmsim_fail(err, LLMSIM_USAGE, "%s: --%s takes no value", command->name,
                       optopt == 'h' ? "help" : rows[optopt - FIRST_LONG].name);
}

/* An option counts as given if its row, or the row that it is an alias of, was seen. */
static enum llmsim_status check_required(const struct cli_command *command,
                                         const struct cli_option *rows, const bool *seen,
                                         struct llmsim_error *err)
{
    for (size_t i = 0; rows[i].name != NULL; i++) {
        bool given = seen[i];
        for (size_t j = i + 1; rows[j].name != NULL && rows[j].is_alias; j++)
            given = given || seen[j];
        if (rows[i].required && !given)
            return llmsim_fail(err, LLMSIM_USAGE, "%s: --%s %s is missing; see `llmsim %s --help`",
                               command->name, rows[i].name, rows[i].argument, command->name);
    }
    return LLMSIM_OK;
}

/* Is the option that this one goes with (if any) set as it has to be? */
static bool has_effect(const struct cli_option *rows, const struct cli_option *option,
                       const void *values)
{
    if (option->goes_with == NULL)
        return true;
    size_t length = strcspn(option->goes_with, "=");
    for (const struct cli_option *o = rows; o->name != NULL; o++) {
        if (strncmp(o->name, option->goes_with, length) != 0 || o->name[length] != '\0')
            continue;
        const void *value = (const char *)values + o->offset;
        if (o->kind == CLI_STRING)
            return *(const char *const *)value != NULL;
        if (o->kind == CLI_FLAG)
            return *(const bool *)value;
        if (o->kind == CLI_DOUBLE)
            return *(const double *)value != 0;
        return o->kind == CLI_CHOICE ? strcmp(((const struct cli_choice *)value)->name,
                                              option->goes_with + length + 1) == 0
                                     : *(const uint64_t *)value != 0;
    }
    return true;
}

bool cli_asks(const struct cli_option *row, const void *values)
{
    const void *value = (const char *)values + row->offset;
    if (row->kind == CLI_U64 && row->initial != NULL && strcmp(row->initial, "0") == 0)
        return *(const uint64_t *)value != 0;
    return row->kind != CLI_FLAG || *(const bool *)value;
}

bool cli_is_in_vain(const struct cli_option *rows, size_t i, const void *values)
{
    return cli_asks(&rows[i], values) && !has_effect(rows, &rows[i], values);
}

enum llmsim_status cli_fail_in_vain(const struct cli_option *row, struct llmsim_error *err)
{
    const char *other = row->goes_with;
    int length = (int)strcspn(other, "=");
    bool has_value = other[length] == '=';
    return llmsim_fail(err, LLMSIM_USAGE, "--%s goes with --%.*s%s%s", row->name, length, other,
                       has_value ? " " : "", has_value ? other + length + 1 : "");
}

static enum llmsim_status check_effect(const struct cli_option *rows, const bool *seen,
                                       const void *values, struct llmsim_error *err)
{
    for (size_t i = 0; rows[i].name != NULL; i++)
        if (seen[i] && !rows[i].may_be_idle && cli_is_in_vain(rows, i, values))
            return cli_fail_in_vain(&rows[i], err);
    return LLMSIM_OK;
}

static struct llmsim_setting number_setting(const char *name, double number)
{
    return (struct llmsim_setting){name, LLMSIM_SETTING_NUMBER, number, NULL};
}

/* Returns whether there is a value. */
static bool get_setting(const struct cli_option *option, const void *values,
                        struct llmsim_setting *setting)
{
    const void *value = (const char *)values + option->offset;
    const char *text = NULL;
    switch (option->kind) {
    case CLI_U64:
        *setting = number_setting(option->name, (double)*(const uint64_t *)value);
        return true;
    case CLI_DOUBLE:
        *setting = number_setting(option->name, *(const double *)value);
        return true;
    case CLI_RATIO: {
        const struct llmsim_ratio *ratio = value;
        *setting =
            number_setting(option->name, (double)ratio->numerator / (double)ratio->denominator);
        return ratio->denominator != 0;
    }
    case CLI_FLAG:
        *setting = number_setting(option->name, *(const bool *)value);
        setting->kind = LLMSIM_SETTING_FLAG;
        return true;
    case CLI_STRING:
        text = *(const char *const *)value;
        break;
    case CLI_CHOICE:
        text = ((const struct cli_choice *)value)->name;
        break;
    case CLI_TABLE:
    case CLI_TEXTS:
    case CLI_TEXT:
    case CLI_TEXT_FLAG:
        break;
    }
    *setting = (struct llmsim_setting){option->name, LLMSIM_SETTING_TEXT, 0, text};
    return text != NULL;
}

size_t cli_list_settings(const struct cli_option *table, const void *values,
                         struct llmsim_setting settings[static CLI_MAX_OPTIONS])
{
    size_t n = 0;
    struct cli_option_list list;
    cli_list_options(table, &list);
    for (const struct cli_option *o = list.rows; o->name != NULL && n < CLI_MAX_OPTIONS; o++)
        if (!o->is_alias && !o->is_no_setting && has_effect(list.rows, o, values))
            n += get_setting(o, values, &settings[n]);
    return n;
}

enum llmsim_status cli_set_defaults(const struct cli_option *table, void *values,
                                    struct llmsim_error *err)
{
    for (const struct cli_option *o = table; o->name != NULL; o++) {
        enum llmsim_status status = LLMSIM_OK;
        if (o->initial != NULL && o->kind != CLI_TEXT)
            status = cli_set_option(o, o->initial, values, err);
        if (status != LLMSIM_OK)
            return status;
    }
    return LLMSIM_OK;
}

static bool takes_value(const struct cli_option *o)
{
    return o->kind != CLI_FLAG && o->kind != CLI_TEXT_FLAG;
}

static void list_long_options(const struct cli_option *rows,
                              struct option long_options[static MAX_OPTIONS + 2])
{
    size_t n = 0;
    for (; rows[n].name != NULL; n++)
        long_options[n] =
            (struct option){rows[n].name, takes_value(&rows[n]) ? required_argument : no_argument,
                            NULL, FIRST_LONG + (int)n};
    long_options[n] = (struct option){"help", no_argument, NULL, 'h'};
}

enum llmsim_status cli_parse(const struct cli_command *command, int argc, char **argv, void *values,
                             const char **operands, size_t *n_operands, bool *wants_help,
                             struct llmsim_error *err)
{
    struct option long_options[MAX_OPTIONS + 2] = {0};
    bool seen[MAX_OPTIONS] = {false};
    struct cli_option_list list;
    const struct cli_option *rows = list.rows;
    cli_list_options(command->options, &list);
    list_long_options(rows, long_options);

    *wants_help = false;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            *wants_help = true;
    if (*wants_help)
        return LLMSIM_OK;

    enum llmsim_status status = cli_set_defaults(rows, values, err);
    if (status != LLMSIM_OK)
        return status;

    opterr = 0;
    optind = 0; /* GNU: start anew */
    for (int c; (c = getopt_long(argc, argv, ":h", long_options, NULL)) != -1;) {
        if (c == ':')
            return llmsim_fail(err, LLMSIM_USAGE, "%s: %s needs a value", command->name,
                               argv[optind - 1]);
        if (c == '?')
            return fail_option(command, rows, argv, err);
        *wants_help = c == 'h'; /* in a form that the loop above does not know, as --hel */
        if (*wants_help)
            return LLMSIM_OK;
        const struct cli_option *o = &rows[c - FIRST_LONG];
        status = cli_set_option(o, optarg, values, err);
        if (status != LLMSIM_OK)
            return status;
        seen[c - FIRST_LONG] = true;
    }
    *n_operands = (size_t)(argc - optind);
    if (*n_operands > command->max_operands || *n_operands > CLI_MAX_OPERANDS)
        return llmsim_fail(err, LLMSIM_USAGE, "%s: unexpected argument '%s'", command->name,
                           argv[(size_t)optind + command->max_operands]);
    if (*n_operands < command->min_operands)
        return llmsim_fail(err, LLMSIM_USAGE, "%s: %s is missing; see `llmsim %s --help`",
                           command->name, command->operands, command->name);
    for (size_t i = 0; i < *n_operands; i++) {
        operands[i] = argv[(size_t)optind + i];
        if (operands[i][0] == '\0')
            return llmsim_fail(err, LLMSIM_USAGE, "%s '': expected %s, not an empty text",
                               command->name, command->operands);
    }
    status = check_required(command, rows, seen, err);
    return status == LLMSIM_OK ? check_effect(rows, seen, values, err) : status;
}

void cli_print_help(const struct cli_command *command, FILE *f)
{
    struct cli_option_list list;
    cli_list_options(command->options, &list);
    (void)fprintf(f, "usage: llmsim %s", command->name);
    if (command->operands[0] != '\0')
        (void)fprintf(f, " %s", command->operands);
    for (const struct cli_option *o = list.rows; o->name != NULL; o++)
        if (o->required)
            (void)fprintf(f, " --%s %s", o->name, o->argument);
    (void)fprintf(f, " [options]\n\n%s\n\noptions:\n", command->help);
    for (const struct cli_option *o = list.rows; o->name != NULL; o++) {
        char left[64];
        if (o->is_alias)
            continue;
        (void)snprintf(left, sizeof left, "--%s %s", o->name,
                       o->argument != NULL ? o->argument : "");
        (void)fprintf(f, "  %-30s %s", left, o->help);
        if (o->initial != NULL)
            (void)fprintf(f, " [%s]", o->initial);
        (void)fputc('\n', f);
        const struct llmsim_choice *row;
        for (size_t i = 0; o->choice != NULL && (row = o->choice(i)) != NULL; i++)
            (void)fprintf(f, "  %-30s   %s: %s\n", "", row->name, row->help);
    }
    (void)fprintf(f, "  %-30s %s\n\nexample:\n  %s\n", "--help", "this text", command->example);
}

void cli_put_line(FILE *f, const char *text)
{
    char shown[CLI_SHOWN_MAX];
    (void)fprintf(f, "%s\n", llmsim_shown(text, shown, sizeof shown));
}
