-- What a bid looks like to its two parties: a Bid's columns, and the rows they
-- come from.  `b` is a bid.
-- fragment: bid_columns
b.bid_id,
       b.service_id,
       s.title               as service_title,
       b.seeker_id           as "seeker.user_id",
       seeker.full_name      as "seeker.full_name",
       seeker.user_type      as "seeker.user_type",
       sp.avatar_url         as "seeker.avatar_url",
       sp.rating_avg         as "seeker.rating_avg",
       sp.total_reviews      as "seeker.total_reviews",
       b.provider_id         as "provider.user_id",
       provider.full_name    as "provider.full_name",
       provider.user_type    as "provider.user_type",
       pp.avatar_url         as "provider.avatar_url",
       pp.rating_avg         as "provider.rating_avg",
       pp.total_reviews      as "provider.total_reviews",
       b.origin,
       b.amount_minor        as "amount.amount_minor",
       b.currency            as "amount.currency",
       b.duration,
       b.scheduled_at        as scheduled_time,
       b.duration_minutes,
       b.message,
       b.cover_letter,
       b.full_name,
       b.linkedin_url,
       b.status,
       b.reject_reason,
       k.booking_id,
       b.expires_at          as expire_time,
       b.accepted_at         as accept_time,
       b.rejected_at         as reject_time,
       b.withdrawn_at        as withdraw_time,
       b.completed_at        as complete_time,
       b.cancelled_at        as cancel_time,
       b.created_at          as create_time,
       b.updated_at          as update_time;

-- fragment: bid_tables
bid b
  join service s        on s.service_id = b.service_id
  join account seeker   on seeker.user_id = b.seeker_id
  join profile sp       on sp.user_id = b.seeker_id
  join account provider on provider.user_id = b.provider_id
  join profile pp       on pp.user_id = b.provider_id
  left join booking k   on k.bid_id = b.bid_id;

-- Who is concerned by a bid.
-- fragment: bid_party_columns
bid_id, service_id, seeker_id, provider_id, status;

-- name: bid_target :one BidTargetRow
-- The service as far as a new bid depends on it; listed ones only.
select s.service_id,
       s.owner_id,
       s.title,
       s.kind,
       s.status,
       s.price_currency as currency,
       coalesce(s.deadline < now(), false) as deadline_passed,
       exists (select 1
                 from bid b
                where b.service_id = s.service_id
                  and b.provider_id = $2
                  and b.status = 'REJECTED') as rejected_before
  from service s
 where s.service_id = $1
   and s.is_listed;

-- name: bid_insert :one BidIdRow
-- The name on the bid is the account's own unless another one is given.
insert into bid
       (service_id, seeker_id, provider_id, amount_minor, currency, duration,
        scheduled_at, duration_minutes, message, cover_letter, full_name,
        linkedin_url, expires_at)
select s.service_id, s.owner_id, a.user_id, $3, $4, $5,
       $6, $7, $8, $9, coalesce($10, a.full_name),
       $11, s.deadline
  from service s,
       account a
 where s.service_id = $1
   and a.user_id = $2
   and s.owner_id <> a.user_id
   and s.kind = 'NEEDED'
   and s.status = 'OPEN'
   and s.is_listed
returning bid_id;

-- name: bid_last_of_provider :one BidIdRow
-- What the provider ($2) last bid on a service, in whatever state it is.
select bid_id
  from bid
 where service_id = $1
   and provider_id = $2
 order by created_at desc, bid_id desc
 limit 1;

-- name: bid_by_id :one Bid
-- For one of its parties, or for an administrator ($3).
select {{bid_columns}}
  from {{bid_tables}}
 where b.bid_id = $1
   and ($2 in (b.seeker_id, b.provider_id) or $3);

-- $1 the caller, $2 as provider, else as seeker; $3, $4 narrow.
-- fragment: bid_filter
((b.provider_id = $1 and $2) or (b.seeker_id = $1 and not $2))
   and ($3::uuid is null or b.service_id = $3)
   and ($4::text[] is null or b.status = any ($4));

-- name: bids_count :one BidCountRow
-- Up to $5; counting on would cost more than anybody gains.
select count(*) as total
  from (select
          from bid b
         where {{bid_filter}}
         limit $5) counted;

-- name: bids_newest_first :many Bid
-- $5, $6 the row that the page starts behind.
select {{bid_columns}}
  from {{bid_tables}}
 where {{bid_filter}}
   and ($5::timestamptz is null
        or (b.created_at, b.bid_id) < ($5, $6::uuid))
 order by b.created_at desc, b.bid_id desc
 limit $7;

-- name: bids_oldest_first :many Bid
select {{bid_columns}}
  from {{bid_tables}}
 where {{bid_filter}}
   and ($5::timestamptz is null
        or (b.created_at, b.bid_id) > ($5, $6::uuid))
 order by b.created_at, b.bid_id
 limit $7;

-- name: bids_cheapest_first :many Bid
select {{bid_columns}}
  from {{bid_tables}}
 where {{bid_filter}}
   and ($5::text is null
        or (b.amount_minor, b.bid_id) > ($5::text::bigint, $6::uuid))
 order by b.amount_minor, b.bid_id
 limit $7;

-- name: bids_dearest_first :many Bid
select {{bid_columns}}
  from {{bid_tables}}
 where {{bid_filter}}
   and ($5::text is null
        or (b.amount_minor, b.bid_id) < ($5::text::bigint, $6::uuid))
 order by b.amount_minor desc, b.bid_id desc
 limit $7;

-- name: bids_best_rated_first :many Bid
-- By the provider's rating.
select {{bid_columns}}
  from {{bid_tables}}
 where {{bid_filter}}
   and ($5::text is null
        or (coalesce(pp.rating_avg, 0), b.bid_id)
           < ($5::text::numeric, $6::uuid))
 order by coalesce(pp.rating_avg, 0) desc, b.bid_id desc
 limit $7;

-- name: bid_lock :one Bid
-- A bid that its provider ($2) may change, held until the transaction ends: an
-- acceptance meanwhile sees the old terms or the new, never a mix.
select {{bid_columns}}
  from {{bid_tables}}
 where b.bid_id = $1
   and b.provider_id = $2
   and b.status in ('PENDING', 'COUNTERED')
   for update of b;

-- name: bid_keep_revision :exec
-- The terms as they were, before bid_update changes them.
insert into bid_revision
       (bid_id, author_id, amount_minor, currency, duration, scheduled_at,
        duration_minutes, message)
select bid_id, provider_id, amount_minor, currency, duration, scheduled_at,
       duration_minutes, message
  from bid
 where bid_id = $1
   and provider_id = $2;

-- name: bid_update :exec
update bid
   set amount_minor     = $3,
       duration         = $4,
       message          = $5,
       scheduled_at     = $6,
       duration_minutes = $7,
       cover_letter     = $8,
       status           = 'PENDING',
       updated_at       = now()
 where bid_id = $1
   and provider_id = $2
   and status in ('PENDING', 'COUNTERED');

-- name: bid_revisions :many BidRevision
-- For one of the parties, or for an administrator ($3).
select r.bid_revision_id,
       r.author_id,
       r.amount_minor     as "amount.amount_minor",
       r.currency         as "amount.currency",
       r.duration,
       r.scheduled_at     as scheduled_time,
       r.duration_minutes,
       r.message,
       r.created_at       as create_time
  from bid_revision r
  join bid b on b.bid_id = r.bid_id
 where r.bid_id = $1
   and ($2 in (b.seeker_id, b.provider_id) or $3)
 order by r.created_at desc, r.bid_revision_id desc
 limit 100;

-- name: bid_accept :one BidPartyRow
-- Compare and set; the row carries what the booking is made of.
update bid
   set status      = 'ACCEPTED',
       accepted_at = now(),
       updated_at  = now()
 where bid_id = $1
   and (seeker_id = $2 or $3)
   and status = 'PENDING'
returning {{bid_party_columns}};

-- name: bids_reject_rivals :many BidPartyRow :bounded one live bid a provider
-- The other live bids on the service of the bid that was accepted.
update bid
   set status        = 'REJECTED',
       reject_reason = 'Another offer was accepted.',
       rejected_at   = now(),
       updated_at    = now()
 where service_id = $1
   and bid_id <> $2
   and status in ('REQUESTED', 'PENDING', 'COUNTERED')
returning {{bid_party_columns}};

-- name: bids_reject_all_of_service :many BidPartyRow :bounded one live bid a provider
-- When a service is taken back.
update bid
   set status        = 'REJECTED',
       reject_reason = $2,
       rejected_at   = now(),
       updated_at    = now()
 where service_id = $1
   and status in ('REQUESTED', 'PENDING', 'COUNTERED')
returning {{bid_party_columns}};

-- name: bid_reject :one BidPartyRow
update bid
   set status        = 'REJECTED',
       reject_reason = $4,
       rejected_at   = now(),
       updated_at    = now()
 where bid_id = $1
   and (seeker_id = $2 or $3)
   and status in ('PENDING', 'COUNTERED')
returning {{bid_party_columns}};

-- name: bid_withdraw :one BidPartyRow
update bid
   set status       = 'WITHDRAWN',
       withdrawn_at = now(),
       updated_at   = now()
 where bid_id = $1
   and (provider_id = $2 or $3)
   and status in ('REQUESTED', 'PENDING', 'COUNTERED')
returning {{bid_party_columns}};

-- name: bid_finish :one BidPartyRow
-- An accepted bid ends with its booking: $2 is COMPLETED or CANCELLED.
update bid
   set status       = $2,
       completed_at = case when $2 = 'COMPLETED' then now() end,
       cancelled_at = case when $2 = 'CANCELLED' then now() end,
       updated_at   = now()
 where bid_id = $1
   and status = 'ACCEPTED'
returning {{bid_party_columns}};

-- name: bids_expire :many BidPartyRow :bounded by $1
-- Live bids whose time is over, by their own word or by their service's
-- deadline.  Those that somebody is deciding on just now are left to them.
update bid b
   set status     = 'EXPIRED',
       updated_at = now()
  from service s
 where b.bid_id in (
       select e.bid_id
         from bid e
        where e.status in ('REQUESTED', 'PENDING', 'COUNTERED')
          and e.bid_id in (
              select bid_id
                from bid
               where status in ('REQUESTED', 'PENDING', 'COUNTERED')
                 and expires_at < now()
              union
              select o.bid_id
                from service d
                join bid o on o.service_id = d.service_id
               where d.status = 'OPEN'
                 and d.kind = 'NEEDED'
                 and d.deadline < now()
                 and o.status in ('REQUESTED', 'PENDING', 'COUNTERED')
               limit $1)
          for update skip locked)
   and s.service_id = b.service_id
returning b.bid_id,
          b.service_id,
          b.seeker_id,
          b.provider_id,
          b.status,
          s.title as service_title;
