/* Notifications: how they are made, listed and read. */
#include "db/db.h"
#include "prbal/v1/event.rpc.h"
#include "prbal/v1/notification.rpc.h"
#include "rpc/loop.h"
#include "services/notifications/notify.h"
#include "services/notifications/text.h"
#include "tests/testkit/testkit.h"

#include <stdio.h>

#define SERVICE "/prbal.v1.NotificationService/"
#define LIST SERVICE "ListNotifications"
#define UNREAD SERVICE "GetUnreadCount"
#define MARK_READ SERVICE "MarkRead"
#define MARK_ALL_READ SERVICE "MarkAllRead"

/* ---- Making them. */

struct telling {
    const struct notice *notice;
    rpc_code code;
    bool done;
};

static rpc_status tell(struct rpc_call *call, const struct notice *notice)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(notify(tx, notice));
    return db_commit(tx);
}

static void telling_task(struct rpc_call *call, void *argument)
{
    struct telling *telling = argument;
    telling->code = tell(call, telling->notice).code;
    telling->done = true;
}

static void make(fixture *t, const struct notice *notice)
{
    struct telling telling = {.notice = notice};
    struct loop *loop = rpc_server_loop(t->server, 0);
    assert_non_null(rpc_task(t->server, loop, telling_task, &telling));
    loop_run_until(loop, &telling.done);
    assert_int_equal(telling.code, RPC_OK);
}

static void make_many(fixture *t, const struct person *who, int count)
{
    for (int i = 0; i < count; i++)
        make(t,
             &(struct notice){.recipient_id = who->user_id,
                              .type = i % 2 == 0 ? NOTIFICATION_TYPE_NEW_BID
                                                 : NOTIFICATION_TYPE_SYSTEM,
                              .text = arena_printf(t->arena, "number %d", i)});
}

static const ListNotificationsResponse *list(fixture *t,
                                             const struct person *who)
{
    ListNotificationsRequest req = LIST_NOTIFICATIONS_REQUEST_INIT;
    req.page_size = 100;
    return ANSWER(ListNotificationsResponse, call_as(t, who, LIST, &req));
}

static int unread(fixture *t, const struct person *who)
{
    NotificationServiceGetUnreadCountRequest req =
        NOTIFICATION_SERVICE_GET_UNREAD_COUNT_REQUEST_INIT;
    return ANSWER(NotificationServiceGetUnreadCountResponse,
                  call_as(t, who, UNREAD, &req))
        ->unread_count;
}

static void a_notice_becomes_a_row_and_an_event(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    struct person by = person(t, USER_TYPE_SEEKER);
    const char *booking_id = text(t, "select uuid7()");
    make(t, &(struct notice){.recipient_id = who.user_id,
                             .type = NOTIFICATION_TYPE_BOOKING_CREATED,
                             .name = by.full_name,
                             .subject = "Garden work",
                             .object_type = "Booking",
                             .object_id = booking_id,
                             .sender_id = by.user_id});

    const ListNotificationsResponse *got = list(t, &who);
    assert_int_equal(got->n_notifications, 1);
    const Notification *n = got->notifications[0];
    char want[100];
    snprintf(want, sizeof want, "%s booked your Garden work service",
             by.full_name);
    assert_string_equal(n->title, "New booking request");
    assert_string_equal(n->message, want);
    assert_string_equal(n->related_object_type, "Booking");
    assert_string_equal(n->related_object_id, booking_id);
    snprintf(want, sizeof want, "/bookings/%s", booking_id);
    assert_string_equal(n->link, want);
    assert_string_equal(n->sender_id, by.user_id);
    assert_string_equal(n->bid_id, "");
    assert_false(n->is_read);
    assert_null(n->read_time);
    assert_non_null(n->create_time);
    assert_int_equal(number(t,
                            "select count(*) from user_event where user_id = "
                            "'%s' and topic = 'NOTIFICATION'",
                            who.user_id),
                     1);
}

static void nobody_is_told_of_what_they_did_themselves(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    make(t, &(struct notice){.recipient_id = who.user_id,
                             .type = NOTIFICATION_TYPE_SYSTEM,
                             .sender_id = who.user_id});
    assert_int_equal(list(t, &who)->n_notifications, 0);
}

static void texts_are_filled_and_cut(void **state)
{
    fixture *t = *state;
    struct notice notice = {.type = NOTIFICATION_TYPE_NEW_BID, .name = "Ana"};
    assert_string_equal(notice_message(t->arena, &notice),
                        "Ana made a bid on service");
    notice.subject = "a {name} roof";
    notice.text = "10.00 USD";
    assert_string_equal(notice_message(t->arena, &notice),
                        "Ana made a bid on a {name} roof: 10.00 USD");
    notice.type = NOTIFICATION_TYPE_BOOKING_STATUS_CHANGED;
    notice.text = "IN_PROGRESS";
    assert_string_equal(
        notice_message(t->arena, &notice),
        "Your booking for a {name} roof has changed: it is now in progress");

    /* 300 characters of two bytes each. */
    char *title = arena_alloc(t->arena, 601);
    for (int i = 0; i < 300; i++)
        memcpy(title + 2 * i, "é", 2);
    notice.title = title;
    assert_int_equal(strlen(notice_title(t->arena, &notice)), 510);
    assert_string_equal(text_cut(t->arena, "short", 5), "short");
    assert_string_equal(text_cut(t->arena, "short", 0), "");
}

/* Every type has a text, and none leaves a placeholder open. */
static void every_type_has_a_text(void **state)
{
    fixture *t = *state;
    for (unsigned i = 0; i < NOTIFICATION_TYPE_DESCRIPTOR->n_values; i++) {
        struct notice notice = {
            .type =
                (NotificationType)NOTIFICATION_TYPE_DESCRIPTOR->values[i].value,
            .text = "some text"};
        if (notice.type == NOTIFICATION_TYPE_UNSPECIFIED)
            continue;
        const char *title = notice_title(t->arena, &notice);
        const char *message = notice_message(t->arena, &notice);
        assert_in_range(strlen(title), 1, 60);
        assert_in_range(strlen(message), 1, 200);
        assert_null(strpbrk(title, "{}[]"));
        assert_null(strpbrk(message, "{}[]"));
        if (notice.type != NOTIFICATION_TYPE_SYSTEM)
            assert_string_not_equal(title, "Prbal");
    }
}

/* ---- Listing. */

static void pages_have_every_notification_once_newest_first(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    make_many(t, &who, 7);
    ListNotificationsRequest req = LIST_NOTIFICATIONS_REQUEST_INIT;
    req.page_size = 3;
    int seen = 0;
    for (;;) {
        const ListNotificationsResponse *page =
            ANSWER(ListNotificationsResponse, call_as(t, &who, LIST, &req));
        assert_int_equal(page->total_size, 7);
        assert_int_equal(page->unread_count, 7);
        for (size_t i = 0; i < page->n_notifications; i++, seen++) {
            char want[20];
            snprintf(want, sizeof want, "number %d", 6 - seen);
            assert_non_null(strstr(page->notifications[i]->message, want));
        }
        if (page->next_page_token[0] == '\0')
            break;
        assert_int_equal(page->n_notifications, 3);
        req.page_token = page->next_page_token;
    }
    assert_int_equal(seen, 7);

    req.type = NOTIFICATION_TYPE_SYSTEM;
    assert_field_violation(call_as(t, &who, LIST, &req), "page_token");
}

static void filters_narrow_the_list(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    make_many(t, &who, 5);
    sql(t,
        "update notification set read_at = now() where recipient_id = '%s' and "
        "type = 'SYSTEM'",
        who.user_id);

    ListNotificationsRequest req = LIST_NOTIFICATIONS_REQUEST_INIT;
    req._is_read_case = LIST_NOTIFICATIONS_REQUEST_IS_READ_CASE;
    req.is_read = true;
    const ListNotificationsResponse *got =
        ANSWER(ListNotificationsResponse, call_as(t, &who, LIST, &req));
    assert_int_equal(got->n_notifications, 2);
    assert_int_equal(got->total_size, 2);
    assert_int_equal(got->unread_count, 3);
    req.is_read = false;
    got = ANSWER(ListNotificationsResponse, call_as(t, &who, LIST, &req));
    assert_int_equal(got->n_notifications, 3);
    req.type = NOTIFICATION_TYPE_SYSTEM;
    got = ANSWER(ListNotificationsResponse, call_as(t, &who, LIST, &req));
    assert_int_equal(got->n_notifications, 0);
}

/* ---- Reading. */

static void marking_tells_what_was_read_before(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    make_many(t, &who, 3);
    const ListNotificationsResponse *all = list(t, &who);
    const char *ids[] = {all->notifications[0]->notification_id,
                         all->notifications[1]->notification_id};
    MarkReadRequest req = MARK_READ_REQUEST_INIT;
    req.n_notification_ids = 1;
    req.notification_ids = ids;
    const MarkReadResponse *got =
        ANSWER(MarkReadResponse, call_as(t, &who, MARK_READ, &req));
    assert_int_equal(got->n_notifications, 1);
    assert_true(got->notifications[0]->is_read);
    assert_non_null(got->notifications[0]->read_time);
    assert_int_equal(got->already_read_count, 0);
    assert_int_equal(got->unread_count, 2);

    req.n_notification_ids = 2;
    got = ANSWER(MarkReadResponse, call_as(t, &who, MARK_READ, &req));
    assert_int_equal(got->n_notifications, 2);
    assert_int_equal(got->already_read_count, 1);
    assert_int_equal(got->unread_count, 1);
}

static void a_foreign_notification_does_not_exist(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    struct person other = person(t, USER_TYPE_PROVIDER);
    make_many(t, &who, 1);
    make_many(t, &other, 1);
    const char *ids[] = {list(t, &who)->notifications[0]->notification_id,
                         list(t, &other)->notifications[0]->notification_id};
    MarkReadRequest req = MARK_READ_REQUEST_INIT;
    req.n_notification_ids = 2;
    req.notification_ids = ids;
    assert_code(call_as(t, &who, MARK_READ, &req), RPC_NOT_FOUND);
    assert_int_equal(unread(t, &who), 1);
    assert_int_equal(unread(t, &other), 1);
}

static void marking_all_tells_how_many(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    struct person other = person(t, USER_TYPE_PROVIDER);
    make_many(t, &who, 4);
    make_many(t, &other, 1);
    MarkAllReadRequest req = MARK_ALL_READ_REQUEST_INIT;
    assert_int_equal(
        ANSWER(MarkAllReadResponse, call_as(t, &who, MARK_ALL_READ, &req))
            ->marked_count,
        4);
    assert_int_equal(
        ANSWER(MarkAllReadResponse, call_as(t, &who, MARK_ALL_READ, &req))
            ->marked_count,
        0);
    assert_int_equal(unread(t, &who), 0);
    assert_int_equal(unread(t, &other), 1);
}

static void messages_of_a_room_make_one_unread_notification(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    const char *room_id = text(t, "select uuid7()");
    for (int i = 0; i < 3; i++)
        make(t, &(struct notice){.recipient_id = who.user_id,
                                 .type = NOTIFICATION_TYPE_MESSAGE,
                                 .name = "Ana",
                                 .subject = "Roof",
                                 .text = i == 2 ? "last" : "earlier",
                                 .object_type = "ChatRoom",
                                 .object_id = room_id});
    const ListNotificationsResponse *got = list(t, &who);
    assert_int_equal(got->n_notifications, 1);
    assert_string_equal(got->notifications[0]->message, "Ana in Roof: last");
    assert_int_equal(number(t,
                            "select count(*) from user_event where user_id = "
                            "'%s'",
                            who.user_id),
                     1);
}

TEST_MAIN("notification", TEST(a_notice_becomes_a_row_and_an_event),
          TEST(nobody_is_told_of_what_they_did_themselves),
          TEST(texts_are_filled_and_cut), TEST(every_type_has_a_text),
          TEST(pages_have_every_notification_once_newest_first),
          TEST(filters_narrow_the_list),
          TEST(marking_tells_what_was_read_before),
          TEST(a_foreign_notification_does_not_exist),
          TEST(marking_all_tells_how_many),
          TEST(messages_of_a_room_make_one_unread_notification))
