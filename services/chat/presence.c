/* Who of the people one talks to is online. */
#include "db/db.h"
#include "prbal/v1/chat.rpc.h"
#include "services/events/presence.sql.h"

rpc_status chat_get_presence(struct rpc_call *call,
                             const GetPresenceRequest *req,
                             GetPresenceResponse *res)
{
    return db_many(
        call->db, &presence_of_others, &res->n_presences, &res->presences,
        db_text(call->caller.id),
        db_texts((const char *const *)req->user_ids, req->n_user_ids));
}
