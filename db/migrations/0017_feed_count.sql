-- The first page of a feed counts what the feed has, without what the caller owns.
-- With the owner in the index, counting looks at the index alone, but for what
-- has changed since the last vacuum.
create index service_feed_with_owner
    on service (kind, is_course, created_at, service_id) include (owner_id)
 where is_listed and status = 'OPEN';
drop index service_feed;

create index service_by_age_with_owner
    on service (created_at, service_id) include (owner_id)
 where is_listed and status = 'OPEN';
drop index service_by_age;
