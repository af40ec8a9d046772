#include "services/chat/tell.h"

#include "rpc/clock.h"
#include "services/chat/message.sql.h"
#include "services/chat/room.sql.h"
#include "services/events/events.h"
#include "services/notifications/notify.h"
#include "services/notifications/text.h"

#include <string.h>

enum { PREVIEW_CHARACTERS = 200 };

struct members {
    size_t count;
    ChatMemberRow **rows; /* in the order of their ids */
};

static rpc_status find_members(struct db *tx, const char *room_id,
                               struct members *members)
{
    return db_many(tx, &room_members, &members->count, &members->rows,
                   db_text(room_id));
}

/* As a member sees it: a direct room is called after the other person. */
static const char *room_name(const char *name, const struct members *members,
                             const char *user_id)
{
    if (name[0] != '\0')
        return name;
    for (size_t i = 0; i < members->count; i++)
        if (strcmp(members->rows[i]->user_id, user_id) != 0)
            return members->rows[i]->full_name;
    return "";
}

static void append_message(struct db *tx, const char *user_id,
                           const ChatMessage *message)
{
    Event event = EVENT_INIT;
    event.payload_case = EVENT_CHAT_MESSAGE_CASE;
    event.chat_message = (ChatMessage *)message;
    event_append(tx, user_id, &event);
}

static void append_room(struct db *tx, const char *user_id,
                        RoomListUpdate *update)
{
    Event event = EVENT_INIT;
    event.payload_case = EVENT_ROOM_LIST_UPDATE_CASE;
    event.room_list_update = update;
    event_append(tx, user_id, &event);
}

static MessagePreview preview_of(struct arena *arena,
                                 const ChatMessage *message)
{
    MessagePreview preview = MESSAGE_PREVIEW_INIT;
    preview.message_id = message->message_id;
    preview.sender_id = message->sender->user_id;
    preview.content = text_cut(arena, message->content, PREVIEW_CHARACTERS);
    preview.message_type = message->message_type;
    preview.send_time = message->send_time;
    return preview;
}

/* In a direct room the title names the person: the text alone is enough. */
static rpc_status notify_member(struct db *tx, const ChatMemberRow *member,
                                ChatRoomKind kind, const char *name,
                                const ChatMessage *message,
                                const MessagePreview *preview)
{
    if (member->is_muted)
        return RPC_SUCCESS;
    bool is_direct = kind == CHAT_ROOM_KIND_DIRECT;
    return notify(
        tx, &(struct notice){.recipient_id = member->user_id,
                             .type = NOTIFICATION_TYPE_MESSAGE,
                             .message = is_direct ? preview->content : NULL,
                             .name = message->sender->full_name,
                             .subject = name,
                             .text = preview->content,
                             .object_type = "ChatRoom",
                             .object_id = message->room_id,
                             .message_id = message->message_id,
                             .sender_id = message->sender->user_id});
}

/* Members come in the order of their ids, so two rooms that are written to at
 * once touch the notifications of common members in the same order. */
rpc_status tell_message(struct db *tx, const ChatMembershipRow *room,
                        const ChatMessage *message)
{
    struct members members;
    TRY(find_members(tx, room->room_id, &members));
    MessagePreview preview = preview_of(db_call(tx)->arena, message);

    for (size_t i = 0; i < members.count; i++) {
        const ChatMemberRow *member = members.rows[i];
        const char *name = room_name(room->name, &members, member->user_id);
        append_message(tx, member->user_id, message);

        RoomListUpdate update = ROOM_LIST_UPDATE_INIT;
        update.room_id = message->room_id;
        update.kind = room->kind;
        update.room_name = name;
        update.has_unread =
            strcmp(member->user_id, message->sender->user_id) != 0;
        update.latest_message = &preview;
        append_room(tx, member->user_id, &update);
        TRY(notify_member(tx, member, room->kind, name, message, &preview));
    }
    return RPC_SUCCESS;
}

rpc_status tell_read(struct db *tx, const char *room_id, const char *reader_id,
                     int64_t seq)
{
    struct members members;
    TRY(find_members(tx, room_id, &members));
    ChatReadRow *message;
    TRY(db_one(tx, &message_at, &message, db_text(room_id), db_int(seq)));

    int64_t wall_us = clock_wall_us();
    Google__Protobuf__Timestamp now = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    now.seconds = wall_us / 1000000;
    now.nanos = (int32_t)(wall_us % 1000000 * 1000);

    ReadReceipt receipt = READ_RECEIPT_INIT;
    receipt.room_id = room_id;
    receipt.user_id = reader_id;
    receipt.last_read_message_id = message->message_id;
    receipt.last_read_seq = seq;
    receipt.read_time = &now;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_READ_RECEIPT_CASE;
    event.read_receipt = &receipt;
    for (size_t i = 0; i < members.count; i++)
        event_append(tx, members.rows[i]->user_id, &event);
    return RPC_SUCCESS;
}

rpc_status tell_room(struct db *tx, const char *room_id, ChatRoomKind kind,
                     const char *name)
{
    struct members members;
    TRY(find_members(tx, room_id, &members));
    for (size_t i = 0; i < members.count; i++) {
        RoomListUpdate update = ROOM_LIST_UPDATE_INIT;
        update.room_id = room_id;
        update.kind = kind;
        update.room_name = room_name(name, &members, members.rows[i]->user_id);
        append_room(tx, members.rows[i]->user_id, &update);
    }
    return RPC_SUCCESS;
}
