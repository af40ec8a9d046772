-- name: revocation_feed :many RevocationRow
-- What came after a row, oldest first. The account's status is read as it is
-- now: two changes of it may be read in either order.
select r.revocation_id,
       r.user_id,
       r.session_id,
       coalesce(a.account_status in ('SUSPENDED', 'DELETED'), true) as account_is_closed,
       r.written_by::text as written_by,
       pg_snapshot_xmin(pg_current_snapshot())::text as horizon
  from revocation r
  left join account a using (user_id)
 where (r.written_by, r.revocation_id) > ($1::text::xid8, $2::uuid)
 order by r.written_by, r.revocation_id
 limit $3;

-- name: revocation_sweep :exec
delete from revocation
 where revocation_id in (select revocation_id
                           from revocation
                          where created_at < now() - interval '25 hours'
                          limit 10000);
