-- Agreed or asked-for work.  Key space: provider_id.
create table booking (
  booking_id         uuid        primary key default uuid7(),
  service_id         uuid        references service on delete set null,
  bid_id             uuid        references bid on delete set null,
  -- Chosen by the client, so that a retry books nothing twice.
  request_id         uuid,
  seeker_id          uuid        not null references account,
  provider_id        uuid        not null references account,
  origin             text        not null,
  status             text        not null,
  start_at           timestamptz,
  end_at             timestamptz,
  -- What the booking takes of the provider's calendar: its time with the
  -- buffers before and after that were in force when it was made.
  slot               tstzrange,
  timezone           text        not null default 'UTC',
  address            text        not null default '',
  coordinates        geography(point, 4326),
  full_name          text        not null default '',
  linkedin_url       text        not null default '',
  notes              text        not null default '',
  pricing_option     text        not null default '',
  total_minor        bigint      not null,
  platform_fee_minor bigint      not null,
  currency           text        not null,
  payment_policy     text        not null,
  payment_status     text        not null default 'UNPAID',
  cancel_reason      text        not null default '',
  cancelled_by       uuid        references account,
  decline_reason     text        not null default '',
  accepted_at        timestamptz,
  started_at         timestamptz,
  completed_at       timestamptz,
  cancelled_at       timestamptz,
  declined_at        timestamptz,
  created_at         timestamptz not null default now(),
  updated_at         timestamptz not null default now(),

  constraint booking_not_with_oneself     check (seeker_id <> provider_id),
  constraint booking_one_per_bid          unique (bid_id),
  constraint booking_request_once         unique (seeker_id, request_id),
  constraint booking_times_are_a_pair     check (
    (start_at is null) = (end_at is null)),
  constraint booking_end_is_after_start   check (end_at > start_at),
  constraint booking_slot_holds_the_times check (
    (slot is null) = (start_at is null)
    and slot @> tstzrange(start_at, end_at)),
  constraint booking_amounts_are_sane     check (
    total_minor >= 0 and platform_fee_minor between 0 and total_minor),
  constraint booking_texts_are_bounded    check (
    length(timezone) <= 40 and length(address) <= 500
    and length(full_name) <= 150 and length(linkedin_url) <= 500
    and length(notes) <= 5000 and length(cancel_reason) <= 255
    and length(decline_reason) <= 255 and length(pricing_option) <= 80),
  constraint booking_origin_is_known      check (
    origin in ('BID', 'DIRECT', 'COURSE')),
  constraint booking_status_is_known      check (
    status in ('PENDING', 'CONFIRMED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED',
               'DECLINED')),
  constraint booking_policy_is_known      check (
    payment_policy in ('PREPAY', 'POSTPAY', 'OFFLINE')),
  constraint booking_payment_is_known     check (
    payment_status in ('UNPAID', 'PENDING', 'HELD', 'PAID',
                       'PARTIALLY_REFUNDED', 'REFUNDED', 'FAILED')),

  -- No provider is booked twice.  A PENDING booking takes no time: it is the
  -- move to CONFIRMED that has to win.
  constraint booking_slot_is_free exclude using gist (
    provider_id with =, slot with &&)
    where (status in ('CONFIRMED', 'IN_PROGRESS') and slot is not null)
);

create index booking_by_provider on booking (provider_id, created_at desc, booking_id desc);
create index booking_by_seeker   on booking (seeker_id, created_at desc, booking_id desc);
create index booking_by_start    on booking (start_at);
create index booking_by_service  on booking (service_id, status);

comment on constraint booking_slot_is_free on booking is
  'ABORTED SLOT_TAKEN start_time: The provider is already booked at that time; choose another.';
comment on constraint booking_one_per_bid on booking is
  'ALREADY_EXISTS BOOKING_EXISTS bid_id: This bid already has a booking.';
comment on constraint booking_not_with_oneself on booking is
  'PERMISSION_DENIED OWN_SERVICE service_id: You cannot book your own service.';

-- What happened to a booking; append-only.
create table booking_timeline_event (
  timeline_event_id uuid        primary key default uuid7(),
  booking_id        uuid        not null references booking on delete cascade,
  type              text        not null,
  actor_id          uuid        references account,
  metadata          jsonb       not null default '{}',
  created_at        timestamptz not null default now(),

  constraint timeline_type_is_known check (
    type in ('CREATED', 'ACCEPTED', 'DECLINED', 'STARTED', 'COMPLETED',
             'CANCELLED', 'NOTE'))
);
create index timeline_by_booking on booking_timeline_event (booking_id, created_at, timeline_event_id);
