#ifndef PRBAL_SERVICES_COMMANDS_TLS_FILES_H
#define PRBAL_SERVICES_COMMANDS_TLS_FILES_H

#include "rpc/server.h"

/* The files that TLS is made of, as the settings name them: certificate, key,
 * and for clients' certificates their authorities and revocations. */
enum { TLS_PATH_BYTES = 1024 };

struct tls_files {
    char certificate[TLS_PATH_BYTES];
    char key[TLS_PATH_BYTES];
    int64_t changed_us; /* as they were when they were used last */
};

/* Makes a certificate in the data folder where none is named.  False with a
 * sentence in error[error_size].  All of these do nothing in clear text. */
bool tls_files_find(struct tls_files *files, char *error, size_t error_size);

/* Reads them, again or for the first time: connections that come from now on
 * use them.  What will not do leaves those in use that were. */
bool tls_files_use(struct tls_files *files, struct rpc_server *server,
                   char *error, size_t error_size);

/* Whether one of them was written since. */
bool tls_files_have_changed(const struct tls_files *files);

#endif
