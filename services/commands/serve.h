#ifndef PRBAL_SERVICES_COMMANDS_SERVE_H
#define PRBAL_SERVICES_COMMANDS_SERVE_H

#include "services/commands/handover.h"

/* Serves until a signal or a successor ends it; the exit status.  `gift` is
 * what another process gave, with the link to it, or nothing and -1.  `ready`
 * is called once it serves and the other one knows.  Main thread, the only one.
 */
int serve(const struct handover_gift *gift, int predecessor,
          void (*ready)(void));

#endif
