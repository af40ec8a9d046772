#ifndef PRBAL_SERVICES_EVENTS_WHISPER_H
#define PRBAL_SERVICES_EVENTS_WHISPER_H

#include "rpc/server.h"
#include "services/events/users.h"

#include <stdbool.h>

/* Something for the open streams of a user that is worth nothing a moment
 * later: it is in no log, and where it cannot be told at once it is lost.
 * Streams of other processes hear of it by the channel of the hints. */
struct whisper {
    char to[USER_ID_SIZE];
    char room_id[USER_ID_SIZE];
    char user_id[USER_ID_SIZE]; /* who is typing there, or has stopped */
    bool is_typing;
};

/* Copied.  Does not suspend. */
void whisper_send(struct rpc_call *call, const struct whisper *whisper);

/* Tells the loops of this server alone. */
void whisper_here(struct rpc_server *server, const struct whisper *whisper);

/* One word of a hint, with its NUL. */
enum { WHISPER_WORD_SIZE = 2 + 3 * USER_ID_SIZE };
void whisper_write(const struct whisper *whisper, char word[WHISPER_WORD_SIZE]);
bool whisper_read(struct whisper *whisper, const char *word);

#endif
