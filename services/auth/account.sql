-- An AccountRow's columns; `a` is an account.
-- fragment: account_columns
a.user_id            as "account.user_id",
       a.email              as "account.email",
       a.phone              as "account.phone",
       a.username           as "account.username",
       a.first_name         as "account.first_name",
       a.last_name          as "account.last_name",
       a.full_name          as "account.full_name",
       a.user_type          as "account.user_type",
       a.provider_kind      as "account.provider_kind",
       a.admin_level        as "account.admin_level",
       a.account_status     as "account.account_status",
       a.is_email_verified  as "account.is_email_verified",
       a.is_phone_verified  as "account.is_phone_verified",
       a.is_verified        as "account.is_verified",
       a.locale             as "account.locale",
       a.timezone           as "account.timezone",
       a.last_login_at      as "account.last_login_time",
       a.created_at         as "account.create_time",
       a.updated_at         as "account.update_time",
       a.password_hash;

-- name: account_insert :one AccountRow
-- An account with all that belongs to it, in one statement. No row: somebody
-- has verified this phone number.
with a as (
  insert into account (email, phone, username, password_hash, first_name,
                       last_name, full_name, user_type, provider_kind, locale,
                       timezone)
  select $1::citext, $2::text, $3::citext, $4::text, $5::text, $6::text,
         $7::text, $8::text, $9::text, $10::text, $11::text
   where not exists (select 1
                       from account
                      where phone = $2::text
                        and is_phone_verified)
  returning user_id, email, phone, username, password_hash, first_name,
            last_name, full_name, user_type, provider_kind, admin_level,
            account_status, is_email_verified, is_phone_verified, is_verified,
            locale, timezone, last_login_at, created_at, updated_at
), new_profile as (
  insert into profile (user_id)
  select user_id from a
), new_provider_profile as (
  insert into provider_profile (user_id)
  select user_id from a where user_type in ('PROVIDER', 'BOTH')
), new_preference as (
  insert into user_preference (user_id, language)
  select user_id, locale from a
)
select {{account_columns}}
  from a;

-- name: account_by_email :one AccountRow
select {{account_columns}}
  from account a
 where a.email = $1::citext
   and a.account_status <> 'DELETED';

-- name: account_by_username :one AccountRow
select {{account_columns}}
  from account a
 where a.username = $1::citext
   and a.account_status <> 'DELETED';

-- name: account_by_phone :one AccountRow
select {{account_columns}}
  from account a
 where a.phone = $1
   and a.is_phone_verified
   and a.account_status <> 'DELETED';

-- name: account_by_id :one AccountRow
select {{account_columns}}
  from account a
 where a.user_id = $1
   and a.account_status <> 'DELETED';

-- name: account_note_login :exec
-- Also stores a new hash of the same password, when there is one.
update account
   set last_login_at = now(),
       password_hash = coalesce($2, password_hash)
 where user_id = $1
   and account_status in ('INACTIVE', 'ACTIVE');

-- name: account_verify_email :one AccountRow
update account a
   set is_email_verified = true,
       account_status    = 'ACTIVE',
       updated_at        = now()
 where a.user_id = $1
   and a.email = $2::citext
   and a.account_status in ('INACTIVE', 'ACTIVE')
returning {{account_columns}};

-- name: account_set_password :exec
-- $3 is the hash that was compared with the old password: of two changes at
-- once one finds it replaced.
update account
   set password_hash = $2,
       updated_at    = now()
 where user_id = $1
   and password_hash = $3
   and account_status = 'ACTIVE';

-- name: account_reset_password :exec
-- Whoever has the mailed code has the mailbox: the address is verified too.
update account
   set password_hash     = $2,
       is_email_verified = true,
       account_status    = 'ACTIVE',
       updated_at        = now()
 where user_id = $1
   and email = $3::citext
   and account_status in ('INACTIVE', 'ACTIVE');

-- name: account_end_suspensions :exec
update account
   set account_status   = case when is_email_verified or is_phone_verified
                               then 'ACTIVE'
                               else 'INACTIVE'
                          end,
       suspended_reason = null,
       suspended_until  = null,
       updated_at       = now()
 where account_status = 'SUSPENDED'
   and suspended_until <= now();
