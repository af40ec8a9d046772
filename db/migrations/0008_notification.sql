-- What a user should know of. Key space: recipient_id.
create table notification (
  notification_id     uuid primary key default uuid7(),
  recipient_id        uuid not null references account on delete cascade,
  type                text not null check (type in (
    'BID_REQUEST', 'NEW_BID', 'BID_ACCEPTED', 'BID_REJECTED', 'BID_WITHDRAWN',
    'BID_COUNTERED', 'BID_EXPIRED', 'BOOKING_CREATED', 'BOOKING_ACCEPTED',
    'BOOKING_DECLINED', 'BOOKING_STATUS_CHANGED', 'BOOKING_RESCHEDULED',
    'TASK_COMPLETED', 'TASK_CANCELLED', 'TASK_UPDATE', 'TASK_REMINDER',
    'PAYMENT_RECEIVED', 'PAYMENT_COMPLETED', 'PAYMENT_FAILED', 'REFUND',
    'PAYOUT_UPDATE', 'PAYOUT_ACCOUNT_UPDATED', 'REVIEW_RECEIVED',
    'REVIEW_RESPONSE', 'VERIFICATION_STATUS_UPDATE', 'MESSAGE',
    'NEW_MATCHING_SERVICE', 'MATCH', 'SAVED_SEARCH_HIT', 'DISPUTE_UPDATE',
    'EXPENSE_NEW_TRANSACTION', 'BUDGET_ALERT', 'PROMOTION', 'MARKETING',
    'SYSTEM')),
  title               text not null check (length(title) between 1 and 255),
  message             text not null check (length(message) <= 2000),
  related_object_type text,
  related_object_id   uuid,
  -- No foreign keys: these rows may live elsewhere, and a notification outlives
  -- what it speaks of.
  service_id          uuid,
  bid_id              uuid,
  message_id          uuid,
  sender_id           uuid,
  link                text check (length(link) <= 500),
  read_at             timestamptz,
  -- The moment itself and not the transaction's, so that several of one
  -- transaction keep their order.
  created_at          timestamptz not null default clock_timestamp(),
  updated_at          timestamptz not null default now(),
  constraint notification_object
    check ((related_object_type is null) = (related_object_id is null))
);

-- The list, newest first.
create index notification_list
  on notification (recipient_id, created_at desc, notification_id desc);
create index notification_unread
  on notification (recipient_id, created_at desc, notification_id desc)
  where read_at is null;
-- At most one unread notification of messages for each room: the next message
-- renews it instead of adding another.
create unique index notification_one_unread_per_room
  on notification (recipient_id, related_object_id)
  where type = 'MESSAGE' and read_at is null;
