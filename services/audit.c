#include "services/audit.h"

#include "services/auth/audit.sql.h"
#include "services/auth/peer.h"

rpc_status audit(struct db *db, const char *action, const char *object_type,
                 const char *object_id, const char *detail_json)
{
    const struct rpc_call *call = db_call(db);
    char address[PEER_TEXT_BYTES];
    peer_address(call->peer, address);
    return db_exec(db, &audit_insert, NULL, db_text(call->caller.id),
                   db_text(action), db_text(object_type), db_text(object_id),
                   db_text(detail_json), db_text_or_null(address),
                   db_text(call->request_id));
}
