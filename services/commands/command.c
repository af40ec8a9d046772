#include "services/commands/command.h"

#include "services/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARGUMENTS_MAX = 64, PAIR_BYTES = 512 };

static const struct command *const commands[] = {
    &command_serve,   &command_migrate, &command_seed,   &command_admin,
    &command_check,   &command_doctor,  &command_config, &command_psql,
    &command_top,     &command_backup,  &command_drill,  &command_upgrade,
    &command_version, &command_keep,
};

/* A command line, sorted: settings as "name=value", the rest as it came. */
struct line {
    const char *command;
    const char *arguments[ARGUMENTS_MAX + 1];
    const char *pairs[ARGUMENTS_MAX + 1];
    char pair_texts[ARGUMENTS_MAX][PAIR_BYTES];
    size_t argument_count, pair_count;
    bool help;
};

int command_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "prbald: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    return COMMAND_FAILED;
}

int command_misused(const struct command *command, const char *argument)
{
    command_fail("%s does not take \"%s\"; see `prbald %s --help`.",
                 command->name, argument, command->name);
    return COMMAND_USAGE;
}

bool command_flag(const char *const *arguments, const char *flag)
{
    for (; *arguments != NULL; arguments++)
        if (strcmp(*arguments, flag) == 0)
            return true;
    return false;
}

/* --- help ------------------------------------------------------------------
 */

/* The rest only prbald itself runs. */
static bool is_for_people(const struct command *command)
{
    return command->summary != NULL;
}

static void print_overview(FILE *out)
{
    fprintf(out, "prbald is a marketplace for services behind a gRPC API.\n\n"
                 "usage: prbald COMMAND [--SETTING VALUE]...\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (is_for_people(commands[i]))
            fprintf(out, "  %-9s %s\n", commands[i]->name,
                    commands[i]->summary);
    fprintf(
        out,
        "\n`prbald COMMAND --help` tells more.  Every setting is an\n"
        "environment variable, a line of the file that PRBAL_CONFIG names,\n"
        "and an option: PRBAL_ACCESS_TTL=1h, --access-ttl 1h, or\n"
        "--set access_ttl=1h.  `prbald config` lists them.\n");
}

static void print_help(const struct command *command)
{
    printf("usage: prbald %s%s%s [--SETTING VALUE]...\n\n%s.\n\n%s",
           command->name, *command->arguments == '\0' ? "" : " ",
           command->arguments, command->summary, command->help);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    command_fail("there is no command \"%s\".", name);
    fprintf(stderr, "The commands are");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (is_for_people(commands[i]))
            fprintf(stderr, "%s %s", i == 0 ? "" : ",", commands[i]->name);
    fprintf(stderr, "; `prbald --help` tells what they do.\n");
    return COMMAND_USAGE;
}

/* --- reading the line --------------------------------------------------------
 */

/* "--access-ttl=1h", or "--access-ttl" with the next argument, as
 * "access_ttl=1h".  0 when it is no setting, else how many arguments it is. */
static int read_option(struct line *line, const char *option, const char *next)
{
    size_t length = strcspn(option, "=");
    char name[64];
    if (length >= sizeof name)
        return 0;
    for (size_t i = 0; i < length; i++)
        name[i] = option[i] == '-' ? '_' : option[i];
    name[length] = '\0';
    const char *value = option[length] == '=' ? option + length + 1 : next;
    if (config_text(app_config_table(), name) == NULL || value == NULL)
        return 0;
    char *pair = line->pair_texts[line->pair_count];
    snprintf(pair, PAIR_BYTES, "%s=%s", name, value);
    line->pairs[line->pair_count++] = pair;
    return option[length] == '=' ? 1 : 2;
}

static int read_argument(struct line *line, const char *argument,
                         const char *next)
{
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        line->help = true;
        return 1;
    }
    if (strcmp(argument, "--set") == 0 && next != NULL) {
        line->pairs[line->pair_count++] = next;
        return 2;
    }
    if (strncmp(argument, "--", 2) == 0 && argument[2] != '\0') {
        int count = read_option(line, argument + 2, next);
        if (count > 0)
            return count;
    }
    if (line->command == NULL && *argument != '-')
        line->command = argument;
    else
        line->arguments[line->argument_count++] = argument;
    return 1;
}

/* What follows "--" is the command's, as it is. */
static void read_line(struct line *line, int argc, char **argv)
{
    for (int i = 1; i < argc;) {
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc)
                line->arguments[line->argument_count++] = argv[i];
            return;
        }
        i += read_argument(line, argv[i], argv[i + 1]);
    }
}

static int run(const struct command *command, const struct line *line)
{
    char error[COMMAND_ERROR_BYTES];
    if (!command->needs_no_settings &&
        !app_configure(line->pairs, error, sizeof error))
        return command_fail("%s", error);
    return command->run(line->arguments);
}

static int help(const struct line *line)
{
    const char *topic =
        strcmp(line->command, "help") == 0 ? line->arguments[0] : line->command;
    if (topic == NULL) {
        print_overview(stdout);
        return COMMAND_DONE;
    }
    if (find(topic) == NULL || !is_for_people(find(topic)))
        return unknown(topic);
    print_help(find(topic));
    return COMMAND_DONE;
}

static int dispatch(const struct line *line)
{
    if (line->command == NULL && command_flag(line->arguments, "--version"))
        return command_version.run(line->arguments);
    if (line->command == NULL && line->argument_count > 0) {
        command_fail("there is no option \"%s\"; see `prbald --help`.",
                     line->arguments[0]);
        return COMMAND_USAGE;
    }
    if (line->command == NULL) {
        print_overview(line->help ? stdout : stderr);
        return line->help ? COMMAND_DONE : COMMAND_USAGE;
    }
    if (line->help || strcmp(line->command, "help") == 0)
        return help(line);
    const struct command *command = find(line->command);
    return command == NULL ? unknown(line->command) : run(command, line);
}

int command_main(int argc, char **argv)
{
    if (argc > ARGUMENTS_MAX) {
        command_fail("more than %d arguments.", ARGUMENTS_MAX);
        return COMMAND_USAGE;
    }
    /* What is going on shows at once, in a pipe too. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct line *line = calloc(1, sizeof *line);
    if (line == NULL)
        abort();
    read_line(line, argc, argv);
    int status = dispatch(line);
    free(line);
    return status;
}
