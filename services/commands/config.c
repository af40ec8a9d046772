#include "services/app.h"
#include "services/commands/command.h"

#include <stdio.h>
#include <string.h>

static int run(const char *const *arguments)
{
    bool markdown = false;
    for (; *arguments != NULL; arguments++) {
        if (strcmp(*arguments, "--markdown") != 0)
            return command_misused(&command_config, *arguments);
        markdown = true;
    }
    if (markdown)
        config_print_markdown(app_config_table(), stdout);
    else
        config_print(app_config_table(), stdout);
    return COMMAND_DONE;
}

const struct command command_config = {
    .name = "config",
    .summary = "Prints every setting, its value, and where that came from",
    .arguments = "[--markdown]",
    .help =
        "Secrets are masked.  What comes later wins: default, the file that "
        "PRBAL_CONFIG\nnames, environment, command line.\n\n"
        "  --markdown  the reference page: defaults, what is allowed, what "
        "each is for\n",
    .run = run,
};
