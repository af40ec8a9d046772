#ifndef PRBAL_SERVICES_COMMANDS_LIVE_SETTINGS_H
#define PRBAL_SERVICES_COMMANDS_LIVE_SETTINGS_H

#include "rpc/server.h"

/* Settings that change while the server runs: the live ones of rpc/limits.def.
 * The others are read, compared, and said to need a restart. */
struct live_settings;

/* Reads the file, environment and command line again and gives the limits to
 * the server; says on standard output what became of it.  *last is what was
 * read before (NULL: the settings of the start), and is replaced; what cannot
 * be read changes nothing. */
void live_settings_read(struct live_settings **last, struct rpc_server *server);
void live_settings_destroy(struct live_settings *settings); /* accepts NULL */

#endif
