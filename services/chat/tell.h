#ifndef PRBAL_SERVICES_CHAT_TELL_H
#define PRBAL_SERVICES_CHAT_TELL_H

#include "db/db.h"
#include "prbal/v1/chat.rpc.h"
#include "services/chat/chat_row.rpc.h"

/* What the members of a room hear of it, when `tx` commits. */

/* A new message: every member's streams, the sender's other devices included,
 * and a notification for the others who have not muted the room.  Suspends. */
rpc_status tell_message(struct db *tx, const ChatMembershipRow *room,
                        const ChatMessage *message);

/* A member has read up to `seq`.  Suspends. */
rpc_status tell_read(struct db *tx, const char *room_id, const char *reader_id,
                     int64_t seq);

/* A room that is new to its members.  Suspends. */
rpc_status tell_room(struct db *tx, const char *room_id, ChatRoomKind kind,
                     const char *name);

#endif
