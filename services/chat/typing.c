/* Who is writing: told to the streams that are open, and stored nowhere. */
#include "db/db.h"
#include "prbal/v1/chat.rpc.h"
#include "services/chat/chat_row.rpc.h"
#include "services/chat/room.sql.h"
#include "services/events/whisper.h"

#include <stdio.h>
#include <string.h>

/* Everybody who types would be news for everybody else. */
enum { OTHERS_MAX = 20 };

static void tell_typing(struct rpc_call *call, const char *room_id,
                        const char *to, bool is_typing)
{
    struct whisper whisper = {.is_typing = is_typing};
    snprintf(whisper.to, sizeof whisper.to, "%s", to);
    snprintf(whisper.room_id, sizeof whisper.room_id, "%s", room_id);
    snprintf(whisper.user_id, sizeof whisper.user_id, "%s", call->caller.id);
    whisper_send(call, &whisper);
}

rpc_status chat_set_typing(struct rpc_call *call, const SetTypingRequest *req,
                           SetTypingResponse *res)
{
    (void)res;
    ChatMembershipRow *room;
    TRY(db_find(call->db, &room_membership, &room, db_text(req->room_id),
                db_text(call->caller.id)));
    if (room == NULL)
        return rpc_fail(call, RPC_NOT_FOUND, "room not found");
    size_t count;
    ChatMemberRow **members;
    TRY(db_many(call->db, &room_members, &count, &members,
                db_text(room->room_id)));
    for (size_t i = 0; i < count && count <= OTHERS_MAX + 1; i++)
        if (strcmp(members[i]->user_id, call->caller.id) != 0)
            tell_typing(call, room->room_id, members[i]->user_id,
                        req->is_typing);
    return RPC_SUCCESS;
}
