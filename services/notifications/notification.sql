-- fragment: notification_columns
notification_id, type, title, message, related_object_type, related_object_id,
       service_id, bid_id, message_id, sender_id, link,
       read_at is not null as is_read,
       read_at             as read_time,
       created_at          as create_time;

-- name: notification_insert :one Notification
insert into notification
       (recipient_id, type, title, message, related_object_type,
        related_object_id, service_id, bid_id, message_id, sender_id, link)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
returning {{notification_columns}};

-- name: notification_renew :exec
-- The unread notification of a room's messages tells of the latest one.
update notification
   set title = $3,
       message = $4,
       message_id = $5,
       sender_id = $6,
       updated_at = now()
 where recipient_id = $1
   and related_object_id = $2
   and type = 'MESSAGE'
   and read_at is null;

-- name: notification_list :many Notification :replan
-- $2, $3 narrow; $4, $5 is the row that the page starts behind.
select {{notification_columns}}
  from notification
 where recipient_id = $1
   and ($2::boolean is null or (read_at is not null) = $2)
   and ($3::text is null or type = $3)
   and ($4::timestamptz is null
        or (created_at, notification_id) < ($4, $5::uuid))
 order by created_at desc, notification_id desc
 limit $6;

-- name: notification_counts :one NotificationCountsRow :replan
-- Of the narrowed list up to 1,000, and of all unread ones up to 100.
select (select count(*)
          from (select 1
                  from notification
                 where recipient_id = $1
                   and ($2::boolean is null or (read_at is not null) = $2)
                   and ($3::text is null or type = $3)
                 limit 1000) narrowed) as total,
       (select count(*)::integer
          from (select 1
                  from notification
                 where recipient_id = $1
                   and read_at is null
                 limit 100) unread) as unread;

-- name: notifications_mark_read :exec
update notification
   set read_at = now(),
       updated_at = now()
 where recipient_id = $1
   and notification_id = any ($2::uuid[])
   and read_at is null;

-- name: notifications_by_ids :many Notification
select {{notification_columns}}
  from notification
 where recipient_id = $1
   and notification_id = any ($2::uuid[])
 order by created_at desc, notification_id desc
 limit 100;

-- name: notifications_mark_all_read :exec
update notification
   set read_at = now(),
       updated_at = now()
 where recipient_id = $1
   and read_at is null;

-- name: notifications_mark_object_read :exec
update notification
   set read_at = now(),
       updated_at = now()
 where recipient_id = $1
   and related_object_id = $3
   and related_object_type = $2
   and read_at is null;
