/* main.c: the table of commands, and how a command's error becomes a line and an exit code. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "interrupt.h"

static const struct cli_command *const commands[] = {
    &cli_replay,         &cli_sweep,         &cli_sweep_merge,    &cli_capacity,
    &cli_plot,           &cli_simulate,      &cli_costs,          &cli_validate,
    &cli_trace_info,     &cli_trace_convert, &cli_trace_generate, &cli_fit,
    &cli_fit_kernels,    &cli_profile_gpu,   &cli_profile_model,  &cli_profile_prompt,
    &cli_profile_decode,
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static void print_commands(FILE *f)
{
    (void)fprintf(f, "usage: llmsim COMMAND [arguments]\n\n"
                     "Replays LLM request traces through a model of an inference server and says\n"
                     "when every token would have come out.\n\ncommands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        (void)fprintf(f, "  %-16s %s\n", commands[i]->name, commands[i]->help);
    (void)fprintf(f, "\n`llmsim COMMAND --help` says more; `llmsim --version` prints the version.\n"
                     "exit codes: 0 ok, 1 run failed, 2 usage, 3 bad catalogue, profile or spec,\n"
                     "4 bad trace, 5 input or output error, 6 internal error,\n"
                     "128+N ended by signal N\n");
}

/* How many words of argv (after the program's name) are the command's name; 0: it is another. */
static int match(const char *name, int argc, char **argv)
{
    int words = 0;
    for (const char *p = name; *p != '\0'; words++) {
        size_t length = strcspn(p, " ");
        if (words + 1 >= argc || strlen(argv[words + 1]) != length ||
            strncmp(argv[words + 1], p, length) != 0)
            return 0;
        p += length + (p[length] == ' ');
    }
    return words;
}

/* Results that stdio still holds must reach stdout, or the run has failed. */
static enum llmsim_status flush_stdout(enum llmsim_status status, struct llmsim_error *err)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == LLMSIM_OK)
        return llmsim_fail(err, LLMSIM_IO, "cannot write to stdout");
    return status;
}

static enum llmsim_status run_command(const struct cli_command *command, int argc, char **argv,
                                      struct llmsim_error *err)
{
    const char *operands[CLI_MAX_OPERANDS];
    size_t n_operands = 0;
    bool wants_help;
    void *values = calloc(1, command->values_size);
    if (values == NULL)
        return llmsim_fail(err, LLMSIM_RUN_FAILED, "out of memory");
    enum llmsim_status status =
        cli_parse(command, argc, argv, values, operands, &n_operands, &wants_help, err);
    if (status == LLMSIM_OK && wants_help)
        cli_print_help(command, stdout);
    else if (status == LLMSIM_OK)
        status = command->run(values, operands, n_operands, err);
    free(values);
    return flush_stdout(status, err);
}

static int report(enum llmsim_status status, const struct llmsim_error *err)
{
    if (status != LLMSIM_OK) {
        char text[LLMSIM_ERROR_FILE_MAX + LLMSIM_ERROR_MESSAGE_MAX + 64];
        llmsim_error_format(err, text, sizeof text);
        (void)fprintf(stderr, "llmsim: %s\n", text);
    }
    if (status == LLMSIM_INTERRUPTED && interrupt_seen() != 0)
        return 128 + interrupt_seen(); /* as the shell does */
    return (int)status;
}

/* The second words of the commands that begin with `group`, as "a, b"; how many. */
static size_t list_group(const char *group, char names[static 128])
{
    size_t n = 0, used = 0, length = strlen(group);
    names[0] = '\0';
    for (size_t i = 0; i < N_COMMANDS && used < 128; i++)
        if (strncmp(commands[i]->name, group, length) == 0 && commands[i]->name[length] == ' ')
            used += (size_t)snprintf(names + used, 128 - used, "%s%s", n++ == 0 ? "" : ", ",
                                     commands[i]->name + length + 1);
    return n;
}

/* The commands that begin with the word `group`; whether there are any. */
static bool print_group(const char *group)
{
    size_t length = strlen(group);
    bool any = false;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strncmp(commands[i]->name, group, length) != 0 || commands[i]->name[length] != ' ')
            continue;
        if (!any)
            (void)printf("usage: llmsim %s SUBCOMMAND [arguments]\n\nsubcommands:\n", group);
        any = true;
        (void)printf("  %-16s %s\n", commands[i]->name + length + 1, commands[i]->help);
    }
    if (any)
        (void)printf("\n`llmsim %s SUBCOMMAND --help` says more.\n", group);
    return any;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static enum llmsim_status fail_unknown_command(int argc, char **argv, struct llmsim_error *err)
{
    char typed[128], members[128];
    bool is_group = list_group(argv[1], members) > 0;
    bool is_pair = is_group && argc > 2 && argv[2][0] != '-';
    if (is_group && !is_pair)
        return llmsim_fail(err, LLMSIM_USAGE, "%s: a subcommand is missing; expected one of %s",
                           argv[1], members);
    (void)snprintf(typed, sizeof typed, "%s%s%s", argv[1], is_pair ? " " : "",
                   is_pair ? argv[2] : "");
    struct llmsim_nearest nearest = {.typed = typed};
    for (size_t i = 0; i < N_COMMANDS; i++)
        llmsim_nearest_offer(&nearest, commands[i]->name);
    if (nearest.word == NULL)
        return llmsim_fail(err, LLMSIM_USAGE, "unknown command '%s'; see `llmsim --help`", typed);
    return llmsim_fail(err, LLMSIM_USAGE,
                       "unknown command '%s' (did you mean %s?); see `llmsim --help`", typed,
                       nearest.word);
}

/* Where the program is started without one of its three descriptors, the next file would get its
 * number and what is meant for stdout or stderr. Take them with something that fails when used. */
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    struct llmsim_error err = {0};
    fill_standard_descriptors();
    /* A closed pipe is an error with a message, not a death. */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* so is a file that grows past a limit */

    int words = 0; /* of the longest name that fits: "sweep merge", not "sweep" */
    const struct cli_command *command = NULL;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        int n = match(commands[i]->name, argc, argv);
        command = n > words ? commands[i] : command;
        words = n > words ? n : words;
    }
    if (command != NULL)
        return report(run_command(command, argc - words, argv + words, &err), &err);
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        (void)printf("llmsim %s\n", LLMSIM_VERSION);
        return report(flush_stdout(LLMSIM_OK, &err), &err);
    }
    if (argc >= 3 && is_help(argv[2]) && print_group(argv[1]))
        return report(flush_stdout(LLMSIM_OK, &err), &err);
    if (argc >= 2 && (is_help(argv[1]) || strcmp(argv[1], "help") == 0)) {
        print_commands(stdout);
        return report(flush_stdout(LLMSIM_OK, &err), &err);
    }
    if (argc < 2) {
        print_commands(stderr);
        return report(llmsim_fail(&err, LLMSIM_USAGE, "a command is missing"), &err);
    }
    return report(fail_unknown_command(argc, argv, &err), &err);
}
