/* Who is writing: told at once to the others of the room, and never stored. */
#include "prbal/v1/event.rpc.h"
#include "services/events/whisper.h"
#include "tests/testkit/rooms.h"

#include <stdio.h>

#define SUBSCRIBE "/prbal.v1.EventService/Subscribe"
#define SET_TYPING "/prbal.v1.ChatService/SetTyping"

enum { WAIT_MS = 20000 };

static const Event *next(fixture *t, struct rpc_local *stream)
{
    const SubscribeResponse *response =
        (const SubscribeResponse *)rpc_local_next(stream, t->arena, WAIT_MS);
    assert_non_null(response);
    return response->event;
}

/* Chat alone, up to where it waits. */
static struct rpc_local *live_stream(fixture *t, const struct person *who)
{
    EventTopic topic = EVENT_TOPIC_CHAT;
    SubscribeRequest req = SUBSCRIBE_REQUEST_INIT;
    req.n_topics = 1;
    req.topics = &topic;
    struct rpc_local *stream = stream_as(t, who, SUBSCRIBE, &req);
    while (next(t, stream)->payload_case != EVENT_CAUGHT_UP_CASE)
        continue;
    return stream;
}

static struct rpc_reply type_reply(fixture *t, const struct person *who,
                                   const char *room_id, bool is_typing)
{
    SetTypingRequest req = SET_TYPING_REQUEST_INIT;
    req.room_id = room_id;
    req.is_typing = is_typing;
    return call_as(t, who, SET_TYPING, &req);
}

static void assert_typing(fixture *t, struct rpc_local *stream,
                          const struct person *who, const char *room_id,
                          bool is_typing)
{
    const Event *event = next(t, stream);
    assert_int_equal(event->payload_case, EVENT_TYPING_INDICATOR_CASE);
    assert_int_equal(event->event_id, 0);
    assert_string_equal(event->typing_indicator->room_id, room_id);
    assert_string_equal(event->typing_indicator->user_id, who->user_id);
    assert_int_equal(event->typing_indicator->is_typing, is_typing);
}

static void the_others_are_told_who_is_writing(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    struct rpc_local *to_a = live_stream(t, &a);
    struct rpc_local *phone = live_stream(t, &b), *desk = live_stream(t, &b);
    int64_t before = number(t, "select count(*) from user_event");

    assert_ok(type_reply(t, &a, room_id, true));
    assert_ok(type_reply(t, &a, room_id, false));
    assert_typing(t, phone, &a, room_id, true);
    assert_typing(t, phone, &a, room_id, false);
    assert_typing(t, desk, &a, room_id, true);

    /* a hears of b, and not of itself. */
    assert_ok(type_reply(t, &b, room_id, true));
    assert_typing(t, to_a, &b, room_id, true);
    assert_int_equal(number(t, "select count(*) from user_event"), before);
    rpc_local_free(to_a);
    rpc_local_free(phone);
    rpc_local_free(desk);
}

static void nobody_types_in_the_rooms_of_others(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    struct person stranger = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    assert_code(type_reply(t, &stranger, room_id, true), RPC_NOT_FOUND);
    sql(t, "update room_member set left_at = now() where user_id = '%s'",
        a.user_id);
    assert_code(type_reply(t, &a, room_id, true), RPC_NOT_FOUND);
}

/* 22 people: the message that follows is the first that b hears of. */
static void a_large_room_is_not_told(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    const char *room_id = open_room(t, &a, &b);
    for (int i = 0; i < 20; i++)
        sql(t, "insert into room_member (room_id, user_id) values ('%s', '%s')",
            room_id, person(t, USER_TYPE_LEARNER).user_id);
    struct rpc_local *to_b = live_stream(t, &b);
    assert_ok(type_reply(t, &a, room_id, true));
    say(t, &a, room_id, "hello");
    assert_int_equal(next(t, to_b)->payload_case, EVENT_CHAT_MESSAGE_CASE);
    rpc_local_free(to_b);
}

static void a_whisper_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct whisper said = {.to = "01900000-0000-7000-8000-000000000001",
                           .room_id = "01900000-0000-7000-8000-000000000002",
                           .user_id = "01900000-0000-7000-8000-000000000003",
                           .is_typing = true};
    struct whisper heard;
    char word[WHISPER_WORD_SIZE];
    whisper_write(&said, word);
    assert_true(whisper_read(&heard, word));
    assert_string_equal(heard.to, said.to);
    assert_string_equal(heard.room_id, said.room_id);
    assert_string_equal(heard.user_id, said.user_id);
    assert_true(heard.is_typing);

    static const char *const odd[] = {"", "1", "1a,b", "2a,b,c", "1,,", "a,b"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        assert_false(whisper_read(&heard, odd[i]));
}

TEST_MAIN("typing", TEST(the_others_are_told_who_is_writing),
          TEST(nobody_types_in_the_rooms_of_others),
          TEST(a_large_room_is_not_told),
          TEST(a_whisper_is_read_as_it_was_written))
