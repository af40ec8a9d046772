-- Who people are, how they sign in, and what they did.

-- Whether a text names a time zone of the IANA database. PostgreSQL would take
-- POSIX rules ("XYZ5") for zones too.
create function timezone_is_known(zone text) returns boolean
  language plpgsql immutable strict
as $$
begin
  if zone <> 'UTC' and zone !~ '^[A-Z][A-Za-z_+-]+(/[A-Za-z0-9_+-]+)+$' then
    return false;
  end if;
  perform timestamptz '2000-01-01 00:00:00+00' at time zone zone;
  return true;
exception
  when invalid_parameter_value then
    return false;
end
$$;

-- Key space: user_id.
create table account (
  user_id           uuid        primary key default uuid7(),
  email             citext,
  phone             text,
  username          citext,
  -- PHC string of Argon2id, or Django's PBKDF2 until the next sign-in.
  password_hash     text,
  first_name        text        not null default '',
  last_name         text        not null default '',
  full_name         text        not null default '',
  user_type         text        not null
    constraint account_user_type_known
    check (user_type in ('SEEKER', 'PROVIDER', 'BOTH', 'LEARNER', 'ADMIN')),
  provider_kind     text
    constraint account_provider_kind_known
    check (provider_kind in ('PROFESSIONAL', 'ACCOUNTANT', 'CONTRACTOR', 'CREW',
                             'SPECIALIST', 'FREELANCER', 'BUSINESS')),
  admin_level       text        not null default 'NONE'
    constraint account_admin_level_known
    check (admin_level in ('NONE', 'STAFF', 'SUPERUSER')),
  account_status    text        not null default 'INACTIVE'
    constraint account_status_known
    check (account_status in ('INACTIVE', 'ACTIVE', 'SUSPENDED', 'DELETED')),
  suspended_reason  text,
  suspended_until   timestamptz,
  is_email_verified boolean     not null default false,
  is_phone_verified boolean     not null default false,
  is_verified       boolean     not null default false,
  locale            text        not null default 'en',
  timezone          text        not null default 'UTC'
    constraint account_timezone_known check (timezone_is_known(timezone)),
  last_login_at     timestamptz,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now(),

  constraint account_email_length check (octet_length(email::text) <= 254),
  constraint account_phone_format check (phone ~ '^[+][1-9][0-9]{6,14}$'),
  constraint account_username_length check (length(username::text) between 3 and 150),
  constraint account_has_contact
    check (email is not null or phone is not null or account_status = 'DELETED'),
  constraint account_admin_level_fits
    check ((user_type = 'ADMIN') = (admin_level <> 'NONE'))
);

create unique index account_email_is_unique on account (email);
create unique index account_username_is_unique on account (username);
-- Anybody may type any number; it is theirs when they have proved it.
create unique index account_phone_is_unique on account (phone)
  where is_phone_verified;
create index account_by_type on account (user_type, created_at desc, user_id desc);
create index account_by_time on account (created_at desc, user_id desc);

comment on constraint account_timezone_known on account is
  'INVALID_ARGUMENT TIMEZONE_UNKNOWN timezone: This is no time zone; use a name like Africa/Cairo.';
comment on index account_email_is_unique is
  'ALREADY_EXISTS EMAIL_TAKEN email: This e-mail address already has an account.';
comment on index account_username_is_unique is
  'ALREADY_EXISTS USERNAME_TAKEN username: This user name is taken.';
comment on index account_phone_is_unique is
  'ALREADY_EXISTS PHONE_TAKEN phone: This phone number already has an account.';

-- What others see. Ratings and totals are kept by reviews and bookings.
-- Key space: user_id.
create table profile (
  user_id          uuid        primary key references account on delete cascade,
  avatar_url       text        not null default '',
  bio              text        not null default '',
  location         text        not null default '',
  city             text        not null default '',
  country          text        not null default '',
  region_code      text        not null default '',
  coordinates      geography(Point, 4326),
  activity_type    text        not null default '',
  company_name     text        not null default '',
  job_title        text        not null default '',
  profession       text        not null default '',
  rating_avg       numeric(3, 2)
    constraint profile_rating_in_range check (rating_avg between 1 and 5),
  total_reviews    integer     not null default 0
    constraint profile_reviews_not_negative check (total_reviews >= 0),
  total_bookings   integer     not null default 0
    constraint profile_bookings_not_negative check (total_bookings >= 0),
  reputation_score smallint    not null default 0
    constraint profile_reputation_in_range check (reputation_score between 0 and 100),
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now()
);
create index profile_by_place on profile using gist (coordinates)
  where coordinates is not null;

-- The business of a provider.
-- Key space: user_id.
create table provider_profile (
  user_id              uuid        primary key references account on delete cascade,
  business_name        text        not null default '',
  business_description text        not null default '',
  years_of_experience  integer     not null default 0
    constraint provider_experience_in_range check (years_of_experience between 0 and 80),
  license_number       text        not null default '',
  insurance_info       text        not null default '',
  service_radius_km    integer     not null default 0
    constraint provider_radius_in_range check (service_radius_km between 0 and 20000),
  hourly_rate_minor    bigint
    constraint provider_rate_not_negative check (hourly_rate_minor >= 0),
  hourly_rate_currency char(3),
  is_onboarded         boolean     not null default false,
  is_featured          boolean     not null default false,
  created_at           timestamptz not null default now(),
  updated_at           timestamptz not null default now(),

  constraint provider_rate_has_currency
    check ((hourly_rate_minor is null) = (hourly_rate_currency is null))
);

-- How the apps should behave for somebody.
-- Key space: user_id.
create table user_preference (
  user_id              uuid        primary key references account on delete cascade,
  language             text        not null default 'en',
  theme                text        not null default 'SYSTEM'
    constraint preference_theme_known check (theme in ('LIGHT', 'DARK', 'SYSTEM')),
  currency             char(3),
  email_notifications  boolean     not null default true,
  push_notifications   boolean     not null default true,
  onboarding_completed boolean     not null default false,
  created_at           timestamptz not null default now(),
  updated_at           timestamptz not null default now()
);

-- One sign-in on one device: a family of refresh tokens, of which the newest
-- is good, and the one before it for a moment. Only their hashes are here.
-- Key space: user_id.
create table session (
  session_id    uuid        primary key default uuid7(),
  user_id       uuid        not null references account on delete cascade,
  refresh_hash  bytea       not null
    constraint session_refresh_hash_is_sha256 check (octet_length(refresh_hash) = 32),
  previous_hash bytea
    constraint session_previous_hash_is_sha256 check (octet_length(previous_hash) = 32),
  rotated_at    timestamptz,
  expires_at    timestamptz not null,
  revoked_at    timestamptz,
  revoke_reason text
    constraint session_revoke_reason_known
    check (revoke_reason in ('LOGOUT', 'REVOKED', 'PASSWORD_CHANGED',
                             'PASSWORD_RESET', 'TOKEN_REUSED', 'SUSPENDED',
                             'TOO_MANY')),
  device_name   text        not null default '',
  platform      text        not null default '',
  app_version   text        not null default '',
  user_agent    text        not null default '',
  ip_address    inet,
  last_used_at  timestamptz not null default now(),
  created_at    timestamptz not null default now(),

  constraint session_revocation_has_reason
    check ((revoked_at is null) = (revoke_reason is null)),
  constraint session_rotation_has_time
    check ((previous_hash is null) = (rotated_at is null))
);
create index session_live_by_user on session (user_id, last_used_at desc)
  where revoked_at is null;
create index session_by_expiry on session (expires_at);

-- What every server process must know within a second: sessions that ended
-- before their access tokens did, and, with no session, accounts whose status
-- changed. Triggers write it, so that no way of ending a session forgets to.
-- The processes follow it by `written_by`, which, unlike a sequence, cannot be
-- overtaken by a transaction that commits late. Rows older than the longest
-- life of an access token mean nothing and are removed.
-- Key space: user_id.
create table revocation (
  revocation_id uuid        primary key default uuid7(),
  user_id       uuid        not null,
  session_id    uuid,
  written_by    xid8        not null default pg_current_xact_id(),
  created_at    timestamptz not null default now()
);
create index revocation_by_writer on revocation (written_by, revocation_id);
create index revocation_by_time on revocation (created_at);

create function session_tell_its_end() returns trigger
  language plpgsql
as $$
begin
  insert into revocation (user_id, session_id) values (old.user_id, old.session_id);
  return null;
end
$$;
create trigger session_end_is_told
  after update of revoked_at on session
  for each row when (old.revoked_at is null and new.revoked_at is not null)
  execute function session_tell_its_end();

create function account_tell_its_status() returns trigger
  language plpgsql
as $$
begin
  insert into revocation (user_id) values (new.user_id);
  return null;
end
$$;
create trigger account_status_is_told
  after update of account_status on account
  for each row when (old.account_status <> new.account_status)
  execute function account_tell_its_status();

-- A one-time code. The code itself is nowhere: only its HMAC under a key that
-- the database does not hold. user_id is null when the address belongs to
-- nobody and the server hides that.
-- Key space: destination.
create table otp_challenge (
  challenge_id  uuid        primary key default uuid7(),
  purpose       text        not null
    constraint otp_purpose_known check (purpose in ('VERIFY_EMAIL', 'PASSWORD_RESET')),
  channel       text        not null
    constraint otp_channel_known check (channel in ('EMAIL')),
  destination   citext      not null,
  user_id       uuid        references account on delete cascade,
  code_hash     bytea       not null
    constraint otp_code_hash_is_sha256 check (octet_length(code_hash) = 32),
  attempts      smallint    not null default 0
    constraint otp_five_tries check (attempts between 0 and 5),
  expires_at    timestamptz not null,
  consumed_at   timestamptz,
  superseded_at timestamptz,
  created_at    timestamptz not null default clock_timestamp()
);
-- A new code takes the place of the old one.
create unique index otp_one_live on otp_challenge (destination, purpose)
  where consumed_at is null and superseded_at is null;
create index otp_by_destination on otp_challenge (destination, created_at desc);
create index otp_by_expiry on otp_challenge (expires_at);

-- Tries to sign in with a password, for one account or one address. The
-- channel is locked, never the account: other ways in stay open, or locking
-- somebody out would be free for all.
-- Key space: bucket.
create table login_throttle (
  bucket            text        primary key,
  window_started_at timestamptz not null,
  tries             integer     not null
    constraint login_throttle_tries_positive check (tries > 0),
  -- In a row; a sign-in that works makes it 0.
  failures          integer     not null
    constraint login_throttle_failures_not_negative check (failures >= 0),
  locked_until      timestamptz,
  updated_at        timestamptz not null default now()
);
create index login_throttle_by_time on login_throttle (updated_at);

-- Who did what, append-only. actor_id names no account by a foreign key: the
-- record outlives it.
-- Key space: actor_id.
create table audit_log (
  audit_id    uuid        primary key default uuid7(),
  actor_id    uuid,
  action      text        not null,
  object_type text        not null default '',
  object_id   text        not null default '',
  detail      jsonb       not null default '{}',
  ip_address  inet,
  request_id  text        not null default '',
  created_at  timestamptz not null default now()
);
create index audit_by_actor on audit_log (actor_id, created_at desc);
create index audit_by_object on audit_log (object_type, object_id, created_at desc);
create index audit_by_action on audit_log (action, created_at desc);

create function audit_log_refuse_change() returns trigger
  language plpgsql
as $$
begin
  raise exception 'audit_log is append-only';
end
$$;
create trigger audit_log_is_append_only
  before update on audit_log
  for each row execute function audit_log_refuse_change();
