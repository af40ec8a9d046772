#include "services/notifications/notify.h"

#include "services/events/events.h"
#include "services/notifications/notification.sql.h"
#include "services/notifications/text.h"

#include <assert.h>
#include <string.h>

/* One unread notification for the messages of a room is enough. */
static rpc_status renew(struct db *tx, const struct notice *notice,
                        bool *is_renewed)
{
    struct arena *arena = db_call(tx)->arena;
    int64_t changed = 0;
    if (notice->type == NOTIFICATION_TYPE_MESSAGE && notice->object_id != NULL)
        TRY(db_exec(tx, &notification_renew, &changed,
                    db_text(notice->recipient_id), db_text(notice->object_id),
                    db_text(notice_title(arena, notice)),
                    db_text(notice_message(arena, notice)),
                    db_text_or_null(notice->message_id),
                    db_text_or_null(notice->sender_id)));
    *is_renewed = changed > 0;
    return RPC_SUCCESS;
}

static rpc_status insert(struct db *tx, const struct notice *notice,
                         Notification **notification)
{
    struct arena *arena = db_call(tx)->arena;
    return db_one(
        tx, &notification_insert, notification, db_text(notice->recipient_id),
        db_enum(NOTIFICATION_TYPE_DESCRIPTOR, notice->type),
        db_text(notice_title(arena, notice)),
        db_text(notice_message(arena, notice)),
        db_text_or_null(notice->object_type),
        db_text_or_null(notice->object_id), db_text_or_null(notice->service_id),
        db_text_or_null(notice->bid_id), db_text_or_null(notice->message_id),
        db_text_or_null(notice->sender_id),
        db_text_or_null(notice_link(arena, notice)));
}

rpc_status notify(struct db *tx, const struct notice *notice)
{
    assert(notice->type != NOTIFICATION_TYPE_UNSPECIFIED);
    if (notice->sender_id != NULL &&
        strcmp(notice->sender_id, notice->recipient_id) == 0)
        return RPC_SUCCESS;

    bool is_renewed;
    TRY(renew(tx, notice, &is_renewed));
    if (is_renewed)
        return RPC_SUCCESS;

    Notification *notification;
    TRY(insert(tx, notice, &notification));
    Event event = EVENT_INIT;
    event.payload_case = EVENT_NEW_NOTIFICATION_CASE;
    event.new_notification = notification;
    event_append(tx, notice->recipient_id, &event);
    return RPC_SUCCESS;
}

rpc_status notify_seen(struct db *tx, const char *recipient_id,
                       const char *object_type, const char *object_id)
{
    return db_exec(tx, &notifications_mark_object_read, NULL,
                   db_text(recipient_id), db_text(object_type),
                   db_text(object_id));
}
