-- name: views_record :exec
-- That $2[i] saw $1[i] today, each pair once. The services are locked in one
-- order, so that two writers cannot wait for each other.
with target as (
  select service_id
    from service
   where service_id = any($1::uuid[])
   order by service_id
     for no key update
), fresh as (
  insert into service_view (viewed_on, service_id, viewer_id)
  select (now() at time zone 'utc')::date, service_id, seen.viewer_id
    from unnest($1::uuid[], $2::uuid[]) as seen (service_id, viewer_id)
    join target using (service_id)
  on conflict do nothing
  returning service_id
)
update service s
   set views_count = views_count + counted.views
  from (select service_id, count(*) as views
          from fresh
         group by service_id) counted
 where s.service_id = counted.service_id;

-- name: views_forget :exec
-- Yesterday is kept for views that are written a little after midnight.
delete from service_view
 where (viewed_on, service_id, viewer_id) in
       (select viewed_on, service_id, viewer_id
          from service_view
         where viewed_on < (now() at time zone 'utc')::date - 1
         order by viewed_on
         limit 5000);
