#ifndef PRBAL_TESTS_MAILBOX_H
#define PRBAL_TESTS_MAILBOX_H

#include "tests/testkit/testkit.h"

/* What the server mailed to an address, read from its outbox. */

/* How many mails there are now. */
int mail_count(fixture *t, const char *to);

/* The subject and the text of the `number`-th mail to the address (1 is the
 * first), in the fixture's arena.  Waits for it, and fails the test when it
 * does not come. */
const char *mail_to(fixture *t, const char *to, int number);

/* The six digits in that mail. */
const char *mailed_code(fixture *t, const char *to, int number);

/* Six digits that are not these. */
const char *other_code(fixture *t, const char *code);

#endif
