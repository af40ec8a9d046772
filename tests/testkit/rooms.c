#include "tests/testkit/rooms.h"

#define SERVICE "/prbal.v1.ChatService/"
#define OPEN SERVICE "OpenDirectRoom"
#define LIST_ROOMS SERVICE "ListRooms"
#define SEND SERVICE "SendMessage"
#define MARK SERVICE "MarkRoomRead"
#define UNREAD SERVICE "GetUnreadCount"

struct rpc_reply open_reply(fixture *t, const struct person *who,
                            const struct person *target)
{
    OpenDirectRoomRequest req = OPEN_DIRECT_ROOM_REQUEST_INIT;
    req.target_user_id = target->user_id;
    return call_as(t, who, OPEN, &req);
}

const char *open_room(fixture *t, const struct person *who,
                      const struct person *target)
{
    return ANSWER(OpenDirectRoomResponse, open_reply(t, who, target))
        ->room->room_id;
}

struct rpc_reply send_reply(fixture *t, const struct person *who,
                            const char *room_id, const char *content,
                            const char *client_id)
{
    SendMessageRequest req = SEND_MESSAGE_REQUEST_INIT;
    req.room_id = room_id;
    req.content = content;
    req.client_message_id = client_id;
    return call_as(t, who, SEND, &req);
}

const ChatMessage *say(fixture *t, const struct person *who,
                       const char *room_id, const char *content)
{
    return ANSWER(SendMessageResponse, send_reply(t, who, room_id, content, ""))
        ->message;
}

const MarkRoomReadResponse *mark(fixture *t, const struct person *who,
                                 const char *room_id, const char *up_to)
{
    MarkRoomReadRequest req = MARK_ROOM_READ_REQUEST_INIT;
    req.room_id = room_id;
    req.up_to_message_id = up_to;
    return ANSWER(MarkRoomReadResponse, call_as(t, who, MARK, &req));
}

const ListRoomsResponse *rooms(fixture *t, const struct person *who)
{
    ListRoomsRequest req = LIST_ROOMS_REQUEST_INIT;
    return ANSWER(ListRoomsResponse, call_as(t, who, LIST_ROOMS, &req));
}

const ChatServiceGetUnreadCountResponse *unread(fixture *t,
                                                const struct person *who)
{
    ChatServiceGetUnreadCountRequest req =
        CHAT_SERVICE_GET_UNREAD_COUNT_REQUEST_INIT;
    return ANSWER(ChatServiceGetUnreadCountResponse,
                  call_as(t, who, UNREAD, &req));
}
