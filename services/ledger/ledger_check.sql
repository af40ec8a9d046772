-- What has to hold at every commit; each statement names what breaks it, and no
-- row is good news.  All of it is replayed from the legs, which never change.

-- name: ledger_check_sums :many LedgerProblemRow
-- All money of a currency is somewhere: balances add up to zero.
select 'sum is zero' as rule,
       a.currency as subject,
       'balances add up to ' || sum(a.balance_minor + coalesce(d.gain, 0)) as detail
  from ledger_account a
  left join (select account_id, sum(balance_minor) as gain
               from ledger_delta
              group by account_id) d on d.account_id = a.account_id
 group by a.currency
having sum(a.balance_minor + coalesce(d.gain, 0)) <> 0
 order by a.currency
 limit 100;

-- name: ledger_check_floors :many LedgerProblemRow
select 'no account is under its floor' as rule,
       account_id as subject,
       balance_minor - held_minor || ' of ' || floor_minor as detail
  from ledger_account
 where balance_minor - held_minor < floor_minor
 order by account_id
 limit 100;

-- name: ledger_check_held :many LedgerProblemRow
-- What an account holds is what its pending holds say.
with pending as (
  select g.debit_account_id as account_id, sum(g.amount_minor) as held
    from ledger_hold h
    join ledger_leg g on g.transfer_id = h.transfer_id
   where h.status = 'PENDING'
   group by g.debit_account_id
),
deltas as (
  select account_id, sum(held_minor) as held
    from ledger_delta
   group by account_id
)
select 'held is the sum of holds' as rule,
       a.account_id as subject,
       a.held_minor + coalesce(d.held, 0) || ', holds are '
       || coalesce(p.held, 0) as detail
  from ledger_account a
  left join pending p on p.account_id = a.account_id
  left join deltas d on d.account_id = a.account_id
 where a.held_minor + coalesce(d.held, 0) <> coalesce(p.held, 0)
 order by a.account_id
 limit 100;

-- name: ledger_check_balances :many LedgerProblemRow
-- A balance is what its legs add up to.
with moves as (
  select credit_account_id as account_id, sum(amount_minor) as amount
    from ledger_leg
   where not pending
   group by credit_account_id
   union all
  select debit_account_id, -sum(amount_minor)
    from ledger_leg
   where not pending
   group by debit_account_id
   union all
  select account_id, -sum(balance_minor)
    from ledger_delta
   group by account_id
),
replay as (
  select account_id, sum(amount) as balance
    from moves
   group by account_id
)
select 'a balance is its replay' as rule,
       coalesce(a.account_id, r.account_id) as subject,
       coalesce(a.balance_minor, 0) || ', legs say '
       || coalesce(r.balance, 0) as detail
  from ledger_account a
  full join replay r on r.account_id = a.account_id
 where coalesce(a.balance_minor, 0) <> coalesce(r.balance, 0)
    or a.account_id is null
 order by 2
 limit 100;

-- name: ledger_check_holds :many LedgerProblemRow
-- A hold ends once, by a transfer of the kind that its status says, and no more
-- of a leg is posted than was held.
select 'a hold ends once, within its amount' as rule,
       h.transfer_id as subject,
       h.status || ' by ' || coalesce(e.kind, 'nothing') as detail
  from ledger_hold h
  join ledger_transfer t on t.transfer_id = h.transfer_id
  left join ledger_transfer e on e.target_id = h.transfer_id
 where t.kind <> 'HOLD'
    or e.transfer_id is distinct from h.ended_by
    or h.status is distinct from
       case e.kind when 'POST' then 'POSTED'
                   when 'VOID' then 'VOIDED'
                   when 'EXPIRE' then 'EXPIRED'
                   else 'PENDING'
       end
    or exists (select
                 from ledger_leg p
                 left join ledger_leg g on g.transfer_id = h.transfer_id
                                       and g.leg_no = p.leg_no
                                       and g.debit_account_id = p.debit_account_id
                                       and g.credit_account_id = p.credit_account_id
                where p.transfer_id = e.transfer_id
                  and (g.leg_no is null or p.amount_minor > g.amount_minor))
 order by h.transfer_id
 limit 100;

-- name: ledger_check_shapes :many LedgerProblemRow
-- Every transfer has the legs that its kind has, and what it is about.
select 'a transfer has the legs of its kind' as rule,
       t.transfer_id as subject,
       t.kind || ' with ' || count(g.leg_no) || ' legs, '
       || count(*) filter (where g.pending) || ' pending' as detail
  from ledger_transfer t
  left join ledger_leg g on g.transfer_id = t.transfer_id
  left join ledger_hold h on h.transfer_id = t.transfer_id
  left join ledger_transfer o on o.transfer_id = t.target_id
 group by t.transfer_id, h.transfer_id, o.kind
having (count(g.leg_no) = 0) <> (t.kind in ('VOID', 'EXPIRE'))
    or count(g.leg_no) <> count(*) filter (where g.pending = (t.kind = 'HOLD'))
       and t.kind not in ('VOID', 'EXPIRE')
    or (h.transfer_id is null) = (t.kind = 'HOLD')
    or (t.kind = 'REVERSAL' and o.kind not in ('TRANSFER', 'POST'))
    or (t.kind in ('POST', 'VOID', 'EXPIRE') and o.kind <> 'HOLD')
 order by t.transfer_id
 limit 100;

-- name: ledger_check_reversals :many LedgerProblemRow
-- A reversal is its original backwards.
select 'a reversal is its original backwards' as rule,
       t.transfer_id as subject,
       'leg ' || coalesce(g.leg_no, o.leg_no) as detail
  from ledger_transfer t
  join (select transfer_id, leg_no, debit_account_id, credit_account_id,
               amount_minor
          from ledger_leg) o on o.transfer_id = t.target_id
  left join ledger_leg g on g.transfer_id = t.transfer_id
                        and g.leg_no = o.leg_no
 where t.kind = 'REVERSAL'
   and (g.debit_account_id, g.credit_account_id, g.amount_minor)
       is distinct from
       (o.credit_account_id, o.debit_account_id, o.amount_minor)
 order by t.transfer_id
 limit 100;

-- name: ledger_check_currencies :many LedgerProblemRow
select 'a leg stays in its currency' as rule,
       g.transfer_id as subject,
       g.currency || ' between ' || coalesce(d.currency, 'no account') || ' and '
       || coalesce(c.currency, 'no account') as detail
  from ledger_leg g
  left join ledger_account d on d.account_id = g.debit_account_id
  left join ledger_account c on c.account_id = g.credit_account_id
 where d.currency is distinct from g.currency
    or c.currency is distinct from g.currency
 order by g.transfer_id
 limit 100;

-- name: ledger_check_contents :many LedgerProblemRow
-- What is written down is what was asked for: amounts, accounts, links.
select 'a transfer is what was asked for' as rule,
       s.transfer_id as subject,
       s.kind || ' of ' || s.posted_at as detail
  from ledger_transfer s
  left join (select transfer_id,
                    string_agg(debit_account_id || '>' || credit_account_id
                               || ':' || amount_minor, ',' order by leg_no) as legs
               from ledger_leg
              group by transfer_id) g on g.transfer_id = s.transfer_id
 where s.content <> sha256(convert_to(
         concat_ws('|', s.kind, s.target_id, s.reason, s.booking_id,
                   s.payment_id, s.timeout_s, g.legs), 'UTF8'))
 order by s.transfer_id
 limit 100;

-- name: ledger_report :one LedgerTextRow
-- For people who look: how much there is, and how much each kind of account has.
select (select count(*) from ledger_account) || ' accounts, '
       || (select count(*) from ledger_transfer) || ' transfers, '
       || (select count(*) from ledger_leg) || ' legs, '
       || (select count(*) from ledger_hold where status = 'PENDING')
       || ' holds pending, '
       || (select count(*) from ledger_delta) || ' entries to add up'
       || coalesce(string_agg(
            E'\n' || rpad(t.kind, 18) || ' ' || t.currency
            || lpad(t.accounts::text, 10) || ' accounts'
            || lpad(t.balance::text, 24) || ' balance'
            || lpad(t.held::text, 22) || ' held',
            '' order by t.currency, t.kind), '') as text
  from (select a.kind,
               a.currency,
               count(*) as accounts,
               sum(a.balance_minor + coalesce(d.gain, 0)) as balance,
               sum(a.held_minor + coalesce(d.held, 0)) as held
          from ledger_account a
          left join (select account_id,
                            sum(balance_minor) as gain,
                            sum(held_minor) as held
                       from ledger_delta
                      group by account_id) d on d.account_id = a.account_id
         group by a.kind, a.currency) t;
