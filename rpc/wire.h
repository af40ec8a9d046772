#ifndef PRBAL_RPC_WIRE_H
#define PRBAL_RPC_WIRE_H

#include "rpc/http.h"

/* Who serves a request, or refuses it: by its method, content type, path and
 * origin, and by what this version of HTTP can.  Never NULL. */
const struct http_wire *wire_choose(const struct conn *conn,
                                    const struct http_ops *http,
                                    const struct http_fields *fields);

#endif
