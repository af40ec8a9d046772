-- A GetMeResponse's columns, and an UpdateMeResponse's.
-- fragment: me_columns
a.user_id               as "account.user_id",
       a.email                 as "account.email",
       a.phone                 as "account.phone",
       a.username              as "account.username",
       a.first_name            as "account.first_name",
       a.last_name             as "account.last_name",
       a.full_name             as "account.full_name",
       a.user_type             as "account.user_type",
       a.provider_kind         as "account.provider_kind",
       a.admin_level           as "account.admin_level",
       a.account_status        as "account.account_status",
       a.is_email_verified     as "account.is_email_verified",
       a.is_phone_verified     as "account.is_phone_verified",
       a.is_verified           as "account.is_verified",
       a.locale                as "account.locale",
       a.timezone              as "account.timezone",
       a.last_login_at         as "account.last_login_time",
       a.created_at            as "account.create_time",
       a.updated_at            as "account.update_time",
       p.avatar_url            as "profile.avatar_url",
       p.bio                   as "profile.bio",
       p.location              as "profile.location",
       p.city                  as "profile.city",
       p.country               as "profile.country",
       p.region_code           as "profile.region_code",
       st_y(p.coordinates::geometry) as "profile.coordinates.latitude",
       st_x(p.coordinates::geometry) as "profile.coordinates.longitude",
       p.activity_type         as "profile.activity_type",
       p.company_name          as "profile.company_name",
       p.job_title             as "profile.job_title",
       p.profession            as "profile.profession",
       p.rating_avg::float8    as "profile.rating_avg",
       p.total_reviews         as "profile.total_reviews",
       p.total_bookings        as "profile.total_bookings",
       (100 * num_nonnulls(
          nullif(p.avatar_url, ''), nullif(p.location, ''), nullif(p.city, ''),
          nullif(p.country, ''), nullif(a.full_name, ''),
          nullif(concat(p.bio, p.activity_type), ''),
          nullif(a.is_email_verified or a.is_phone_verified, false),
          p.coordinates) / 8)  as "profile.completeness",
       p.created_at            as "profile.create_time",
       p.updated_at            as "profile.update_time",
       pp.business_name        as "provider_profile.business_name",
       pp.business_description as "provider_profile.business_description",
       pp.years_of_experience  as "provider_profile.years_of_experience",
       pp.license_number       as "provider_profile.license_number",
       pp.insurance_info       as "provider_profile.insurance_info",
       pp.service_radius_km    as "provider_profile.service_radius_km",
       pp.hourly_rate_minor    as "provider_profile.hourly_rate.amount_minor",
       pp.hourly_rate_currency::text as "provider_profile.hourly_rate.currency",
       pp.is_onboarded         as "provider_profile.is_onboarded",
       pp.is_featured          as "provider_profile.is_featured",
       pp.created_at           as "provider_profile.create_time",
       pp.updated_at           as "provider_profile.update_time",
       (select count(*)
          from service s
         where s.owner_id = a.user_id
           and s.status = 'OPEN'
           and s.is_listed)::int as "counters.active_service_count";

-- fragment: me_tables
account a
  join profile p using (user_id)
  left join provider_profile pp using (user_id);

-- name: me_get :one GetMeResponse
select {{me_columns}}
  from {{me_tables}}
 where a.user_id = $1
   and a.account_status <> 'DELETED';

-- name: me_get_updated :one UpdateMeResponse
select {{me_columns}}
  from {{me_tables}}
 where a.user_id = $1
   and a.account_status <> 'DELETED';

-- name: me_editable :one EditableRow
-- Locks what me_update writes.
select a.first_name,
       a.last_name,
       a.full_name,
       a.phone,
       a.locale,
       a.timezone,
       p.avatar_url,
       p.bio,
       p.location,
       p.city,
       p.country,
       p.region_code,
       st_y(p.coordinates::geometry) as "coordinates.latitude",
       st_x(p.coordinates::geometry) as "coordinates.longitude",
       p.activity_type,
       p.company_name,
       p.job_title,
       p.profession,
       pp.business_name,
       pp.business_description,
       pp.years_of_experience,
       pp.license_number,
       pp.insurance_info,
       pp.service_radius_km,
       pp.hourly_rate_minor          as "hourly_rate.amount_minor",
       pp.hourly_rate_currency::text as "hourly_rate.currency",
       a.user_type,
       a.email is not null           as has_email
  from {{me_tables}}
 where a.user_id = $1
   and a.account_status = 'ACTIVE'
   for no key update of a, p;

-- name: me_update_account :exec
-- A new phone number is not verified. No row: somebody else has verified it.
update account a
   set first_name        = $2,
       last_name         = $3,
       full_name         = $4,
       phone             = $5,
       is_phone_verified = is_phone_verified and phone is not distinct from $5,
       locale            = $6,
       timezone          = $7,
       updated_at        = now()
 where user_id = $1
   and account_status = 'ACTIVE'
   and not exists (select 1
                     from account other
                    where other.phone = $5
                      and other.is_phone_verified
                      and other.user_id <> a.user_id);

-- name: me_update_profile :exec
update profile
   set avatar_url    = $2,
       bio           = $3,
       location      = $4,
       city          = $5,
       country       = $6,
       region_code   = $7,
       coordinates   = st_setsrid(st_makepoint($8, $9), 4326)::geography,
       activity_type = $10,
       company_name  = $11,
       job_title     = $12,
       profession    = $13,
       updated_at    = now()
 where user_id = $1;

-- name: me_update_provider :exec
update provider_profile
   set business_name        = $2,
       business_description = $3,
       years_of_experience  = $4,
       license_number       = $5,
       insurance_info       = $6,
       service_radius_km    = $7,
       hourly_rate_minor    = $8,
       hourly_rate_currency = $9,
       updated_at           = now()
 where user_id = $1;

-- name: user_public :one PublicUser
select a.user_id,
       a.full_name,
       p.avatar_url,
       a.user_type,
       a.provider_kind,
       a.is_verified,
       p.bio,
       p.location,
       p.city,
       p.country,
       p.profession,
       p.rating_avg::float8    as rating_avg,
       p.total_reviews,
       p.total_bookings,
       pp.business_name,
       pp.business_description,
       pp.years_of_experience,
       pp.service_radius_km,
       pp.hourly_rate_minor          as "hourly_rate.amount_minor",
       pp.hourly_rate_currency::text as "hourly_rate.currency",
       a.created_at            as member_since_time
  from {{me_tables}}
 where a.user_id = $1
   and a.account_status = 'ACTIVE';
