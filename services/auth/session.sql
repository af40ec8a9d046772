-- fragment: session_account_columns
a.user_id            as "account.user_id",
       a.email              as "account.email",
       a.full_name          as "account.full_name",
       a.user_type          as "account.user_type",
       a.admin_level        as "account.admin_level",
       a.account_status     as "account.account_status",
       a.locale             as "account.locale",
       s.session_id,
       s.expires_at         as expire_time;

-- name: session_insert :one SessionRow
-- $4 is how many milliseconds the refresh token is good, by the database's
-- clock, which is also who asks.
insert into session (session_id, user_id, refresh_hash, expires_at, device_name,
                     platform, app_version, user_agent, ip_address)
values ($1, $2, $3, now() + $4::bigint * interval '1 millisecond', $5, $6, $7,
        $8, $9::text::inet)
returning session_id, expires_at as expire_time;

-- name: session_end_oldest :many SessionIdRow :bounded by $2 and what was left before
-- Keeps a user's $2 sessions that were used last.
update session
   set revoked_at    = now(),
       revoke_reason = 'TOO_MANY'
 where session_id in (select session_id
                        from session
                       where user_id = $1
                         and revoked_at is null
                       order by last_used_at desc, session_id desc
                      offset $2)
returning session_id;

-- name: session_rotate :one SessionRow
-- Compare and set: of twins that present the same token one gets a row.
update session s
   set refresh_hash  = $3,
       previous_hash = $2,
       rotated_at    = now(),
       last_used_at  = now(),
       expires_at    = now() + $4::bigint * interval '1 millisecond',
       ip_address    = coalesce($5::text::inet, s.ip_address)
  from account a
 where s.session_id = $1
   and s.refresh_hash = $2
   and s.revoked_at is null
   and s.expires_at > now()
   and a.user_id = s.user_id
   and a.account_status in ('INACTIVE', 'ACTIVE')
returning {{session_account_columns}};

-- name: session_state :one SessionRow
-- Why session_rotate found nothing. $2 is the token's hash, $3 its
-- successor's, $4 how long twins are forgiven.
select {{session_account_columns}},
       s.revoked_at is not null as is_revoked,
       s.expires_at <= now()    as is_expired,
       coalesce(s.previous_hash = $2
                and s.refresh_hash = $3
                and s.rotated_at > now() - $4 * interval '1 second',
                false)          as is_twin
  from session s
  join account a using (user_id)
 where s.session_id = $1;

-- name: session_end :exec
update session
   set revoked_at    = now(),
       revoke_reason = $3
 where session_id = $1
   and user_id = $2
   and revoked_at is null;

-- name: session_end_others :many SessionIdRow :bounded by the sessions that one account may have
-- All of a user's sessions but one; all when that is null.
update session
   set revoked_at    = now(),
       revoke_reason = $3
 where user_id = $1
   and session_id is distinct from $2
   and revoked_at is null
returning session_id;

-- name: session_list :many Session
select session_id,
       device_name,
       platform,
       app_version,
       host(ip_address)           as ip_address,
       created_at                 as create_time,
       last_used_at               as last_use_time,
       expires_at                 as expire_time,
       session_id = $2            as is_current
  from session
 where user_id = $1
   and revoked_at is null
   and expires_at > now()
 order by last_used_at desc, session_id desc
 limit 100;

-- name: session_sweep :exec
-- What expired a month ago; its record is in audit_log.
delete from session
 where session_id in (select session_id
                        from session
                       where expires_at < now() - interval '30 days'
                       limit 10000);
