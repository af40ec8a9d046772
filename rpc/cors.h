#ifndef PRBAL_RPC_CORS_H
#define PRBAL_RPC_CORS_H

#include <stdbool.h>

/* Which web pages may call from a browser (fetch.spec.whatwg.org, "CORS
 * protocol").  `origins` is rpc_server_options.web_origins: origins separated
 * by commas, "*" for any, NULL for none. */

/* Whether pages of `origin` may. */
bool cors_allows(const char *origins, const char *origin);

#endif
