-- Priced proposals on NEEDED services.  Key space: provider_id.
create table bid (
  bid_id           uuid        primary key default uuid7(),
  service_id       uuid        not null references service on delete cascade,
  seeker_id        uuid        not null references account,
  provider_id      uuid        not null references account,
  origin           text        not null default 'PROVIDER_PROPOSAL',
  amount_minor     bigint      not null,
  currency         text        not null,
  duration         text        not null default '',
  scheduled_at     timestamptz,
  duration_minutes int         not null default 0,
  message          text        not null default '',
  cover_letter     text        not null default '',
  full_name        text        not null default '',
  linkedin_url     text        not null default '',
  status           text        not null default 'PENDING',
  reject_reason    text        not null default '',
  expires_at       timestamptz,
  accepted_at      timestamptz,
  rejected_at      timestamptz,
  withdrawn_at     timestamptz,
  completed_at     timestamptz,
  cancelled_at     timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),

  constraint bid_amount_is_positive check (amount_minor > 0),
  constraint bid_currency_is_iso    check (currency ~ '^[A-Z]{3}$'),
  constraint bid_not_on_own_service check (seeker_id <> provider_id),
  constraint bid_duration_is_sane   check (duration_minutes between 0 and 44640),
  constraint bid_texts_are_bounded  check (
    length(duration) <= 80 and length(message) <= 5000
    and length(cover_letter) <= 10000 and length(full_name) <= 150
    and length(linkedin_url) <= 500 and length(reject_reason) <= 255),
  constraint bid_origin_is_known    check (
    origin in ('PROVIDER_PROPOSAL', 'QUOTE_REQUEST')),
  constraint bid_status_is_known    check (
    status in ('REQUESTED', 'PENDING', 'COUNTERED', 'ACCEPTED', 'REJECTED',
               'WITHDRAWN', 'EXPIRED', 'CANCELLED', 'COMPLETED'))
);

create unique index bid_one_live_per_provider on bid (service_id, provider_id)
  where status in ('REQUESTED', 'PENDING', 'COUNTERED', 'ACCEPTED');
create index bid_by_service  on bid (service_id, status);
create index bid_by_provider on bid (provider_id, created_at desc, bid_id desc);
create index bid_by_seeker   on bid (seeker_id, created_at desc, bid_id desc);
create index bid_by_status   on bid (status, created_at);

comment on index bid_one_live_per_provider is
  'ALREADY_EXISTS BID_EXISTS service_id: You already have a live bid on this service; update or withdraw it.';
comment on constraint bid_not_on_own_service on bid is
  'PERMISSION_DENIED OWN_SERVICE service_id: You cannot bid on your own service.';

-- The terms of a bid before each change of them.
create table bid_revision (
  bid_revision_id  uuid        primary key default uuid7(),
  bid_id           uuid        not null references bid on delete cascade,
  author_id        uuid        not null references account,
  amount_minor     bigint      not null,
  currency         text        not null,
  duration         text        not null,
  scheduled_at     timestamptz,
  duration_minutes int         not null,
  message          text        not null,
  created_at       timestamptz not null default now()
);
create index bid_revision_by_bid on bid_revision (bid_id, created_at);
