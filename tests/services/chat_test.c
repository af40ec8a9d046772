/* Rooms: who may write to whom, what room it is, and how they are listed. */
#include "db/db.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/chat/chat.h"
#include "tests/testkit/rooms.h"

#include <stdlib.h>

#define SERVICE "/prbal.v1.ChatService/"
#define OPEN SERVICE "OpenDirectRoom"
#define LIST_ROOMS SERVICE "ListRooms"

/* ---- Who may write to whom. */

static void the_matrix_says_who_may_open_a_room(void **state)
{
    fixture *t = *state;
    static const UserType types[] = {USER_TYPE_SEEKER, USER_TYPE_PROVIDER,
                                     USER_TYPE_BOTH, USER_TYPE_LEARNER,
                                     USER_TYPE_ADMIN};
    /* From the row to the column, in the order of `types`. */
    static const char *const may[] = {"01100", "11111", "11111", "01110",
                                      "11111"};
    for (int from = 0; from < 5; from++)
        for (int to = 0; to < 5; to++) {
            struct person a = person(t, types[from]);
            struct person b = person(t, types[to]);
            struct rpc_reply reply = open_reply(t, &a, &b);
            if (may[from][to] == '1')
                assert_ok(reply);
            else
                assert_reason(reply, RPC_PERMISSION_DENIED,
                              "CANNOT_MESSAGE_USER");
        }
}

static void who_was_written_to_may_answer(void **state)
{
    fixture *t = *state;
    struct person admin = person(t, USER_TYPE_ADMIN);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    assert_reason(open_reply(t, &seeker, &admin), RPC_PERMISSION_DENIED,
                  "CANNOT_MESSAGE_USER");
    const char *room_id = open_room(t, &admin, &seeker);
    assert_string_equal(open_room(t, &seeker, &admin), room_id);
    say(t, &seeker, room_id, "hello");
}

static void the_matrix_can_be_switched_off(void **state)
{
    fixture *t = *state;
    char error[256];
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_SEEKER);
    assert_true(
        app_config_set("chat_role_matrix", "false", error, sizeof error));
    struct rpc_reply reply = open_reply(t, &a, &b);
    assert_true(
        app_config_set("chat_role_matrix", "true", error, sizeof error));
    assert_ok(reply);
}

static void a_room_needs_another_person_who_exists(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    struct person nobody = {.user_id = "01900000-0000-7000-8000-000000000000"};
    assert_field_violation(open_reply(t, &who, &who), "target_user_id");
    assert_code(open_reply(t, &who, &nobody), RPC_NOT_FOUND);
    struct person gone = person(t, USER_TYPE_SEEKER);
    sql(t,
        "update account set account_status = 'SUSPENDED' where user_id = "
        "'%s'",
        gone.user_id);
    assert_code(open_reply(t, &who, &gone), RPC_NOT_FOUND);
}

/* ---- Rooms. */

static void two_people_have_one_direct_room(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    const ChatRoom *seen_by_a =
        ANSWER(OpenDirectRoomResponse, open_reply(t, &a, &b))->room;
    const ChatRoom *seen_by_b =
        ANSWER(OpenDirectRoomResponse, open_reply(t, &b, &a))->room;
    assert_string_equal(seen_by_a->room_id, seen_by_b->room_id);
    assert_int_equal(seen_by_a->kind, CHAT_ROOM_KIND_DIRECT);
    assert_string_equal(seen_by_a->name, b.full_name);
    assert_string_equal(seen_by_b->name, a.full_name);
    assert_string_equal(seen_by_a->peer->user_id, b.user_id);
    assert_int_equal(seen_by_a->members_count, 2);
    assert_true(seen_by_a->is_private);
    assert_null(seen_by_a->latest_message);
    assert_int_equal(
        number(t, "select count(*) from room_member where room_id = '%s'",
               seen_by_a->room_id),
        2);
}

/* All are under way before any has its answer. */
static void opening_one_room_at_once_makes_one_room(void **state)
{
    fixture *t = *state;
    enum { RACERS = 12 };
    struct person a = person(t, USER_TYPE_PROVIDER);
    struct person b = person(t, USER_TYPE_PROVIDER);
    struct rpc_local *calls[RACERS];
    for (int i = 0; i < RACERS; i++) {
        OpenDirectRoomRequest req = OPEN_DIRECT_ROOM_REQUEST_INIT;
        req.target_user_id = i % 2 == 0 ? b.user_id : a.user_id;
        calls[i] = stream_as(t, i % 2 == 0 ? &a : &b, OPEN, &req);
    }
    const char *room_id = NULL;
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(rpc_local_reply(calls[i]).status.code, RPC_OK);
        const OpenDirectRoomResponse *res =
            (const OpenDirectRoomResponse *)rpc_local_next(calls[i], t->arena,
                                                           1000);
        assert_non_null(res);
        if (room_id != NULL)
            assert_string_equal(res->room->room_id, room_id);
        room_id = res->room->room_id;
        rpc_local_free(calls[i]);
    }
}

struct opening {
    struct chat_context context;
    const char *room_id;
    rpc_code code;
    bool done;
};

static rpc_status open_context(struct rpc_call *call, struct opening *opening)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    const char *room_id;
    TRY(chat_open_context_room(tx, &opening->context, &room_id));
    TRY(db_commit(tx));
    opening->room_id = strdup(room_id);
    return RPC_SUCCESS;
}

static void opening_task(struct rpc_call *call, void *argument)
{
    struct opening *opening = argument;
    opening->code = open_context(call, opening).code;
    opening->done = true;
}

static const char *context_room(fixture *t, struct chat_context context)
{
    struct opening opening = {.context = context};
    struct loop *loop = rpc_server_loop(t->server, 0);
    assert_non_null(rpc_task(t->server, loop, opening_task, &opening));
    loop_run_until(loop, &opening.done);
    assert_int_equal(opening.code, RPC_OK);
    const char *room_id = arena_strdup(t->arena, opening.room_id);
    free((void *)opening.room_id);
    return room_id;
}

static void a_bids_room_stays_when_it_becomes_a_booking(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_SEEKER);
    struct person b = person(t, USER_TYPE_SEEKER);
    const char *bid_id = text(t, "select uuid7()");
    const char *booking_id = text(t, "select uuid7()");
    struct chat_context context = {.title = "Roof",
                                   .person_id = a.user_id,
                                   .other_id = b.user_id,
                                   .bid_id = bid_id};
    const char *room_id = context_room(t, context);
    context.booking_id = booking_id;
    context.person_id = b.user_id;
    context.other_id = a.user_id;
    assert_string_equal(context_room(t, context), room_id);
    context.bid_id = NULL;
    assert_string_not_equal(context_room(t, context), room_id);

    ListRoomsRequest req = LIST_ROOMS_REQUEST_INIT;
    req.kind = CHAT_ROOM_KIND_CONTEXT;
    req.booking_id = booking_id;
    const ListRoomsResponse *got =
        ANSWER(ListRoomsResponse, call_as(t, &a, LIST_ROOMS, &req));
    assert_int_equal(got->n_rooms, 2);
    assert_string_equal(got->rooms[1]->room_id, room_id);
    assert_string_equal(got->rooms[1]->bid_id, bid_id);
    assert_string_equal(got->rooms[1]->name, "Roof");
    assert_string_equal(got->rooms[1]->peer->user_id, b.user_id);
    say(t, &a, room_id, "seekers may talk here");
}

static void rooms_are_listed_by_their_latest_message(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    const char *ids[5];
    for (int i = 0; i < 5; i++) {
        struct person other = person(t, USER_TYPE_SEEKER);
        ids[i] = open_room(t, &who, &other);
    }
    say(t, &who, ids[1], "newest");

    ListRoomsRequest req = LIST_ROOMS_REQUEST_INIT;
    req.page_size = 2;
    static const int want[] = {1, 4, 3, 2, 0};
    int seen = 0;
    for (;;) {
        const ListRoomsResponse *page =
            ANSWER(ListRoomsResponse, call_as(t, &who, LIST_ROOMS, &req));
        for (size_t i = 0; i < page->n_rooms; i++)
            assert_string_equal(page->rooms[i]->room_id, ids[want[seen++]]);
        if (page->next_page_token[0] == '\0')
            break;
        req.page_token = page->next_page_token;
    }
    assert_int_equal(seen, 5);
    const MessagePreview *latest = rooms(t, &who)->rooms[0]->latest_message;
    assert_string_equal(latest->content, "newest");
    assert_string_equal(latest->sender_id, who.user_id);
}

/* ---- Search. */

static size_t found_rooms(fixture *t, const struct person *who,
                          const char *search)
{
    ListRoomsRequest req = LIST_ROOMS_REQUEST_INIT;
    req.search = search;
    const ListRoomsResponse *res =
        ANSWER(ListRoomsResponse, call_as(t, who, LIST_ROOMS, &req));
    assert_int_equal(res->total_size, res->n_rooms);
    return res->n_rooms;
}

static void rooms_are_found_by_a_part_of_their_name(void **state)
{
    fixture *t = *state;
    struct person a = person(t, USER_TYPE_PROVIDER);
    struct person b = person(t, USER_TYPE_SEEKER);
    struct person c = person(t, USER_TYPE_SEEKER);
    sql(t, "update account set full_name = 'Zaynab 100%%' where user_id = '%s'",
        b.user_id);
    open_room(t, &a, &b);
    open_room(t, &a, &c);
    assert_int_equal(found_rooms(t, &a, ""), 2);
    assert_int_equal(found_rooms(t, &a, "zayn"), 1);
    assert_int_equal(found_rooms(t, &a, "100%"), 1);
    assert_int_equal(found_rooms(t, &a, "%"), 1);
    assert_int_equal(found_rooms(t, &a, "nobody"), 0);
    /* To the other side the room has another name. */
    assert_int_equal(found_rooms(t, &b, "zayn"), 0);
}

TEST_MAIN("chat", TEST(the_matrix_says_who_may_open_a_room),
          TEST(who_was_written_to_may_answer),
          TEST(the_matrix_can_be_switched_off),
          TEST(a_room_needs_another_person_who_exists),
          TEST(two_people_have_one_direct_room),
          TEST(opening_one_room_at_once_makes_one_room),
          TEST(a_bids_room_stays_when_it_becomes_a_booking),
          TEST(rooms_are_listed_by_their_latest_message),
          TEST(rooms_are_found_by_a_part_of_their_name))
