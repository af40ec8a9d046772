-- `posts` NEEDED services that take bids, with `bids` PENDING ones each. They come
-- beside those of services.sql and have ids of their own.
--
--   post p          of seeker 1 + (p - 1) % people
--   bid k of it     number (p - 1) * bids + k, k from 1, of provider
--                   1 + ((p - 1) * bids + k - 1) % people
--
-- So a further bid on post p is good from provider 1 + (p * bids + j) % people,
-- j = 0, 1, ...
\ir ids.sql
\if :{?posts}
\else
    \set posts 10000
\endif
\if :{?bids}
\else
    \set bids 3
\endif
\ir people.sql

begin;

insert into service (service_id, owner_id, kind, title, description, price_minor,
                     price_currency, estimated_duration, duration_unit, city,
                     location_text, coordinates, deadline, bids_count, payment_policy,
                     category_ids, category_names)
select pg_temp.seed_id('b0000000', p),
       pg_temp.seed_id('a1000000', 1 + (p - 1) % :people),
       'NEEDED', 'Help wanted, number ' || p,
       'Somebody reliable is looked for. Please say when you could begin and what '
         || 'you have done before.',
       pg_temp.seed_pick(p, 70, 100, 5000) * 100, 'USD', 3, 'DAYS', 'Cairo',
       'Cairo, Egypt',
       st_point(31.2357 + 0.3 * pg_temp.seed_bell(p, 71),
                30.0444 + 0.3 * pg_temp.seed_bell(p, 74))::geography,
       date_trunc('hour', now()) + interval '60 days', :bids, 'OFFLINE',
       array[c.category_id], c.name
  from generate_series(1, :posts::bigint) as g (p)
 cross join (select category_id, name from category where slug = 'errands') c;

insert into service_category (service_id, category_id, position)
select pg_temp.seed_id('b0000000', p), c.category_id, 0
  from generate_series(1, :posts::bigint) as g (p)
 cross join (select category_id from category where slug = 'errands') c;

insert into bid (bid_id, service_id, seeker_id, provider_id, amount_minor, currency,
                 duration, message, full_name, expires_at, created_at, updated_at)
select pg_temp.seed_id('b1000000', number), s.service_id, s.owner_id, a.user_id,
       s.price_minor * pg_temp.seed_pick(number, 77, 80, 120) / 100, 'USD', '3-5 days',
       'I can begin this week and have done this many times.', a.full_name,
       s.deadline, now(), now()
  from (select p, (p - 1) * :bids + k as number
          from generate_series(1, :posts::bigint) as g (p),
               generate_series(1, :bids::bigint) as h (k)) b
  join service s on s.service_id = pg_temp.seed_id('b0000000', b.p)
  join account a
    on a.user_id = pg_temp.seed_id('a2000000', 1 + (b.number - 1) % :people)
 order by number;

commit;

vacuum (analyze) service, service_category, bid;
