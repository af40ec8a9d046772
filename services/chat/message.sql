-- A message `c` as every member sees it.
-- fragment: message_columns
c.message_id,
       c.room_id,
       c.seq,
       c.sender_id          as "sender.user_id",
       sender.full_name     as "sender.full_name",
       sender.user_type     as "sender.user_type",
       sp.avatar_url        as "sender.avatar_url",
       sp.rating_avg        as "sender.rating_avg",
       sp.total_reviews     as "sender.total_reviews",
       c.message_type,
       case when c.deleted_at is null then c.content
            else 'This message has been deleted'
        end                 as content,
       c.reply_to_id,
       c.client_message_id,
       c.edited_at is not null  as is_edited,
       c.deleted_at is not null as is_deleted,
       not exists (select 1
                     from room_member o
                    where o.room_id = c.room_id
                      and o.user_id <> c.sender_id
                      and o.left_at is null
                      and o.read_seq < c.seq) as is_read,
       c.sent_at            as send_time,
       c.edited_at          as edit_time;

-- fragment: message_people
  join account sender on sender.user_id = c.sender_id
  left join profile sp on sp.user_id = c.sender_id;

-- name: message_by_client_id :one ChatMessage
select {{message_columns}}
  from chat_message c
{{message_people}}
 where c.sender_id = $1
   and c.client_message_id = $2;

-- name: message_seq :one ChatReadRow
select message_id, seq
  from chat_message
 where room_id = $1
   and message_id = $2;

-- name: message_at :one ChatReadRow
select message_id, seq
  from chat_message
 where room_id = $1
   and seq = $2;

-- name: message_insert :one ChatMessage
-- Numbers and writes a message; room_lock has come before. A sender who had
-- read everything has read this, too.
with numbered as (
  update chat_room
     set last_seq = last_seq + 1,
         active_at = clock_timestamp(),
         updated_at = now()
   where room_id = $1
  returning room_id, last_seq, active_at
),
caught_up as (
  update room_member m
     set read_seq = n.last_seq,
         read_at = n.active_at
    from numbered n
   where m.room_id = n.room_id
     and m.user_id = $2
     and m.read_seq = n.last_seq - 1
),
c as (
  insert into chat_message
         (room_id, seq, sender_id, message_type, content, reply_to_id,
          client_message_id, sent_at)
  select n.room_id, n.last_seq, $2, 'TEXT', $3, $4, $5, n.active_at
    from numbered n
  returning message_id, room_id, seq, sender_id, message_type, content,
            reply_to_id, client_message_id, sent_at, edited_at, deleted_at
)
select {{message_columns}}
  from c
{{message_people}};

-- The messages of room $1 for its member $2; $3 is a text that they have.
-- fragment: message_filter
c.room_id = $1
   and exists (select 1
                 from room_member m
                where m.room_id = $1
                  and m.user_id = $2
                  and m.left_at is null)
   and ($3::text is null
        or (c.deleted_at is null
            and position(lower($3) in lower(c.content)) > 0));

-- name: messages_before :many ChatMessage
-- Newest first; $4 null begins at the end.
select {{message_columns}}
  from chat_message c
{{message_people}}
 where {{message_filter}}
   and c.seq < coalesce($4::bigint, 9223372036854775807)
 order by c.seq desc
 limit $5;

-- name: messages_after :many ChatMessage
-- Oldest first.
select {{message_columns}}
  from chat_message c
{{message_people}}
 where {{message_filter}}
   and c.seq > $4::bigint
 order by c.seq
 limit $5;
