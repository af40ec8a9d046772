/* Writing and listing messages. */
#include "db/db.h"
#include "prbal/v1/chat.rpc.h"
#include "services/chat/chat_row.rpc.h"
#include "services/chat/message.sql.h"
#include "services/chat/room.sql.h"
#include "services/chat/tell.h"

#include <string.h>
#include <strings.h>

enum { MESSAGES_DEFAULT = 20 };

static rpc_status room_not_found(struct rpc_call *call)
{
    return rpc_fail(call, RPC_NOT_FOUND, "room not found");
}

static rpc_status check_content(struct rpc_call *call, const char *content)
{
    if (content[strspn(content, " \t\r\n")] == '\0')
        return rpc_fail_field(call, "content", "must not be blank");
    return RPC_SUCCESS;
}

static rpc_status check_reply(struct rpc_call *call, struct db *tx,
                              const SendMessageRequest *req)
{
    if (req->reply_to_id[0] == '\0')
        return RPC_SUCCESS;
    ChatReadRow *original;
    TRY(db_find(tx, &message_seq, &original, db_text(req->room_id),
                db_text(req->reply_to_id)));
    if (original == NULL)
        return rpc_fail(call, RPC_FAILED_PRECONDITION,
                        "the message that is replied to is not in this room");
    return RPC_SUCCESS;
}

static bool is_same(const ChatMessage *stored, const SendMessageRequest *req)
{
    return strcasecmp(stored->room_id, req->room_id) == 0 &&
           strcasecmp(stored->reply_to_id, req->reply_to_id) == 0 &&
           (stored->is_edited || stored->is_deleted ||
            strcmp(stored->content, req->content) == 0);
}

/* A message that was sent before under the same client_message_id; NULL when
 * there is none. */
static rpc_status find_twin(struct rpc_call *call, struct db *tx,
                            const SendMessageRequest *req, ChatMessage **twin)
{
    *twin = NULL;
    if (req->client_message_id[0] == '\0')
        return RPC_SUCCESS;
    TRY(db_find(tx, &message_by_client_id, twin, db_text(call->caller.id),
                db_text(req->client_message_id)));
    if (*twin != NULL && !is_same(*twin, req))
        return rpc_fail_reason(call, RPC_ALREADY_EXISTS,
                               "CLIENT_MESSAGE_ID_REUSED",
                               "client_message_id %s was used for another "
                               "message",
                               req->client_message_id);
    return RPC_SUCCESS;
}

/* The room's row is locked first: messages of a room are written one after the
 * other, and a retry finds the message that its twin has just stored. */
rpc_status chat_send_message(struct rpc_call *call,
                             const SendMessageRequest *req,
                             SendMessageResponse *res)
{
    TRY(check_content(call, req->content));
    struct db *tx;
    TRY(db_begin(call->db, &tx));

    ChatMembershipRow *room;
    TRY(db_find(tx, &room_lock, &room, db_text(req->room_id),
                db_text(call->caller.id)));
    if (room == NULL)
        return room_not_found(call);
    TRY(find_twin(call, tx, req, &res->message));
    if (res->message != NULL)
        return db_commit(tx);
    TRY(check_reply(call, tx, req));
    TRY(db_one(tx, &message_insert, &res->message, db_text(req->room_id),
               db_text(call->caller.id), db_text(req->content),
               db_text_or_null(req->reply_to_id),
               db_text_or_null(req->client_message_id)));
    TRY(tell_message(tx, room, res->message));
    return db_commit(tx);
}

static rpc_status read_messages(struct rpc_call *call,
                                const ListMessagesRequest *req, int limit,
                                ListMessagesResponse *res)
{
    db_arg room_id = db_text(req->room_id), me = db_text(call->caller.id);
    db_arg search = db_text_or_null(req->search);
    if (req->_after_seq_case == LIST_MESSAGES_REQUEST_AFTER_SEQ_CASE)
        return db_many(call->db, &messages_after, &res->n_messages,
                       &res->messages, room_id, me, search,
                       db_int(req->after_seq), db_int(limit));
    return db_many(call->db, &messages_before, &res->n_messages, &res->messages,
                   room_id, me, search,
                   req->before_seq > 0 ? db_int(req->before_seq) : db_null(),
                   db_int(limit));
}

rpc_status chat_list_messages(struct rpc_call *call,
                              const ListMessagesRequest *req,
                              ListMessagesResponse *res)
{
    if (req->before_seq > 0 &&
        req->_after_seq_case == LIST_MESSAGES_REQUEST_AFTER_SEQ_CASE)
        return rpc_fail_field(call, "after_seq",
                              "cannot stand together with before_seq");
    ChatMembershipRow *room;
    TRY(db_find(call->db, &room_membership, &room, db_text(req->room_id),
                db_text(call->caller.id)));
    if (room == NULL)
        return room_not_found(call);

    size_t size =
        req->page_size > 0 ? (size_t)req->page_size : MESSAGES_DEFAULT;
    TRY(read_messages(call, req, (int)size + 1, res));
    res->has_more = res->n_messages > size;
    if (res->has_more)
        res->n_messages = size;
    return RPC_SUCCESS;
}
