#ifndef PRBAL_SERVICES_AUTH_PASSWORD_H
#define PRBAL_SERVICES_AUTH_PASSWORD_H

#include "rpc/call.h"

/* How passwords are kept: as PHC strings of Argon2id (m = 19 MiB, t = 2, p = 1;
 * about 30 ms).  Django's "pbkdf2_sha256$..." strings are verified too, so that
 * accounts can be moved in, and are outdated: the caller stores a new hash
 * while it has the password.  Both functions run on the thread pool and
 * suspend. */

/* The hash, in the call's arena. */
rpc_status password_hash(struct rpc_call *call, const char *password,
                         char **hash);

struct password_check {
    bool matches;
    bool is_outdated; /* kept in another way than password_hash() does */
};

/* Takes as long for a `hash` of NULL (no such account, or no password), which
 * matches nothing. */
rpc_status password_verify(struct rpc_call *call, const char *password,
                           const char *hash, struct password_check *check);

#endif
