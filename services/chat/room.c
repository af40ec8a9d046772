/* Opening, listing and reading rooms. */
#include "prbal/v1/chat.rpc.h"
#include "services/app.h"
#include "services/chat/chat.h"
#include "services/chat/chat_row.rpc.h"
#include "services/chat/matrix.h"
#include "services/chat/message.sql.h"
#include "services/chat/room.sql.h"
#include "services/chat/tell.h"
#include "services/notifications/notify.h"
#include "services/notifications/text.h"
#include "services/page.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

enum { ROOMS_DEFAULT = 20, TOTAL_MAX = 1000, ROOM_NAME_CHARACTERS = 120 };

/* ---- Opening. */

static rpc_status check_roles(struct rpc_call *call, const char *target_id)
{
    ChatPersonRow *me, *target;
    TRY(db_find(call->db, &chat_person, &target, db_text(target_id)));
    if (target == NULL)
        return rpc_fail(call, RPC_NOT_FOUND, "user not found");
    TRY(db_one(call->db, &chat_person, &me, db_text(call->caller.id)));
    if (app_config()->chat_role_matrix &&
        !chat_may_write(me->user_type, target->user_type))
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED,
                               "CANNOT_MESSAGE_USER",
                               "cannot message this user");
    return RPC_SUCCESS;
}

static rpc_status read_room(struct db *db, const char *room_id, ChatRoom **room)
{
    return db_one(db, &room_by_id, room, db_text(room_id),
                  db_text(db_call(db)->caller.id));
}

static rpc_status open_direct(struct rpc_call *call, const char *target_id,
                              ChatRoom **result)
{
    db_arg me = db_text(call->caller.id), target = db_text(target_id);
    struct db *tx;
    ChatRoomIdRow *room;
    TRY(db_begin(call->db, &tx));
    TRY(db_find(tx, &room_open_direct, &room, me, target));
    if (room == NULL) /* a twin was faster */
        TRY(db_one(tx, &room_direct_of, &room, me, target));
    else
        TRY(tell_room(tx, room->room_id, CHAT_ROOM_KIND_DIRECT, ""));
    TRY(read_room(tx, room->room_id, result));
    return db_commit(tx);
}

/* The roles are asked only when the room is new: whoever was written to may
 * answer. */
rpc_status chat_open_direct_room(struct rpc_call *call,
                                 const OpenDirectRoomRequest *req,
                                 OpenDirectRoomResponse *res)
{
    const char *me = call->caller.id, *target = req->target_user_id;
    if (strcasecmp(me, target) == 0)
        return rpc_fail_field(call, "target_user_id", "must be somebody else");
    ChatRoomIdRow *room;
    TRY(db_find(call->db, &room_direct_of, &room, db_text(me),
                db_text(target)));
    if (room != NULL)
        return read_room(call->db, room->room_id, &res->room);
    TRY(check_roles(call, target));
    return open_direct(call, target, &res->room);
}

rpc_status chat_open_context_room(struct db *tx,
                                  const struct chat_context *context,
                                  const char **room_id)
{
    assert(db_is_transaction(tx));
    struct arena *arena = db_call(tx)->arena;
    const char *title =
        text_cut(arena, context->title != NULL ? context->title : "",
                 ROOM_NAME_CHARACTERS);
    db_arg person = db_text(context->person_id);
    db_arg other = db_text(context->other_id);

    ChatRoomIdRow *room;
    TRY(db_one(tx, &room_open_context, &room, person, other, db_text(title),
               db_text_or_null(context->service_id),
               db_text_or_null(context->bid_id),
               db_text_or_null(context->booking_id)));
    if (room_id != NULL)
        *room_id = room->room_id;
    if (!room->is_new)
        return RPC_SUCCESS;
    TRY(db_exec(tx, &room_join, NULL, db_text(room->room_id), person, other));
    return tell_room(tx, room->room_id, CHAT_ROOM_KIND_CONTEXT, title);
}

/* ---- Listing. */

/* What the list and its count start with: room_filter's arguments. */
enum { FILTER_ARGS = 5, LIST_ARGS = FILTER_ARGS + 3 };

static rpc_status count_rooms(struct rpc_call *call, db_arg args[LIST_ARGS],
                              int64_t *total)
{
    ChatCountRow *row;
    args[FILTER_ARGS] = db_int(TOTAL_MAX);
    TRY(db_one_args(call->db, &rooms_count, &row, args, FILTER_ARGS + 1));
    *total = row->total;
    return RPC_SUCCESS;
}

rpc_status chat_list_rooms(struct rpc_call *call, const ListRoomsRequest *req,
                           ListRoomsResponse *res)
{
    struct page page;
    TRY(page_open(call, &req->base, ROOMS_DEFAULT, &page));
    db_arg args[LIST_ARGS] = {
        db_text(call->caller.id),
        db_enum(CHAT_ROOM_KIND_DESCRIPTOR, req->kind),
        db_text_or_null(req->booking_id),
        db_text_or_null(req->service_id),
        db_text_or_null(req->search),
    };
    TRY(count_rooms(call, args, &res->total_size));

    args[FILTER_ARGS] = page_time(&page, 0);
    args[FILTER_ARGS + 1] = page_text(&page, 1);
    args[FILTER_ARGS + 2] = page_limit(&page);
    TRY(db_many_args(call->db, &room_list, &res->n_rooms, &res->rooms, args,
                     LIST_ARGS));
    if (page_cut(&page, &res->n_rooms)) {
        const ChatRoom *last = res->rooms[res->n_rooms - 1];
        res->next_page_token = page_next(
            call, &page, page_time_key(call, last->update_time), last->room_id);
    }
    return RPC_SUCCESS;
}

rpc_status chat_get_unread_count(struct rpc_call *call,
                                 const ChatServiceGetUnreadCountRequest *req,
                                 ChatServiceGetUnreadCountResponse *res)
{
    (void)req;
    TRY(db_many(call->db, &rooms_unread, &res->n_rooms, &res->rooms,
                db_text(call->caller.id)));
    for (size_t i = 0; i < res->n_rooms; i++)
        res->total += res->rooms[i]->unread_count;
    return RPC_SUCCESS;
}

/* ---- Reading. */

static rpc_status find_target(struct rpc_call *call, struct db *tx,
                              const MarkRoomReadRequest *req,
                              const ChatMembershipRow *room, int64_t *seq)
{
    *seq = room->last_seq;
    if (req->up_to_message_id[0] == '\0')
        return RPC_SUCCESS;
    ChatReadRow *message;
    TRY(db_find(tx, &message_seq, &message, db_text(req->room_id),
                db_text(req->up_to_message_id)));
    if (message == NULL)
        return rpc_fail(call, RPC_NOT_FOUND, "message not found");
    *seq = message->seq;
    return RPC_SUCCESS;
}

static rpc_status move_watermark(struct db *tx, const char *room_id,
                                 const char *reader_id, int64_t seq)
{
    int64_t moved;
    TRY(db_exec(tx, &room_mark_read, &moved, db_text(room_id),
                db_text(reader_id), db_int(seq)));
    return moved > 0 ? tell_read(tx, room_id, reader_id, seq) : RPC_SUCCESS;
}

rpc_status chat_mark_room_read(struct rpc_call *call,
                               const MarkRoomReadRequest *req,
                               MarkRoomReadResponse *res)
{
    db_arg room_id = db_text(req->room_id), me = db_text(call->caller.id);
    struct db *tx;
    TRY(db_begin(call->db, &tx));

    ChatMembershipRow *room;
    TRY(db_find(tx, &room_reader_lock, &room, room_id, me));
    if (room == NULL)
        return rpc_fail(call, RPC_NOT_FOUND, "room not found");
    int64_t seq;
    TRY(find_target(call, tx, req, room, &seq));
    TRY(move_watermark(tx, room->room_id, call->caller.id, seq));
    res->last_read_seq = seq > room->read_seq ? seq : room->read_seq;

    RoomUnread *unread;
    TRY(db_one(tx, &room_unread, &unread, room_id, me));
    res->unread_count = unread->unread_count;
    if (unread->unread_count == 0)
        TRY(notify_seen(tx, call->caller.id, "ChatRoom", room->room_id));
    return db_commit(tx);
}
