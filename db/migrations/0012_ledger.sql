-- Money as double entry.  Key space: the ledger's own; nothing here refers to a
-- table of another one.
--
--   ledger_account     who can have money, and how much, of one currency
--   ledger_transfer    what happened; append-only
--   ledger_leg         its amounts, each from one account to another
--   ledger_hold        what is reserved, and how that ended
--   ledger_delta       what hot accounts gained since the last roll-up

-- Words as domains: what cannot change is checked when it is written, and not
-- again each time a balance is.
create domain ledger_account_kind as text
  constraint ledger_account_kind_is_known check (
    value in ('USER_AVAILABLE', 'USER_HELD', 'USER_DEBT', 'PLATFORM_FEE',
              'PLATFORM_TAX', 'PLATFORM_RESERVE', 'GATEWAY_CLEARING',
              'GATEWAY_PAYOUT', 'EXCHANGE'));
create domain ledger_account_owner as text
  constraint ledger_account_owner_is_short check (length(value) <= 64);
create domain ledger_currency as text
  constraint ledger_currency_is_iso check (value ~ '^[A-Z]{3}$');
create domain ledger_transfer_kind as text
  constraint ledger_transfer_kind_is_known check (
    value in ('TRANSFER', 'HOLD', 'POST', 'VOID', 'EXPIRE', 'REVERSAL'));
create domain ledger_transfer_reason as text
  constraint ledger_transfer_reason_is_known check (
    value in ('CHARGE', 'FEE', 'RELEASE', 'REFUND', 'PAYOUT',
              'PAYOUT_REVERSAL', 'DISPUTE', 'EXCHANGE', 'ADJUSTMENT'));

create table ledger_account (
  account_id    uuid        primary key default uuid7(),
  kind          ledger_account_kind not null,
  -- A user_id, a gateway's name, or '' for the platform.
  owner         ledger_account_owner not null default '',
  currency      ledger_currency not null,
  -- What the balance less what is held may not go under; null: anything goes.
  floor_minor   bigint,
  -- An account that everybody's transfers touch.  Its row is not written by
  -- them: they would queue on it.  They add rows to ledger_delta.
  is_hot        boolean     not null,
  balance_minor bigint      not null default 0,
  held_minor    bigint      not null default 0,
  created_at    timestamptz not null default now(),

  constraint ledger_account_once unique (kind, owner, currency),
  constraint ledger_account_hot_has_no_floor check (
    not is_hot or floor_minor is null),
  constraint ledger_account_held_is_not_negative check (
    is_hot or held_minor >= 0),
  constraint ledger_account_above_floor check (
    floor_minor is null or balance_minor - held_minor >= floor_minor)
) with (fillfactor = 70); -- room for updates in place

comment on constraint ledger_account_above_floor on ledger_account is
  'FAILED_PRECONDITION INSUFFICIENT_FUNDS: There is not enough money for this.';

create table ledger_transfer (
  -- Made by who asks for the transfer, before it is asked for: a repeated
  -- request is the same row.
  transfer_id uuid        primary key,
  kind        ledger_transfer_kind not null,
  -- What is posted, voided, expired or reversed: once each.
  target_id   uuid        references ledger_transfer,
  reason      ledger_transfer_reason not null,
  booking_id  uuid,
  payment_id  uuid,
  -- Of a hold, from the moment it is posted; null: it has to be ended.
  timeout_s   int,
  -- SHA-256 of all that was asked for, legs included.
  content     bytea       not null,
  posted_at   timestamptz not null default clock_timestamp(),

  constraint ledger_transfer_target_fits_kind check (
    (target_id is null) = (kind in ('TRANSFER', 'HOLD'))),
  constraint ledger_transfer_timeout_is_of_holds check (
    timeout_s is null or (kind = 'HOLD' and timeout_s > 0))
);
create unique index ledger_transfer_target_once on ledger_transfer (target_id)
  where target_id is not null;
create index ledger_transfer_by_booking on ledger_transfer (booking_id)
  where booking_id is not null;
create index ledger_transfer_by_payment on ledger_transfer (payment_id)
  where payment_id is not null;

-- One amount from one account to another of the same currency: a transfer whose
-- legs do not add up to zero cannot be written down.  The accounts are no foreign
-- keys: their checks would put a lock of every transfer on the rows of hot
-- accounts.  Accounts and transfers are never deleted, and a trigger looks.
create table ledger_leg (
  leg_id            bigint      generated always as identity,
  transfer_id       uuid        not null,
  leg_no            smallint    not null,
  -- Of a hold: reserved, not moved.
  pending           boolean     not null,
  debit_account_id  uuid        not null,
  credit_account_id uuid        not null,
  currency          text        not null,
  amount_minor      bigint      not null,
  posted_at         timestamptz not null default clock_timestamp(),

  primary key (transfer_id, leg_no),
  constraint ledger_leg_amount_is_sane check (
    amount_minor between 1 and 1000000000000000),
  constraint ledger_leg_goes_elsewhere check (
    debit_account_id <> credit_account_id)
);
create index ledger_leg_by_debit  on ledger_leg (debit_account_id, leg_id);
create index ledger_leg_by_credit on ledger_leg (credit_account_id, leg_id);

create table ledger_hold (
  transfer_id uuid        primary key references ledger_transfer,
  status      text        not null default 'PENDING',
  expires_at  timestamptz,
  ended_by    uuid        references ledger_transfer,

  constraint ledger_hold_status_is_known check (
    status in ('PENDING', 'POSTED', 'VOIDED', 'EXPIRED')),
  constraint ledger_hold_end_is_a_transfer check (
    (status = 'PENDING') = (ended_by is null))
);
create index ledger_hold_by_expiry on ledger_hold (expires_at)
  where status = 'PENDING' and expires_at is not null;

-- An account's balance is its row's plus the sum of these, in any snapshot: the
-- roll-up takes them away and adds them in one transaction.
create table ledger_delta (
  account_id    uuid   not null,
  transfer_id   uuid   not null,
  balance_minor bigint not null,
  held_minor    bigint not null,
  primary key (account_id, transfer_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

create function ledger_refuse() returns trigger
  language plpgsql
as $$
begin
  raise exception 'what % says does not change', tg_table_name
    using errcode = 'restrict_violation',
          hint = 'Correct a transfer by another one.';
end
$$;

create trigger ledger_transfer_is_append_only
  before update or delete or truncate on ledger_transfer
  for each statement execute function ledger_refuse();
create trigger ledger_leg_is_append_only
  before update or delete or truncate on ledger_leg
  for each statement execute function ledger_refuse();
create trigger ledger_account_stays_what_it_is
  before update of account_id, kind, owner, currency, is_hot or delete or truncate
  on ledger_account
  for each statement execute function ledger_refuse();
create trigger ledger_hold_stays
  before delete or truncate on ledger_hold
  for each statement execute function ledger_refuse();
-- It ends once.
create trigger ledger_hold_moves
  before update on ledger_hold
  for each row
  when (old.status <> 'PENDING' or new.status = 'PENDING'
        or new.transfer_id <> old.transfer_id)
  execute function ledger_refuse();

create function ledger_legs_fit() returns trigger
  language plpgsql
as $$
begin
  if exists (select
               from added g
               left join ledger_account d
                      on d.account_id = g.debit_account_id
                     and d.currency = g.currency
               left join ledger_account c
                      on c.account_id = g.credit_account_id
                     and c.currency = g.currency
               left join ledger_transfer t on t.transfer_id = g.transfer_id
              where d.account_id is null
                 or c.account_id is null
                 or t.transfer_id is null) then
    raise exception 'a leg is of a transfer, between two accounts of its currency'
      using errcode = 'check_violation';
  end if;
  return null;
end
$$;

create trigger ledger_legs_fit
  after insert on ledger_leg
  referencing new table as added
  for each statement execute function ledger_legs_fit();
