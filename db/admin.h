#ifndef PRBAL_DB_ADMIN_H
#define PRBAL_DB_ADMIN_H

#include <stdbool.h>
#include <stddef.h>

/* A blocking connection for the commands that run beside the server: checks,
 * seeding, diagnosis.  Never on a loop's thread. */
struct db_admin;

/* NULL with one sentence in error[error_size], without the password. */
struct db_admin *db_admin_open(const char *url, char *error, size_t error_size);
void db_admin_close(struct db_admin *link); /* accepts NULL */

/* Runs a script of any number of statements, as one transaction unless it says
 * otherwise.  False with PostgreSQL's sentence. */
bool db_admin_run(struct db_admin *link, const char *script, char *error,
                  size_t error_size);

/* The first column of the first row; "" when there is no row or it is null.
 * `parameters` are texts for $1, $2 ...; NULL-terminated, may be NULL itself.
 */
bool db_admin_text(struct db_admin *link, const char *sql,
                   const char *const *parameters, char *text, size_t text_size,
                   char *error, size_t error_size);

/* 150004 for 15.4. */
int db_admin_version(const struct db_admin *link);

#endif
