#ifndef PRBAL_SERVICES_NOTIFICATIONS_TEXT_H
#define PRBAL_SERVICES_NOTIFICATIONS_TEXT_H

#include "rpc/arena.h"
#include "services/notifications/notify.h"

enum { NOTICE_TITLE_MAX = 255, NOTICE_MESSAGE_MAX = 2000 }; /* characters */

/* The notice's own texts, or its type's filled with what the notice says; cut
 * to their limits between two characters.  In the arena. */
const char *notice_title(struct arena *arena, const struct notice *notice);
const char *notice_message(struct arena *arena, const struct notice *notice);

/* The notice's own link, or the object's path in the app; NULL without an
 * object that has one. */
const char *notice_link(struct arena *arena, const struct notice *notice);

/* At most `characters` of a text in UTF-8; the text itself when it is short
 * enough. */
const char *text_cut(struct arena *arena, const char *text, size_t characters);

#endif
