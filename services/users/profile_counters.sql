-- What other domains do to a profile's figures.

-- name: profile_count_booking :exec
-- One completed booking more as provider.
update profile
   set total_bookings = total_bookings + 1,
       updated_at     = now()
 where user_id = $1;
