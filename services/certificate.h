#ifndef PRBAL_SERVICES_CERTIFICATE_H
#define PRBAL_SERVICES_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

/* A certificate for development: P-256, self-signed, for localhost, 127.0.0.1
 * and ::1, good for a year.
 *
 *   <folder>/cert.pem   for clients, to trust exactly this server
 *   <folder>/key.pem    0600
 *
 * One that is there is kept until a week before its end.  False with a sentence
 * in error[error_size]. */
bool certificate_ensure(const char *folder, char *error, size_t error_size);

#endif
