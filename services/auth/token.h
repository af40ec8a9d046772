#ifndef PRBAL_SERVICES_AUTH_TOKEN_H
#define PRBAL_SERVICES_AUTH_TOKEN_H

#include "rpc/call.h"

#include <stdint.h>

/* Access tokens: JWTs signed with ES256 by the keys of services/keys.h.
 *
 *   {"alg":"ES256","kid":...,"typ":"JWT"}
 *   {"aud":"prbal.v1","caps":120,"exp":...,"iat":...,"iss":"prbal","nbf":...,
 *    "scope":"full","sid":...,"sub":...,"typ":"access","ut":"PROVIDER"}
 *
 * The token chooses nothing.  Its header must be, byte for byte, one that this
 * server writes: that settles algorithm and key before libjwt is asked, and
 * libjwt is asked afterwards what it used.  libjwt 1.10 looks at no claim, so
 * all claims are checked here. */

enum {
    TOKEN_BYTES_MAX = 1024,
    TOKEN_SKEW_S = 30, /* how far another process's clock may be ahead */
};

/* Whom a token is for. */
struct token_subject {
    const char *user_id;
    const char *session_id;
    const char *user_type; /* "PROVIDER"; for other readers of the token */
    uint32_t roles;        /* bits of prbal.Role, as token_roles() makes them */
};

/* The roles of an account: `user_type` and `admin_level` as the database has
 * them.  `is_pending`: no contact is verified yet. */
uint32_t token_roles(const char *user_type, const char *admin_level,
                     bool is_pending);

/* A token that is good from now for lifetime_ms; the moment of its end goes to
 * *expires_us (wall clock).  The text is in `arena`.  keys_load() must have
 * succeeded; takes about half a millisecond. */
char *token_issue(struct arena *arena, const struct token_subject *subject,
                  int64_t lifetime_ms, int64_t *expires_us);

typedef enum {
    TOKEN_GOOD,
    TOKEN_INVALID,
    TOKEN_EXPIRED, /* good at another time: it ended, or is still to begin */
} token_verdict;

/* Reads a token, checks all of it, and fills *caller with texts in `arena`.
 * Knows nothing of sessions that have ended: services/auth/authenticate.h does.
 * Costs half a millisecond when the signature has to be checked, which is the
 * last thing done. */
token_verdict token_read(struct arena *arena, const char *text,
                         struct rpc_caller *caller);

/* RFC 7517, for /.well-known/jwks.json. */
char *token_jwks(struct arena *arena);

#endif
