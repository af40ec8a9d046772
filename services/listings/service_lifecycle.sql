-- What bids and bookings do to the service that they are about.

-- name: service_count_bid :exec
-- One bid more ($2 = 1) on a service that takes bids.  Locks the row, so that a
-- bid cannot slip in beside an acceptance.
update service
   set bids_count = bids_count + $2
 where service_id = $1
   and status = 'OPEN'
   and is_active;

-- name: service_uncount_bid :exec
-- One bid less: the provider ($2; $3 an administrator) is about to withdraw it.
-- First statement of the withdrawal, so that locks come in one order
-- everywhere: the service, then its bids.
update service s
   set bids_count = greatest(bids_count - 1, 0)
  from bid b
 where b.bid_id = $1
   and (b.provider_id = $2 or $3)
   and b.status in ('REQUESTED', 'PENDING', 'COUNTERED')
   and s.service_id = b.service_id;

-- name: service_assign :exec
-- A pending bid ($1) is about to be accepted by the owner ($2; $3 an
-- administrator).  First statement of the acceptance: rivals queue here.
update service s
   set status      = 'IN_PROGRESS',
       assigned_to = b.provider_id,
       updated_at  = now()
  from bid b
 where b.bid_id = $1
   and b.status = 'PENDING'
   and s.service_id = b.service_id
   and (s.owner_id = $2 or $3)
   and s.kind = 'NEEDED'
   and s.status = 'OPEN'
   and s.is_active;

-- name: service_complete :exec
-- The booking of a NEEDED service is done.
update service
   set status       = 'COMPLETED',
       completed_at = now(),
       updated_at   = now()
 where service_id = $1
   and kind = 'NEEDED'
   and status = 'IN_PROGRESS';

-- name: service_reopen :exec
-- The booking of a NEEDED service was cancelled: it takes bids again.
update service
   set status      = 'OPEN',
       assigned_to = null,
       updated_at  = now()
 where service_id = $1
   and kind = 'NEEDED'
   and status = 'IN_PROGRESS';

-- name: service_count_booking :exec
update service
   set bookings_count = bookings_count + 1
 where service_id = $1;

-- name: services_expire :many ServiceExpiredRow :bounded by $1
-- What was needed until a week ago and found nobody.
update service
   set status     = 'CANCELLED',
       updated_at = now()
 where service_id in (select service_id
                        from service
                       where kind = 'NEEDED'
                         and status = 'OPEN'
                         and deadline < now() - interval '7 days'
                       order by deadline
                       limit $1
                         for update skip locked)
returning service_id, owner_id, title;
