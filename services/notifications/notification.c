/* NotificationService: reading one's notifications and marking them as read.
 * They are made by notify(). */
#include "db/db.h"
#include "prbal/v1/notification.rpc.h"
#include "services/notifications/notification.sql.h"
#include "services/notifications/notification_row.rpc.h"
#include "services/page.h"

enum { NOTIFICATIONS_DEFAULT = 20 };

static rpc_status count_unread(struct rpc_call *call, struct db *db,
                               int32_t *unread)
{
    NotificationCountsRow *counts;
    TRY(db_one(db, &notification_counts, &counts, db_text(call->caller.id),
               db_null(), db_null()));
    *unread = counts->unread;
    return RPC_SUCCESS;
}

rpc_status notification_list_notifications(struct rpc_call *call,
                                           const ListNotificationsRequest *req,
                                           ListNotificationsResponse *res)
{
    struct page page;
    TRY(page_open(call, &req->base, NOTIFICATIONS_DEFAULT, &page));
    db_arg is_read =
        req->_is_read_case == 0 ? db_null() : db_bool(req->is_read);
    db_arg type = db_enum(NOTIFICATION_TYPE_DESCRIPTOR, req->type);

    TRY(db_many(call->db, &notification_list, &res->n_notifications,
                &res->notifications, db_text(call->caller.id), is_read, type,
                page_time(&page, 0), page_text(&page, 1), page_limit(&page)));
    if (page_cut(&page, &res->n_notifications)) {
        const Notification *last = res->notifications[res->n_notifications - 1];
        res->next_page_token =
            page_next(call, &page, page_time_key(call, last->create_time),
                      last->notification_id);
    }

    NotificationCountsRow *counts;
    TRY(db_one(call->db, &notification_counts, &counts,
               db_text(call->caller.id), is_read, type));
    res->total_size = counts->total;
    res->unread_count = counts->unread;
    return RPC_SUCCESS;
}

rpc_status notification_get_unread_count(
    struct rpc_call *call, const NotificationServiceGetUnreadCountRequest *req,
    NotificationServiceGetUnreadCountResponse *res)
{
    (void)req;
    return count_unread(call, call->db, &res->unread_count);
}

/* All or none: an id that is not the caller's takes the others back. */
rpc_status notification_mark_read(struct rpc_call *call,
                                  const MarkReadRequest *req,
                                  MarkReadResponse *res)
{
    db_arg caller = db_text(call->caller.id);
    db_arg ids = db_texts((const char *const *)req->notification_ids,
                          req->n_notification_ids);
    struct db *tx;
    TRY(db_begin(call->db, &tx));

    int64_t marked;
    TRY(db_exec(tx, &notifications_mark_read, &marked, caller, ids));
    TRY(db_many(tx, &notifications_by_ids, &res->n_notifications,
                &res->notifications, caller, ids));
    if (res->n_notifications != req->n_notification_ids)
        return rpc_fail(call, RPC_NOT_FOUND, "notification not found");
    res->already_read_count = (int32_t)((int64_t)res->n_notifications - marked);
    TRY(count_unread(call, tx, &res->unread_count));
    return db_commit(tx);
}

rpc_status notification_mark_all_read(struct rpc_call *call,
                                      const MarkAllReadRequest *req,
                                      MarkAllReadResponse *res)
{
    (void)req;
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &notifications_mark_all_read, &res->marked_count,
                db_text(call->caller.id)));
    TRY(count_unread(call, tx, &res->unread_count));
    return db_commit(tx);
}
