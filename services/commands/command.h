#ifndef PRBAL_SERVICES_COMMANDS_COMMAND_H
#define PRBAL_SERVICES_COMMANDS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/* The subcommands of prbald.  Exit status: 0 done, 1 it failed and a sentence
 * on stderr says why, 2 wrong usage. */
enum { COMMAND_DONE = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

enum { COMMAND_ERROR_BYTES = 1024 };

struct command {
    const char *name;
    const char *summary;   /* one line of `prbald --help`; NULL = hidden */
    const char *arguments; /* "[--number N]" */
    const char *help;      /* paragraphs of `prbald NAME --help` */
    /* The settings have been read.  `arguments` are those that are no setting;
     * NULL-terminated. */
    int (*run)(const char *const *arguments);
    bool needs_no_settings;
};

extern const struct command command_serve, command_migrate, command_seed,
    command_admin, command_check, command_doctor, command_config, command_psql,
    command_top, command_backup, command_drill, command_upgrade, command_keep,
    command_version;

/* Everything main() does. */
int command_main(int argc, char **argv);

/* "prbald: SENTENCE" on stderr; returns COMMAND_FAILED. */
int command_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for an argument that the command does not know; COMMAND_USAGE. */
int command_misused(const struct command *command, const char *argument);

/* Whether `arguments` has the flag. */
bool command_flag(const char *const *arguments, const char *flag);

#endif
