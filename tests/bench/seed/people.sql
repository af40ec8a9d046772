-- People: `people` seekers and as many providers, numbered from 1, each with an
-- active account, a verified address (seeker7@bench.prbal.test) and a profile.
-- They have no password: a bench signs their tokens itself. Those that are there
-- already stay, and afterwards `people` is how many there are.
\ir ids.sql
\if :{?people}
\else
    \set people 1000
\endif

begin;

create temporary table seed_person on commit drop as
select p.n,
       kind.word,
       pg_temp.seed_id(kind.id, p.n) as user_id,
       (array['Amina', 'Omar', 'Layla', 'Youssef', 'Nour', 'Karim', 'Salma', 'Hassan',
              'Mariam', 'Tarek', 'Dina', 'Mahmoud', 'Rania', 'Sherif', 'Yasmin', 'Adel'])
         [pg_temp.seed_pick(p.n, kind.salt, 1, 16)] as first_name,
       (array['Hassan', 'Ali', 'Mansour', 'Farouk', 'Saleh', 'Nasser', 'Fahmy', 'Zaki',
              'Gamal', 'Helmy', 'Shafik', 'Rizk', 'Sabry', 'Wahba', 'Hamdy', 'Lotfy'])
         [pg_temp.seed_pick(p.n, kind.salt + 1, 1, 16)] as last_name,
       now() - interval '1 minute' * pg_temp.seed_pick(p.n, kind.salt + 2, 1100000, 1500000)
         as created_at
  from (values ('a1000000', 'SEEKER', 10), ('a2000000', 'PROVIDER', 20))
       as kind (id, word, salt)
 cross join generate_series(1, :people::bigint) as p (n)
 where not exists (select
                     from account a
                    where a.user_id = pg_temp.seed_id(kind.id, p.n));

insert into account (user_id, email, first_name, last_name, full_name, user_type,
                     provider_kind, account_status, is_email_verified, is_verified,
                     created_at, updated_at)
select user_id, lower(word) || n || '@bench.prbal.test', first_name, last_name,
       first_name || ' ' || last_name, word,
       case when word = 'PROVIDER' then 'PROFESSIONAL' end,
       'ACTIVE', true, n % 3 = 0, created_at, created_at
  from seed_person;

-- Four of five providers have been reviewed.
insert into profile (user_id, bio, city, country, rating_avg, total_reviews, avatar_url,
                     created_at, updated_at)
select user_id,
       case when word = 'PROVIDER' then 'Working here for years, with care.' else '' end,
       (array['Cairo', 'Alexandria', 'Tanta', 'Suez'])[pg_temp.seed_pick(n, 31, 1, 4)],
       'EG',
       case when word = 'PROVIDER' and n % 5 <> 0
            then pg_temp.seed_pick(n, 32, 300, 500) / 100.0 end,
       case when word = 'PROVIDER' and n % 5 <> 0
            then pg_temp.seed_pick(n, 33, 1, 80) else 0 end,
       case when n % 2 = 0
            then 'https://media.prbal.test/avatars/' || user_id || '.jpg' else '' end,
       created_at, created_at
  from seed_person;

insert into provider_profile (user_id, business_name, years_of_experience,
                              service_radius_km, is_onboarded)
select user_id, first_name || ' ' || last_name || ' Services',
       pg_temp.seed_pick(n, 34, 1, 30), pg_temp.seed_pick(n, 35, 1, 8) * 5, true
  from seed_person
 where word = 'PROVIDER';

commit;

select count(*) as people
  from account
 where user_id between pg_temp.seed_id('a1000000', 1)
                   and pg_temp.seed_id('a1000000', 999999999999)
\gset
\if :{?keep_statistics}
\else
    analyze account, profile, provider_profile;
\endif
