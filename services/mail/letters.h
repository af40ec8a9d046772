#ifndef PRBAL_SERVICES_MAIL_LETTERS_H
#define PRBAL_SERVICES_MAIL_LETTERS_H

#include "services/mail/mail.h"

/* The texts that the server writes to people.  `locale` is the reader's ("en",
 * "ar-EG"); a language that has no texts yet reads English.  All are sent once
 * `tx` is committed; none suspends. */
void letter_verify_email(struct db *tx, const char *locale, const char *to,
                         const char *code);
void letter_reset_password(struct db *tx, const char *locale, const char *to,
                           const char *code);
void letter_welcome(struct db *tx, const char *locale, const char *to,
                    const char *full_name);
void letter_password_changed(struct db *tx, const char *locale, const char *to);
void letter_session_stolen(struct db *tx, const char *locale, const char *to);

#endif
