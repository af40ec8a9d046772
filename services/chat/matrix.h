#ifndef PRBAL_SERVICES_CHAT_MATRIX_H
#define PRBAL_SERVICES_CHAT_MATRIX_H

#include "prbal/v1/common.rpc.h"

#include <stdbool.h>

/* Whether one role may begin to write to another.  Unknown types may not. */
bool chat_may_write(UserType from, UserType to);

#endif
