-- Each posting is one statement, made of CTEs that run in the order in which
-- they need each other: the hold's row is locked, then the accounts' in the order
-- of their ids, then the verdict is made of the rows as they are under the lock,
-- and only when it is POSTED anything is written.  A refusal is a row, no error:
-- the caller's transaction goes on.

-- What every posting says of itself: $1 transfer_id, $2 reason, $3 booking_id,
-- $4 payment_id.  Before it come
--   shape    kind, target_id, timeout_s, pending
--   leg      n, debit, credit, amount, from the first to the last
--   sums     account_id, gain, held: what each account of the legs is to change by
--   known    the accounts of sums
--   fit      the legs whose accounts are there, with their currency
--   refusal  outcome, or null when the posting's own rules have no objection
-- Amounts are at most 10^15, legs 64 and balances 9 * 10^18, so no sum overflows.
-- fragment: fit
known as (
  select account_id, currency, is_hot
    from ledger_account
   where account_id = any (array(select account_id from sums))
),
fit as (
  select g.n, g.debit, g.credit, g.amount, d.currency
    from leg g
    join known d on d.account_id = g.debit
    join known c on c.account_id = g.credit
                and c.currency = d.currency
);

-- fragment: after
a.account_id,
         a.balance_minor + s.gain as balance_minor,
         a.held_minor + s.held as held_minor,
         a.floor_minor
    from sums s
    join ledger_account a on a.account_id = s.account_id
   where not a.is_hot
     and (s.gain <> 0 or s.held <> 0);

-- fragment: verdict
verdict as (
  select coalesce(
           (select outcome from refusal),
           (select case
                     when bool_or(balance_minor - held_minor < floor_minor)
                     then 'BELOW_FLOOR'
                     when bool_or(abs(balance_minor) > 9000000000000000000
                                  or held_minor > 9000000000000000000)
                     then 'OUT_OF_RANGE'
                     else 'POSTED'
                   end
              from guarded)) as outcome
);

-- A hash of what was asked for, as text; who repeats it has to ask for the same.
-- fragment: content
sha256(convert_to(
    concat_ws('|', s.kind, s.target_id, s.reason, s.booking_id, s.payment_id,
              s.timeout_s, g.legs), 'UTF8'));

-- fragment: posting
guarded as materialized (
  select {{after}}
   order by a.account_id
     for no key update of a
),
{{verdict}},
said as (
  select {{content}} as content
    from (select kind, target_id, timeout_s,
                 $2::text as reason,
                 $3::uuid as booking_id,
                 $4::uuid as payment_id
            from shape) s,
         (select string_agg(debit || '>' || credit || ':' || amount, ','
                            order by n) as legs
            from leg) g
),
posted as (
  insert into ledger_transfer
         (transfer_id, kind, target_id, reason, booking_id, payment_id,
          timeout_s, content)
  select $1, s.kind, s.target_id, $2, $3, $4, s.timeout_s, c.content
    from shape s, said c, verdict v
   where v.outcome = 'POSTED'
      on conflict do nothing
  returning transfer_id
),
legs as (
  insert into ledger_leg
         (transfer_id, leg_no, pending, debit_account_id, credit_account_id,
          currency, amount_minor)
  select p.transfer_id, f.n, s.pending, f.debit, f.credit, f.currency, f.amount
    from posted p, shape s, fit f
),
moved as (
  update ledger_account a
     set balance_minor = g.balance_minor,
         held_minor    = g.held_minor
    from guarded g, posted
   where a.account_id = g.account_id
),
deltas as (
  insert into ledger_delta
         (account_id, transfer_id, balance_minor, held_minor)
  select k.account_id, p.transfer_id, s.gain, s.held
    from posted p, sums s
    join known k on k.account_id = s.account_id
   where k.is_hot
     and (s.gain <> 0 or s.held <> 0)
);

-- fragment: outcome
select case
         when v.outcome = 'POSTED' and not exists (select from posted)
         then 'TAKEN'
         else v.outcome
       end as outcome,
       c.content
  from verdict v, said c;

-- What a caller asks for: $5 debits, $6 credits, $7 amounts; and what that comes
-- to, $8 accounts, $9 gains, $10 held.  As sub-selects the planner cannot look
-- into them, so every plan costs the same and PostgreSQL keeps one instead of
-- planning each time, which takes longer than running it.
-- fragment: asked
leg as (
  select n, debit, credit, amount
    from unnest((select $5::uuid[]), (select $6::uuid[]), (select $7::bigint[]))
         with ordinality as asked(debit, credit, amount, n)
),
sums as (
  select account_id, gain, held
    from unnest((select $8::uuid[]), (select $9::bigint[]), (select $10::bigint[]))
         as asked(account_id, gain, held)
),
{{fit}},
refusal as (
  select case
           when (select count(*) from fit) < cardinality($7::bigint[])
           then 'ACCOUNT_UNFIT'
         end as outcome
);

-- name: ledger_account_open :one LedgerAccountRow
-- The account of this kind, owner and currency: new, or the one that is there.
with fresh as (
  insert into ledger_account (kind, owner, currency, floor_minor, is_hot)
  values ($1, $2, $3, $4, $5)
      on conflict (kind, owner, currency) do nothing
  returning account_id
)
select account_id
  from fresh
 union all
select account_id
  from ledger_account
 where kind = $1
   and owner = $2
   and currency = $3;

-- name: ledger_account_find :one LedgerAccountRow
select account_id
  from ledger_account
 where kind = $1
   and owner = $2
   and currency = $3;

-- name: ledger_transfer_post :one LedgerOutcomeRow
with shape as (
  select 'TRANSFER' as kind, null::uuid as target_id, null::int as timeout_s,
         false as pending
),
{{asked}},
{{posting}}
{{outcome}};

-- name: ledger_transfer_hold :one LedgerOutcomeRow
-- $11 seconds until it expires, or null.
with shape as (
  select 'HOLD' as kind, null::uuid as target_id, $11::int as timeout_s,
         true as pending
),
{{asked}},
{{posting}},
holds as (
  insert into ledger_hold (transfer_id, expires_at)
  select transfer_id, clock_timestamp() + make_interval(secs => $11::int)
    from posted
)
{{outcome}};

-- name: ledger_transfer_end :one LedgerOutcomeRow
-- Ends the hold $5 by POST, VOID or EXPIRE ($6).  Of each leg $7 is posted, null:
-- all of it.
with hold as materialized (
  select transfer_id, status, expires_at
    from ledger_hold
   where transfer_id = $5
     for no key update
),
shape as (
  select $6::text as kind, $5::uuid as target_id, null::int as timeout_s,
         false as pending
),
was as (
  select g.leg_no, g.debit_account_id, g.credit_account_id, g.amount_minor
    from hold h
    join ledger_leg g on g.transfer_id = h.transfer_id
),
leg as (
  select leg_no as n,
         debit_account_id as debit,
         credit_account_id as credit,
         coalesce(($7::bigint[])[leg_no], amount_minor) as amount
    from was
   where $6 = 'POST'
     and coalesce(($7::bigint[])[leg_no], amount_minor) <> 0
),
sums as (
  select account_id,
         sum(gain)::bigint as gain,
         sum(held)::bigint as held
    from (select debit as account_id, -amount as gain, 0 as held
            from leg
           union all
          select credit, amount, 0
            from leg
           union all
          select debit_account_id, 0, -amount_minor
            from was) moves
   group by account_id
),
{{fit}},
refusal as (
  select case
           when not exists (select from hold) then 'HOLD_UNKNOWN'
           when exists (select from hold where status <> 'PENDING')
           then 'HOLD_ENDED'
           when $6 = 'EXPIRE'
                and exists (select
                              from hold
                             where expires_at > clock_timestamp()
                                or expires_at is null)
           then 'HOLD_NOT_DUE'
           when $6 <> 'EXPIRE'
                and exists (select
                              from hold
                             where expires_at <= clock_timestamp())
           then 'HOLD_EXPIRED'
           when $6 = 'POST'
                and (not exists (select from leg)
                     or exists (select
                                  from was w
                                 where ($7::bigint[])[w.leg_no]
                                       not between 0 and w.amount_minor)
                     or cardinality($7::bigint[]) <> (select count(*) from was))
           then 'EXCEEDS_HOLD'
         end as outcome
),
{{posting}},
ended as (
  update ledger_hold h
     set status   = case $6 when 'POST' then 'POSTED'
                            when 'VOID' then 'VOIDED'
                            else 'EXPIRED'
                    end,
         ended_by = p.transfer_id
    from posted p
   where h.transfer_id = $5
     and h.status = 'PENDING'
)
{{outcome}};

-- name: ledger_transfer_reverse :one LedgerOutcomeRow
-- All of the transfer $5 backwards.
with original as (
  select transfer_id, kind
    from ledger_transfer
   where transfer_id = $5
),
shape as (
  select 'REVERSAL' as kind, $5::uuid as target_id, null::int as timeout_s,
         false as pending
),
leg as (
  select g.leg_no            as n,
         g.credit_account_id as debit,
         g.debit_account_id  as credit,
         g.amount_minor      as amount
    from ledger_leg g
    join original o on o.transfer_id = g.transfer_id
   where not g.pending
),
sums as (
  select account_id,
         sum(gain)::bigint as gain,
         0::bigint as held
    from (select debit as account_id, -amount as gain
            from leg
           union all
          select credit, amount
            from leg) moves
   group by account_id
),
{{fit}},
refusal as (
  select case
           when not exists (select
                              from original
                             where kind in ('TRANSFER', 'POST'))
           then 'NOT_REVERSIBLE'
           when exists (select
                          from ledger_transfer
                         where target_id = $5)
           then 'TAKEN'
         end as outcome
),
{{posting}}
{{outcome}};

-- name: ledger_transfer_content :one LedgerContentRow
select content
  from ledger_transfer
 where transfer_id = $1;

-- name: ledger_transfer_preview :many LedgerPreviewRow :bounded a row an account of its legs
-- What ledger_transfer_post would say and leave, without locks; $1 ... $6 are its
-- $5 ... $10.
with leg as (
  select n, debit, credit, amount
    from unnest($1::uuid[], $2::uuid[], $3::bigint[])
         with ordinality as asked(debit, credit, amount, n)
),
sums as (
  select account_id, gain, held
    from unnest($4::uuid[], $5::bigint[], $6::bigint[])
         as asked(account_id, gain, held)
),
{{fit}},
refusal as (
  select case
           when (select count(*) from fit) < cardinality($3::bigint[])
           then 'ACCOUNT_UNFIT'
         end as outcome
),
guarded as (
  select {{after}}
),
{{verdict}}
select v.outcome,
       s.account_id,
       (a.balance_minor
        + coalesce((select sum(d.balance_minor)
                      from ledger_delta d
                     where d.account_id = a.account_id), 0)
        + s.gain)::bigint as balance_minor,
       (a.held_minor
        + coalesce((select sum(d.held_minor)
                      from ledger_delta d
                     where d.account_id = a.account_id), 0))::bigint as held_minor
  from verdict v, sums s
  left join ledger_account a on a.account_id = s.account_id
 order by s.account_id;

-- name: ledger_account_balance :one LedgerBalanceRow
select a.account_id,
       a.currency,
       (a.balance_minor + coalesce(sum(d.balance_minor), 0))::bigint as balance_minor,
       (a.held_minor + coalesce(sum(d.held_minor), 0))::bigint as held_minor
  from ledger_account a
  left join ledger_delta d on d.account_id = a.account_id
 where a.account_id = $1
 group by a.account_id;

-- name: ledger_account_balance_at :one LedgerAmountRow
-- What was posted until $2.
select (coalesce((select sum(amount_minor)
                    from ledger_leg
                   where credit_account_id = $1
                     and not pending
                     and posted_at <= $2), 0)
        - coalesce((select sum(amount_minor)
                      from ledger_leg
                     where debit_account_id = $1
                       and not pending
                       and posted_at <= $2), 0))::bigint as amount_minor;

-- name: ledger_account_history :many LedgerHistoryRow
-- $3 legs before leg $2 (null: the last ones), newest first.  The balance after
-- each is today's less what came later.
with mine as (
  select leg_id, transfer_id, debit_account_id as other, amount_minor, posted_at
    from ledger_leg
   where credit_account_id = $1
     and not pending
   union all
  select leg_id, transfer_id, credit_account_id, -amount_minor, posted_at
    from ledger_leg
   where debit_account_id = $1
     and not pending
),
page as (
  select leg_id, transfer_id, other, amount_minor, posted_at
    from mine
   where $2::bigint is null
      or leg_id < $2
   order by leg_id desc
   limit $3
),
today as (
  select a.balance_minor
         + coalesce((select sum(d.balance_minor)
                       from ledger_delta d
                      where d.account_id = a.account_id), 0)
         - coalesce((select sum(m.amount_minor)
                       from mine m
                      where m.leg_id >= $2), 0) as balance
    from ledger_account a
   where a.account_id = $1
)
select p.leg_id,
       p.transfer_id,
       t.kind,
       t.reason,
       t.booking_id,
       t.payment_id,
       p.other as other_account_id,
       p.amount_minor,
       (today.balance
        - coalesce(sum(p.amount_minor) over (
            order by p.leg_id desc
            rows between unbounded preceding and 1 preceding), 0)
       )::bigint as balance_minor,
       p.posted_at as post_time
  from page p
  join ledger_transfer t on t.transfer_id = p.transfer_id, today
 order by p.leg_id desc
 limit $3;

-- name: ledger_hold_by_id :one LedgerHoldRow
select h.transfer_id,
       h.status,
       t.reason,
       h.expires_at as expire_time
  from ledger_hold h
  join ledger_transfer t on t.transfer_id = h.transfer_id
 where h.transfer_id = $1;

-- name: ledger_holds_due :many LedgerHoldRow
-- $1 holds whose time is over, the oldest first.
select h.transfer_id,
       h.status,
       t.reason,
       h.expires_at as expire_time
  from ledger_hold h
  join ledger_transfer t on t.transfer_id = h.transfer_id
 where h.status = 'PENDING'
   and h.expires_at <= clock_timestamp()
 order by h.expires_at
 limit $1;

-- name: ledger_roll_up_deltas :exec
-- Adds up to $1 deltas to the rows of their accounts.  One at a time: who comes
-- second has nothing to do.
with taken as (
  delete from ledger_delta d
   using (select account_id, transfer_id
            from ledger_delta
           where (select pg_try_advisory_xact_lock(hashtext('ledger_roll_up')))
           limit $1
             for update skip locked) bite
   where d.account_id = bite.account_id
     and d.transfer_id = bite.transfer_id
  returning d.account_id, d.balance_minor, d.held_minor
),
sums as (
  select account_id,
         sum(balance_minor) as gain,
         sum(held_minor) as held
    from taken
   group by account_id
)
update ledger_account a
   set balance_minor = a.balance_minor + s.gain,
       held_minor    = a.held_minor + s.held
  from sums s
 where a.account_id = s.account_id;
