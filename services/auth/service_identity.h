#ifndef PRBAL_SERVICES_AUTH_SERVICE_IDENTITY_H
#define PRBAL_SERVICES_AUTH_SERVICE_IDENTITY_H

#include <stdbool.h>

/* Whether `identity`, of a client's certificate, is one of `list`: names
 * separated by commas, each compared as a whole, byte by byte.  Neither a
 * wildcard nor a prefix: what is not spelled out is not let in.  False for
 * NULL. */
bool service_identity_is_listed(const char *list, const char *identity);

#endif
