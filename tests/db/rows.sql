-- What the tests of db/ run.  The type of each parameter is what its cast says.

-- name: test_integers :one Columns
select $1::int2 as i32, $2::int8 as i64, $3::int4 as u32, $4::int8 as u64;

-- name: test_int4 :one Columns
select $1::int4 as i32;

-- name: test_int8_in_32_bits :one Columns
select $1::int8 as i32;

-- name: test_unsigned :one Columns
select $1::int8 as u32;

-- name: test_reals :one Columns
select $1::float4 as real32, $2::float8 as real64;

-- name: test_numeric_as_text :one Columns
select $1::numeric as text;

-- name: test_numeric_as_number :one Columns
select $1::numeric as i64, $1::numeric as real64;

-- name: test_bool :one Columns
select $1::bool as yes;

-- name: test_text :one Columns
select $1::text as text, $2::varchar as maybe_text;

-- name: test_citext :one Columns
select $1::citext as text;

-- name: test_uuid :one Columns
select $1::uuid as text;

-- name: test_bytes :one Columns
select $1::bytea as raw;

-- name: test_time :one Columns
select $1::timestamptz as time;

-- name: test_time_from_text :one Columns
select $1::text::timestamptz as time;

-- name: test_date :one Columns
select $1::date as text, $2::time as maybe_text;

-- name: test_timestamp :one Columns
select $1::text::timestamp as text;

-- name: test_interval :one Columns
select $1::text::interval as span;

-- name: test_mood :one Columns
select $1::text as mood;

-- name: test_arrays :one Columns
select $1::text[] as texts, $2::int8[] as numbers, $3::int4[] as small_numbers,
       $4::bytea[] as raws;

-- name: test_citext_array :one Columns
select $1::citext[] as texts;

-- name: test_uuid_array :one Columns
select $1::uuid[] as texts;

-- name: test_mood_array :one Columns
select $1::text[] as moods;

-- name: test_constant_arrays :one Columns
select array[true, false] as flags, array[1.5, -2]::float8[] as reals,
       array['{a,b}', '"', '\', '', 'null'] as texts;

-- name: test_null_in_array :one Columns
select array['a', null] as texts;

-- name: test_two_dimensions :one Columns
select array[array[1, 2], array[3, 4]] as numbers;

-- name: test_optional :one Columns
select $1::int4 as maybe_number, $2::text as maybe_text;

-- name: test_choice :one Columns
select $1::text as choice_text, $2::int8 as choice_number,
       $3::text as "choice_part.name";

-- name: test_nested :one Columns
select $1::text as "part.name", $2::int8 as "part.inner.amount",
       $3::text as "part.inner.inner.inner.name";

-- name: test_json_part :one Columns
select $1::jsonb as part, $1::json as document;

-- name: test_json_parts :one Columns
select $1::jsonb as parts;

-- name: test_json_value :one Columns
select $1::jsonb as value, $1::jsonb as text;

-- name: test_unknown_column :one Columns
select 1 as nothing_like_it;

-- name: test_misfit :one Columns
select 'a'::text as i32;

-- name: test_column_twice :one Columns
select 1 as i32, 2 as i32;

-- name: test_geography :one Columns
select 'SRID=4326;POINT(1 2)'::geography as text;

-- name: test_no_row :one Part
select 'x'::text as name where false;

-- name: test_two_rows :one Part
select 'x'::text as name from generate_series(1, 2);

-- name: test_series :many Part
select n::int8 as amount from generate_series(1, $1::int4) n order by n limit 10000;

-- name: test_divide :one Part
select $1::int8 / $2::int8 as amount;

-- name: test_sleep :one Part
select 'slept'::text as name, pg_sleep($1)::text is null as yes;

-- name: test_backend :one Part
select pg_backend_pid()::int8 as amount;

-- name: test_settings :one Part
select current_setting('statement_timeout') || ' ' ||
       current_setting('TimeZone') || ' ' || current_setting('jit') as name;

-- name: test_replanned :one Part :replan
select $1::text as name;

-- name: test_item_insert :exec
insert into test_item (item_id, name, amount)
values ($1, $2, $3);

-- name: test_item_insert_many :exec
insert into test_item (item_id, name, amount)
select n, 'many', 1
  from generate_series($1::int4, $2::int4) n;

-- name: test_item_add :one Part
update test_item
   set amount = amount + $2
 where item_id = $1
returning name, amount;

-- name: test_item_slow :exec
insert into test_item (item_id, name, amount)
select $1::int4, 'slow', 1 from pg_sleep($2);

-- name: test_item_by_id :one Part
select name, amount
  from test_item
 where item_id = $1;

-- name: test_changing :one Part
select amount from test_changing limit 1;

-- name: test_prepared :one Part
select count(*)::int8 as amount from pg_prepared_statements where $1::bool;

-- name: test_is_standby :one Part
select pg_is_in_recovery() as yes;

-- name: test_fails_on_standby :one Part
select 1 / (case when pg_is_in_recovery() then 0 else 1 end)::int8 as amount;
