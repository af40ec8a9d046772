/* Messages: order, retries, limits, and what is unread. */
#include "prbal/v1/event.rpc.h"
#include "tests/testkit/rooms.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVICE "/prbal.v1.ChatService/"
#define SEND SERVICE "SendMessage"
#define LIST SERVICE "ListMessages"
#define MARK SERVICE "MarkRoomRead"

/* ---- Messages. */

static void a_message_reaches_both_logs_and_the_other_is_notified(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    SubscribeRequest sub = SUBSCRIBE_REQUEST_INIT;
    struct rpc_local *streams[] = {
        stream_as(t, &a, "/prbal.v1.EventService/Subscribe", &sub),
        stream_as(t, &b, "/prbal.v1.EventService/Subscribe", &sub)};
    for (int i = 0; i < 2; i++)
        for (int skipped = 0; skipped < 2; skipped++)
            assert_non_null(rpc_local_next(streams[i], t->arena, 5000));

    const ChatMessage *sent = say(t, &a, room_id, "is Tuesday fine?");
    assert_int_equal(sent->seq, 1);
    assert_string_equal(sent->sender->full_name, a.full_name);
    assert_int_equal(sent->message_type, MESSAGE_TYPE_TEXT);
    for (int i = 0; i < 2; i++) {
        const SubscribeResponse *got =
            (const SubscribeResponse *)rpc_local_next(streams[i], t->arena,
                                                      5000);
        assert_int_equal(got->event->payload_case, EVENT_CHAT_MESSAGE_CASE);
        const ChatMessage *message = got->event->chat_message;
        assert_string_equal(message->message_id, sent->message_id);
        assert_string_equal(message->content, "is Tuesday fine?");

        got = (const SubscribeResponse *)rpc_local_next(streams[i], t->arena,
                                                        5000);
        assert_int_equal(got->event->payload_case, EVENT_ROOM_LIST_UPDATE_CASE);
        const RoomListUpdate *update = got->event->room_list_update;
        assert_int_equal(update->has_unread, i == 1);
        assert_string_equal(update->room_name,
                            i == 0 ? b.full_name : a.full_name);
        assert_string_equal(update->latest_message->content,
                            "is Tuesday fine?");
    }
    const SubscribeResponse *got =
        (const SubscribeResponse *)rpc_local_next(streams[1], t->arena, 5000);
    assert_int_equal(got->event->payload_case, EVENT_NEW_NOTIFICATION_CASE);
    const Notification *n = got->event->new_notification;
    char title[100];
    snprintf(title, sizeof title, "New message from %s", a.full_name);
    assert_string_equal(n->title, title);
    assert_string_equal(n->message, "is Tuesday fine?");
    assert_string_equal(n->related_object_id, room_id);
    assert_int_equal(
        number(t,
               "select count(*) from notification where recipient_id = "
               "'%s'",
               a.user_id),
        0);
    rpc_local_free(streams[0]);
    rpc_local_free(streams[1]);
}

static void a_retried_message_is_stored_once(void **state)
{
    fixture *t = *state;
    enum { TWINS = 8 };
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    SendMessageRequest req = SEND_MESSAGE_REQUEST_INIT;
    req.room_id = room_id;
    req.content = "once";
    req.client_message_id = "phone-1";
    struct rpc_local *twins[TWINS];
    for (int i = 0; i < TWINS; i++)
        twins[i] = stream_as(t, &a, SEND, &req);
    for (int i = 0; i < TWINS; i++) {
        assert_int_equal(rpc_local_reply(twins[i]).status.code, RPC_OK);
        const SendMessageResponse *res =
            (const SendMessageResponse *)rpc_local_next(twins[i], t->arena,
                                                        1000);
        assert_int_equal(res->message->seq, 1);
        rpc_local_free(twins[i]);
    }
    assert_int_equal(
        number(t, "select count(*) from chat_message where room_id = '%s'",
               room_id),
        1);
    assert_int_equal(number(t,
                            "select count(*) from user_event where user_id = "
                            "'%s' and topic = 'CHAT'",
                            b.user_id),
                     3); /* the room, the message, the room's line */

    assert_reason(send_reply(t, &a, room_id, "other", "phone-1"),
                  RPC_ALREADY_EXISTS, "CLIENT_MESSAGE_ID_REUSED");
    struct person c = person(t, USER_TYPE_PROVIDER);
    assert_reason(send_reply(t, &a, open_room(t, &a, &c), "once", "phone-1"),
                  RPC_ALREADY_EXISTS, "CLIENT_MESSAGE_ID_REUSED");
    assert_ok(send_reply(t, &b, room_id, "my own", "phone-1"));
}

static void messages_at_once_have_numbers_without_gaps(void **state)
{
    fixture *t = *state;
    enum { MESSAGES = 30 };
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    SendMessageRequest req = SEND_MESSAGE_REQUEST_INIT;
    req.room_id = open_room(t, &a, &b);
    req.content = "hello";
    struct rpc_local *calls[MESSAGES];
    for (int i = 0; i < MESSAGES; i++)
        calls[i] = stream_as(t, i % 2 == 0 ? &a : &b, SEND, &req);
    for (int i = 0; i < MESSAGES; i++) {
        assert_int_equal(rpc_local_reply(calls[i]).status.code, RPC_OK);
        rpc_local_free(calls[i]);
    }
    assert_int_equal(number(t,
                            "select count(*) filter (where seq between 1 and "
                            "30) from chat_message where room_id = '%s'",
                            req.room_id),
                     MESSAGES);
    assert_int_equal(
        number(t, "select last_seq from chat_room where room_id = '%s'",
               req.room_id),
        MESSAGES);
}

static void messages_are_listed_in_both_directions(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    ListMessagesRequest req = LIST_MESSAGES_REQUEST_INIT;
    req.room_id = open_room(t, &a, &b);
    for (int i = 1; i <= 5; i++)
        say(t, i % 2 == 0 ? &a : &b, req.room_id,
            arena_printf(t->arena, "%d", i));
    req.page_size = 3;
    const ListMessagesResponse *got =
        ANSWER(ListMessagesResponse, call_as(t, &a, LIST, &req));
    assert_int_equal(got->n_messages, 3);
    assert_true(got->has_more);
    assert_string_equal(got->messages[0]->content, "5");
    assert_string_equal(got->messages[2]->content, "3");

    req.before_seq = got->messages[2]->seq;
    got = ANSWER(ListMessagesResponse, call_as(t, &a, LIST, &req));
    assert_int_equal(got->n_messages, 2);
    assert_false(got->has_more);
    assert_string_equal(got->messages[1]->content, "1");

    req.before_seq = 0;
    req._after_seq_case = LIST_MESSAGES_REQUEST_AFTER_SEQ_CASE;
    req.after_seq = 1;
    got = ANSWER(ListMessagesResponse, call_as(t, &a, LIST, &req));
    assert_int_equal(got->n_messages, 3);
    assert_true(got->has_more);
    assert_string_equal(got->messages[0]->content, "2");

    req.before_seq = 3;
    assert_field_violation(call_as(t, &a, LIST, &req), "after_seq");
}

static void a_reply_names_a_message_of_the_room(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    struct person c = person(t, USER_TYPE_PROVIDER);
    const ChatMessage *foreign = say(t, &a, open_room(t, &a, &c), "elsewhere");
    SendMessageRequest req = SEND_MESSAGE_REQUEST_INIT;
    req.room_id = open_room(t, &a, &b);
    req.content = "yes";
    req.reply_to_id = foreign->message_id;
    assert_code(call_as(t, &a, SEND, &req), RPC_FAILED_PRECONDITION);
    const ChatMessage *original = say(t, &b, req.room_id, "really?");
    req.reply_to_id = original->message_id;
    assert_string_equal(ANSWER(SendMessageResponse, call_as(t, &a, SEND, &req))
                            ->message->reply_to_id,
                        original->message_id);
}

static void content_has_limits(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    char *longest = arena_alloc(t->arena, 8002);
    memset(longest, 'x', 8001);
    assert_field_violation(send_reply(t, &a, room_id, longest, ""), "content");
    longest[8000] = '\0';
    assert_ok(send_reply(t, &a, room_id, longest, ""));
    assert_field_violation(send_reply(t, &a, room_id, "", ""), "content");
    assert_field_violation(send_reply(t, &a, room_id, " \n ", ""), "content");
    assert_int_equal(strlen(rooms(t, &b)->rooms[0]->latest_message->content),
                     200);
}

static void a_room_exists_for_its_members_only(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    struct person stranger = person(t, USER_TYPE_ADMIN);
    const char *room_id = open_room(t, &a, &b);
    say(t, &a, room_id, "secret");

    assert_code(send_reply(t, &stranger, room_id, "hi", ""), RPC_NOT_FOUND);
    ListMessagesRequest list = LIST_MESSAGES_REQUEST_INIT;
    list.room_id = room_id;
    assert_code(call_as(t, &stranger, LIST, &list), RPC_NOT_FOUND);
    MarkRoomReadRequest read = MARK_ROOM_READ_REQUEST_INIT;
    read.room_id = room_id;
    assert_code(call_as(t, &stranger, MARK, &read), RPC_NOT_FOUND);
    assert_int_equal(rooms(t, &stranger)->n_rooms, 0);
    assert_int_equal(unread(t, &stranger)->total, 0);

    sql(t,
        "update room_member set left_at = now() where room_id = '%s' and "
        "user_id = '%s'",
        room_id, a.user_id);
    assert_code(send_reply(t, &a, room_id, "hi", ""), RPC_NOT_FOUND);
    assert_code(call_as(t, &a, LIST, &list), RPC_NOT_FOUND);
    assert_int_equal(rooms(t, &a)->n_rooms, 0);
}

/* ---- Unread. */

static void reading_moves_forward_only(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    const ChatMessage *messages[3];
    for (int i = 0; i < 3; i++)
        messages[i] = say(t, &a, room_id, "hello");
    assert_int_equal(unread(t, &b)->total, 3);
    assert_int_equal(unread(t, &a)->total, 0);

    const MarkRoomReadResponse *got =
        mark(t, &b, room_id, messages[1]->message_id);
    assert_int_equal(got->last_read_seq, 2);
    assert_int_equal(got->unread_count, 1);
    got = mark(t, &b, room_id, messages[0]->message_id);
    assert_int_equal(got->last_read_seq, 2);
    assert_int_equal(got->unread_count, 1);
    got = mark(t, &b, room_id, "");
    assert_int_equal(got->last_read_seq, 3);
    assert_int_equal(got->unread_count, 0);
    mark(t, &b, room_id, "");

    assert_int_equal(number(t,
                            "select count(*) from notification where "
                            "recipient_id = '%s' and read_at is null",
                            b.user_id),
                     0);
    ListMessagesRequest req = LIST_MESSAGES_REQUEST_INIT;
    req.room_id = room_id;
    assert_true(ANSWER(ListMessagesResponse, call_as(t, &a, LIST, &req))
                    ->messages[0]
                    ->is_read);

    MarkRoomReadRequest foreign = MARK_ROOM_READ_REQUEST_INIT;
    struct person c = person(t, USER_TYPE_PROVIDER);
    foreign.room_id = open_room(t, &a, &c);
    foreign.up_to_message_id = messages[0]->message_id;
    assert_code(call_as(t, &a, MARK, &foreign), RPC_NOT_FOUND);
}

/* The other device is in the middle of it when this one asks. */
static void reading_tells_how_far_another_device_has_come(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    const ChatMessage *first = say(t, &a, room_id, "one");
    say(t, &a, room_id, "two");
    PGconn *other = PQconnectdb(t->url);
    PQclear(
        PQexec(other, arena_printf(t->arena,
                                   "begin; update room_member set read_seq = 2 "
                                   "where room_id = '%s' and user_id = '%s'",
                                   room_id, b.user_id)));

    MarkRoomReadRequest req = MARK_ROOM_READ_REQUEST_INIT;
    req.room_id = room_id;
    req.up_to_message_id = first->message_id;
    struct rpc_local *call = stream_as(t, &b, MARK, &req);
    for (int i = 0; i < 1000; i++) {
        run_for(t, 10);
        if (number(t, "select count(*) from pg_locks where not granted") > 0)
            break;
    }
    PQclear(PQexec(other, "commit"));
    PQfinish(other);
    assert_int_equal(rpc_local_reply(call).status.code, RPC_OK);
    const MarkRoomReadResponse *got =
        (const MarkRoomReadResponse *)rpc_local_next(call, t->arena, 1000);
    assert_int_equal(got->last_read_seq, 2);
    assert_int_equal(got->unread_count, 0);
    rpc_local_free(call);
}

/* Two receipts for two moves of the watermark, none for the calls that moved
 * nothing. */
static void others_are_told_when_a_message_was_read(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    const ChatMessage *first = say(t, &a, room_id, "one");
    const ChatMessage *second = say(t, &a, room_id, "two");
    mark(t, &b, room_id, first->message_id);
    mark(t, &b, room_id, first->message_id);
    mark(t, &b, room_id, "");

    EventTopic topics[] = {EVENT_TOPIC_CHAT};
    SubscribeRequest sub = SUBSCRIBE_REQUEST_INIT;
    sub.n_topics = 1;
    sub.topics = topics;
    sub._resume_after_case = SUBSCRIBE_REQUEST_RESUME_AFTER_CASE;
    struct rpc_local *stream =
        stream_as(t, &a, "/prbal.v1.EventService/Subscribe", &sub);
    const char *read[3];
    int receipts = 0;
    for (;;) {
        const SubscribeResponse *got =
            (const SubscribeResponse *)rpc_local_next(stream, t->arena, 5000);
        assert_non_null(got);
        if (got->event->payload_case == EVENT_CAUGHT_UP_CASE)
            break;
        if (got->event->payload_case != EVENT_READ_RECEIPT_CASE)
            continue;
        assert_in_range(receipts, 0, 1);
        assert_string_equal(got->event->read_receipt->user_id, b.user_id);
        read[receipts++] = got->event->read_receipt->last_read_message_id;
    }
    rpc_local_free(stream);
    assert_int_equal(receipts, 2);
    assert_string_equal(read[0], first->message_id);
    assert_string_equal(read[1], second->message_id);
}

/* What a client would count by hand, from all messages. */
static int recount(fixture *t, const struct person *who)
{
    return (int)number(t,
                       "select count(*) from chat_message c join room_member m "
                       "on m.room_id = c.room_id and m.user_id = '%s' where "
                       "c.seq > m.read_seq and c.sender_id <> m.user_id and "
                       "c.deleted_at is null",
                       who->user_id);
}

static void assert_counts(fixture *t, const struct person *who)
{
    const ChatServiceGetUnreadCountResponse *got = unread(t, who);
    assert_int_equal(got->total, recount(t, who));
    const ListRoomsResponse *list = rooms(t, who);
    int sum = 0;
    for (size_t i = 0; i < list->n_rooms; i++)
        sum += list->rooms[i]->unread_count;
    assert_int_equal(sum, got->total);
}

static void unread_counts_are_right_whatever_happens(void **state)
{
    fixture *t = *state;
    enum { PEOPLE = 4, STEPS = 120 };
    struct person people[PEOPLE];
    const char *room_ids[PEOPLE][PEOPLE];
    for (int i = 0; i < PEOPLE; i++)
        people[i] = person(t, USER_TYPE_PROVIDER);
    for (int i = 0; i < PEOPLE; i++)
        for (int k = 0; k < i; k++)
            room_ids[i][k] = room_ids[k][i] =
                open_room(t, &people[i], &people[k]);

    srand(7);
    for (int step = 0; step < STEPS; step++) {
        int who = rand() % PEOPLE;
        int other = (who + 1 + rand() % (PEOPLE - 1)) % PEOPLE;
        const char *room_id = room_ids[who][other];
        switch (rand() % 8) {
        case 0:
            mark(t, &people[who], room_id, "");
            break;
        case 1: /* up to some message */
            mark(t, &people[who], room_id,
                 text(t,
                      "select coalesce((select message_id::text from "
                      "chat_message where room_id = '%s' order by random() "
                      "limit 1), '')",
                      room_id));
            break;
        case 2:
            sql(t,
                "update chat_message set deleted_at = now() where message_id = "
                "(select message_id from chat_message where room_id = '%s' "
                "order by random() limit 1)",
                room_id);
            break;
        default:
            say(t, &people[who], room_id, "hello");
        }
        if (step % 10 == 9)
            assert_counts(t, &people[who]);
    }
    for (int i = 0; i < PEOPLE; i++)
        assert_counts(t, &people[i]);
}

static void messages_are_found_by_what_they_say(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_PROVIDER);
    struct person b = person(t, USER_TYPE_SEEKER);
    const char *room = open_room(t, &a, &b);
    say(t, &a, room, "The key is under the mat");
    const char *gone = say(t, &b, room, "Which key?")->message_id;
    say(t, &a, room, "The KEY to the door");
    say(t, &b, room, "Thank you");
    sql(t, "update chat_message set deleted_at = now() where message_id = '%s'",
        gone);
    ListMessagesRequest req = LIST_MESSAGES_REQUEST_INIT;
    req.room_id = room;
    req.search = "key";
    req.page_size = 1;
    static const int64_t want[] = {3, 1};
    for (size_t i = 0; i < 2; i++) {
        const ListMessagesResponse *res =
            ANSWER(ListMessagesResponse, call_as(t, &b, LIST, &req));
        assert_int_equal(res->n_messages, 1);
        assert_int_equal(res->messages[0]->seq, want[i]);
        assert_int_equal(res->has_more, i == 0);
        req.before_seq = res->messages[0]->seq;
    }
}

TEST_MAIN("chat_message",
          TEST(a_message_reaches_both_logs_and_the_other_is_notified),
          TEST(a_retried_message_is_stored_once),
          TEST(messages_at_once_have_numbers_without_gaps),
          TEST(messages_are_listed_in_both_directions),
          TEST(a_reply_names_a_message_of_the_room), TEST(content_has_limits),
          TEST(a_room_exists_for_its_members_only),
          TEST(reading_moves_forward_only),
          TEST(reading_tells_how_far_another_device_has_come),
          TEST(others_are_told_when_a_message_was_read),
          TEST(unread_counts_are_right_whatever_happens),
          TEST(messages_are_found_by_what_they_say))
