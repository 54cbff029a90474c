-- What Redshift has and PostgreSQL lacks, or means otherwise: schema rs. Idempotent; run by a superuser.
-- The translation calls nothing else of ours by name; see functions.py and navigation.py.
set check_function_bodies = off; -- they call one another
create schema if not exists rs;

-- Lengths of character types count bytes. Source: "Character types", Storage and ranges; Significance of trailing blanks.
-- An error is raised by a function of the value, so that nothing raises it ahead of its condition.
create or replace function rs.too_long(value text, type text, longest integer) returns text language plpgsql immutable as
$$ begin raise exception using errcode = '22001', message = format('value too long for type %s(%s)', type, longest); end $$;
create or replace function rs.not_single_byte(value text) returns text language plpgsql immutable as
$$ begin raise exception using errcode = '22021', message = 'CHAR string contains invalid ASCII character'; end $$;
create or replace function rs.cut(value text, longest integer) returns text language plpgsql immutable strict as
$$ declare kept text := left(value, longest);
begin
    while octet_length(kept) > longest loop
        kept := left(kept, greatest(0, length(kept) - greatest(1, (octet_length(kept) - longest) / 4)));
    end loop;
    return kept;
end $$;
create or replace function rs.fit_varchar(value varchar, typmod integer, explicit boolean) returns varchar
language sql immutable as
$$ select case
    when value is null or typmod < 4 or octet_length(value) <= typmod - 4 then value
    when explicit or octet_length(rtrim(value, ' ')) <= typmod - 4 then rs.cut(value, typmod - 4)::varchar
    else rs.too_long(value, 'character varying', typmod - 4)::varchar end $$;
create or replace function rs.fit_char(value bpchar, typmod integer, explicit boolean) returns bpchar
language sql immutable as
$$ select case
    when value is null or typmod < 4 or explicit then pg_catalog.bpchar(value, typmod, true)
    when octet_length(value::text) <> length(value::text) then rs.not_single_byte(value::text)::bpchar
    when octet_length(rtrim(value::text, ' ')) <= typmod - 4 then pg_catalog.bpchar(value, typmod, true)
    else rs.too_long(value::text, 'character', typmod - 4)::bpchar end $$;
update pg_cast set castfunc = 'rs.fit_varchar(varchar, integer, boolean)'::regprocedure
    where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype;
update pg_cast set castfunc = 'rs.fit_char(bpchar, integer, boolean)'::regprocedure
    where castsource = 'bpchar'::regtype and casttarget = 'bpchar'::regtype;

-- Keys are declared and never enforced. Source: "Unsupported PostgreSQL features", Constraints.
create table if not exists rs.declared_keys (
    table_oid oid not null,
    name text not null,
    kind text not null check (kind in ('p', 'u', 'f')),
    columns text[] not null,
    referenced_oid oid,
    referenced_columns text[],
    primary key (table_oid, name)
);
grant usage on schema rs to public;
grant select, insert, update, delete on rs.declared_keys to public;
create or replace function rs.declare_key(
    owner text, key_kind text, key_columns text[], referenced text default null, referenced_names text[] default null
) returns void language plpgsql as
$$ declare owner_oid oid := owner::regclass::oid;
    referenced_oid oid := referenced::regclass::oid;
    base text := (select relname from pg_class where oid = owner_oid) || case key_kind
        when 'p' then '_pkey' when 'u' then '_' || array_to_string(key_columns, '_') || '_key'
        else '_' || array_to_string(key_columns, '_') || '_fkey' end;
    missing text;
begin
    select k into missing from unnest(key_columns) k where not exists (
        select from pg_attribute where attrelid = owner_oid and attname = k and attnum > 0 and not attisdropped);
    if missing is not null then
        raise exception using errcode = '42703', message = format('column "%s" named in key does not exist', missing);
    end if;
    delete from rs.declared_keys d where not exists (select from pg_class c where c.oid = d.table_oid);
    if key_kind = 'p' and exists (select from rs.declared_keys d where d.table_oid = owner_oid and d.kind = 'p') then
        raise exception using errcode = '42P16', message = format('multiple primary keys for table "%s" are not allowed',
            (select relname from pg_class where oid = owner_oid));
    end if;
    if key_kind = 'p' then
        execute (select format('alter table %s %s', owner_oid::regclass, string_agg(
            format('alter column %I set not null', k), ', ')) from unnest(key_columns) k);
    end if;
    insert into rs.declared_keys values (owner_oid, base, key_kind, key_columns, referenced_oid, referenced_names)
        on conflict do nothing;
end $$;

-- "ALTER TABLE APPEND": like-named columns are moved; identity columns cannot be.
create or replace function rs.append(target text, source text, ignore_extra boolean, fill_target boolean) returns void
language plpgsql as
$$ declare target_oid oid := target::regclass::oid;
    source_oid oid := source::regclass::oid;
    moved text;
    extra text;
    missing text;
    unlike text;
begin
    if exists (select from pg_class where oid in (target_oid, source_oid) and (relpersistence = 't' or relkind <> 'r')) then
        raise exception using errcode = '0A000', message = 'ALTER TABLE APPEND takes permanent tables only';
    end if;
    select string_agg(quote_ident(s.attname), ', ' order by s.attnum) filter (where t.attname is not null),
        string_agg(s.attname, ', ') filter (where t.attname is null),
        string_agg(s.attname, ', ') filter (where t.attname is not null and (
            s.atttypid <> t.atttypid or s.atttypmod <> t.atttypmod or s.attnotnull <> t.attnotnull
            or s.attidentity = 'a' or t.attidentity = 'a'))
    into moved, extra, unlike
    from (select * from pg_attribute where attrelid = source_oid and attnum > 0 and not attisdropped) s
    left join (select * from pg_attribute where attrelid = target_oid and attnum > 0 and not attisdropped) t
        on t.attname = s.attname;
    select string_agg(t.attname, ', ') into missing from pg_attribute t
    where t.attrelid = target_oid and t.attnum > 0 and not t.attisdropped and not exists (
        select from pg_attribute s
        where s.attrelid = source_oid and s.attname = t.attname and s.attnum > 0 and not s.attisdropped);
    if unlike is not null then
        raise exception using errcode = '42804', message = format('ALTER TABLE APPEND: column %s has other attributes', unlike);
    elsif extra is not null and not ignore_extra then
        raise exception using errcode = '42703', message = format(
            'ALTER TABLE APPEND: the target has no column %s: include IGNOREEXTRA', extra);
    elsif missing is not null and not fill_target then
        raise exception using errcode = '42703', message = format(
            'ALTER TABLE APPEND: the source has no column %s: include FILLTARGET', missing);
    end if;
    execute format('with moved as (delete from %s returning *) insert into %s (%s) select %s from moved',
        source_oid::regclass, target_oid::regclass, moved, moved);
end $$;

-- A materialized view with AUTO REFRESH is a view here: always fresh.
create or replace function rs.refresh(name text) returns void language plpgsql as
$$ begin
    if (select relkind from pg_class where oid = name::regclass) = 'm' then
        execute format('refresh materialized view %s', name::regclass);
    elsif obj_description(name::regclass, 'pg_class') is distinct from 'auto refresh' then
        raise exception using errcode = '42809', message = format('"%s" is not a materialized view', name);
    end if;
end $$;
create or replace function rs.drop_materialized(name text, missing_ok boolean, cascade boolean) returns void
language plpgsql as
$$ begin
    if missing_ok and to_regclass(name) is null then
        return;
    end if;
    execute format('drop %s %s %s', case (select relkind from pg_class where oid = name::regclass)
        when 'v' then 'view' else 'materialized view' end, name::regclass, case when cascade then 'cascade' else '' end);
end $$;

-- Of the last COPY of the session.
create or replace function rs.pg_last_copy_count() returns bigint language sql stable as
$$ select coalesce(nullif(current_setting('rs.last_copy_count', true), ''), '0')::bigint $$;
create or replace function rs.pg_last_copy_id() returns bigint language sql stable as
$$ select coalesce(nullif(current_setting('rs.last_copy_id', true), ''), '-1')::bigint $$;

-- Dates and times.
create or replace function rs.getdate() returns timestamp language sql stable as
$$ select date_trunc('second', statement_timestamp()::timestamp) $$;
create or replace function rs.sysdate() returns timestamp language sql stable as
$$ select transaction_timestamp()::timestamp $$;
create or replace function rs.trunc(timestamp) returns date language sql immutable as $$ select $1::date $$;
create or replace function rs.trunc(timestamptz) returns date language sql stable as $$ select $1::date $$;
create or replace function rs.trunc(date) returns date language sql immutable as $$ select $1 $$;
create or replace function rs.trunc(numeric) returns numeric language sql immutable as $$ select pg_catalog.trunc($1) $$;
create or replace function rs.trunc(double precision) returns double precision language sql immutable as
$$ select pg_catalog.trunc($1) $$;
create or replace function rs.trunc(numeric, integer) returns numeric language sql immutable as
$$ select pg_catalog.trunc($1, $2) $$;
create or replace function rs.date_trunc(part text, value timestamp) returns timestamp language sql immutable as
$$ select pg_catalog.date_trunc(part, value) $$;
create or replace function rs.date_trunc(part text, value date) returns timestamp language sql immutable as
$$ select pg_catalog.date_trunc(part, value::timestamp) $$;
create or replace function rs.date_trunc(part text, value timestamptz) returns timestamptz language sql stable as
$$ select pg_catalog.date_trunc(part, value) $$;

-- "DATEADD function": a year after 29 February is 1 March; twelve months after it is 28 February.
create or replace function rs.dateadd(part text, n bigint, value timestamp) returns timestamp language sql immutable as
$$ select case part
    when 'millennium' then rs.dateadd_years(1000 * n, value)
    when 'century' then rs.dateadd_years(100 * n, value)
    when 'decade' then rs.dateadd_years(10 * n, value)
    when 'year' then rs.dateadd_years(n, value)
    when 'quarter' then value + make_interval(months => (3 * n)::integer)
    when 'month' then value + make_interval(months => n::integer)
    when 'week' then value + make_interval(days => (7 * n)::integer)
    when 'day' then value + make_interval(days => n::integer)
    when 'hour' then value + n * interval '1 hour'
    when 'minute' then value + n * interval '1 minute'
    when 'second' then value + n * interval '1 second'
    when 'millisecond' then value + n * interval '1 millisecond'
    when 'microsecond' then value + n * interval '1 microsecond' end $$;
create or replace function rs.dateadd_years(n bigint, value timestamp) returns timestamp language sql immutable as
$$ select value + make_interval(years => n::integer) + case
    when extract(month from value) = 2 and extract(day from value) = 29
        and extract(day from value + make_interval(years => n::integer)) = 28
    then interval '1 day' else interval '0' end $$;
create or replace function rs.dateadd(part text, n bigint, value date) returns timestamp language sql immutable as
$$ select rs.dateadd(part, n, value::timestamp) $$;
create or replace function rs.dateadd(part text, n bigint, value timestamptz) returns timestamptz language sql stable as
$$ select rs.dateadd(part, n, value at time zone 'UTC') at time zone 'UTC' $$;
create or replace function rs.dateadd(part text, n bigint, value time) returns time language sql immutable as
$$ select value + case part
    when 'hour' then n * interval '1 hour'
    when 'minute' then n * interval '1 minute'
    when 'second' then n * interval '1 second'
    when 'millisecond' then n * interval '1 millisecond'
    when 'microsecond' then n * interval '1 microsecond' end $$;

-- "DATEDIFF function": boundaries crossed. On which day its weeks begin is not documented.
create or replace function rs.weeks_crossed(first timestamp, second timestamp) returns bigint
language plpgsql immutable strict as
$$ declare mondays bigint := ((second::date - date '1970-01-05') - (mod(second::date - date '1970-01-05', 7) + 7) % 7
        - (first::date - date '1970-01-05') + (mod(first::date - date '1970-01-05', 7) + 7) % 7) / 7;
    sundays bigint := ((second::date - date '1970-01-04') - (mod(second::date - date '1970-01-04', 7) + 7) % 7
        - (first::date - date '1970-01-04') + (mod(first::date - date '1970-01-04', 7) + 7) % 7) / 7;
begin
    if mondays <> sundays then
        raise exception using errcode = '0A000',
            message = 'DATEDIFF(week): the answer depends on the first day of the week, which Redshift does not document',
            hint = 'Divide DATEDIFF(day, DATE_TRUNC(''week'', a), DATE_TRUNC(''week'', b)) by 7 for weeks from Monday.';
    end if;
    return mondays;
end $$;
create or replace function rs.datediff(part text, first timestamp, second timestamp) returns bigint
language sql immutable as
$$ select case part
    when 'millennium' then rs.years_crossed(first, second, 1000, 1)
    when 'century' then rs.years_crossed(first, second, 100, 1)
    when 'decade' then rs.years_crossed(first, second, 10, 0)
    when 'year' then rs.years_crossed(first, second, 1, 0)
    when 'quarter' then 4 * rs.years_crossed(first, second, 1, 0)
        + (extract(quarter from second) - extract(quarter from first))::bigint
    when 'month' then 12 * rs.years_crossed(first, second, 1, 0)
        + (extract(month from second) - extract(month from first))::bigint
    when 'week' then rs.weeks_crossed(first, second)
    when 'day' then (second::date - first::date)::bigint
    when 'hour' then rs.steps_crossed(first, second, 3600000000)
    when 'minute' then rs.steps_crossed(first, second, 60000000)
    when 'second' then rs.steps_crossed(first, second, 1000000)
    when 'millisecond' then rs.steps_crossed(first, second, 1000)
    when 'microsecond' then rs.steps_crossed(first, second, 1) end $$;
create or replace function rs.years_crossed(first timestamp, second timestamp, step integer, shift integer)
returns bigint language sql immutable as
$$ select (floor((extract(year from second) - shift) / step) - floor((extract(year from first) - shift) / step))::bigint $$;
create or replace function rs.steps_crossed(first timestamp, second timestamp, step bigint)
returns bigint language sql immutable as
$$ select (floor(extract(epoch from second) * 1000000 / step) - floor(extract(epoch from first) * 1000000 / step))::bigint $$;
create or replace function rs.datediff(part text, first time, second time) returns bigint language sql immutable as
$$ select rs.datediff(part, date '2000-01-01' + first, date '2000-01-01' + second) $$;
create or replace function rs.datediff(part text, first timestamptz, second timestamptz) returns bigint
language sql immutable as
$$ select rs.datediff(part, first at time zone 'UTC', second at time zone 'UTC') $$;

-- "ADD_MONTHS function": the last day of a month stays the last day.
create or replace function rs.add_months(value timestamp, n bigint) returns timestamp language sql immutable as
$$ select case when extract(day from value + interval '1 day') = 1
    then pg_catalog.date_trunc('month', value) + make_interval(months => n::integer + 1) - interval '1 day'
        + (value - pg_catalog.date_trunc('day', value))
    else value + make_interval(months => n::integer) end $$;
create or replace function rs.last_day(value timestamp) returns date language sql immutable as
$$ select (pg_catalog.date_trunc('month', value) + interval '1 month' - interval '1 day')::date $$;
create or replace function rs.convert_timezone(source text, target text, value timestamp) returns timestamp
language sql immutable as $$ select (value at time zone source) at time zone target $$;
create or replace function rs.date_part(part text, value timestamp) returns double precision language sql immutable as
$$ select pg_catalog.date_part(part, value) $$;
create or replace function rs.date_part(part text, value date) returns double precision language sql immutable as
$$ select pg_catalog.date_part(part, value::timestamp) $$;
create or replace function rs.date_part(part text, value timestamptz) returns double precision language sql stable as
$$ select pg_catalog.date_part(part, value) $$;

-- Numbers.
create or replace function rs.round(numeric) returns numeric language sql immutable as $$ select pg_catalog.round($1) $$;
create or replace function rs.round(numeric, integer) returns numeric language sql immutable as
$$ select pg_catalog.round($1, $2) $$;
create or replace function rs.round(double precision) returns double precision language sql immutable as
$$ select pg_catalog.round($1::numeric)::double precision $$;
create or replace function rs.round(double precision, integer) returns double precision language sql immutable as
$$ select pg_catalog.round($1::numeric, $2)::double precision $$;

-- Text.
create or replace function rs.upper(text) returns text language sql immutable as
$$ select pg_catalog.upper($1 collate "pg_c_utf8") $$;
create or replace function rs.lower(text) returns text language sql immutable as
$$ select pg_catalog.lower($1 collate "pg_c_utf8") $$;
create or replace function rs.initcap(text) returns text language sql immutable as
$$ select pg_catalog.initcap($1 collate "pg_c_utf8") $$;
create or replace function rs.regexp_substr(text, text) returns text language sql immutable as
$$ select case when $1 is not null and $2 is not null then coalesce(pg_catalog.regexp_substr($1, $2), '') end $$;
create or replace function rs.sha2(text, integer) returns text language sql immutable as
$$ select case $2
    when 224 then encode(sha224(convert_to($1, 'UTF8')), 'hex')
    when 0 then encode(sha256(convert_to($1, 'UTF8')), 'hex')
    when 256 then encode(sha256(convert_to($1, 'UTF8')), 'hex')
    when 384 then encode(sha384(convert_to($1, 'UTF8')), 'hex')
    when 512 then encode(sha512(convert_to($1, 'UTF8')), 'hex') end $$;
create or replace function rs.crc32(text) returns text language sql immutable as
$$ select lpad(to_hex(pg_catalog.crc32(convert_to($1, 'UTF8'))), 8, '0') $$;

-- Aggregates. "SUM function": BIGINT for every integer; "AVG function": integers divide as integers do.
do $$ begin
    if to_regprocedure('rs.sum(bigint)') is null then
        create aggregate rs.sum(bigint) (sfunc = int8pl, stype = bigint);
        create aggregate rs.sum(integer) (sfunc = int4_sum, stype = bigint);
        create aggregate rs.sum(smallint) (sfunc = int2_sum, stype = bigint);
        create aggregate rs.sum(numeric) (sfunc = numeric_avg_accum, stype = internal, finalfunc = numeric_sum);
        create aggregate rs.sum(double precision) (sfunc = float8pl, stype = double precision);
    end if;
end $$;
create or replace function rs.average(total bigint, count bigint) returns bigint language sql immutable as
$$ select total / nullif(count, 0) $$;
create or replace function rs.average(total numeric, count bigint) returns numeric language sql immutable as
$$ select pg_catalog.trunc(total / nullif(count, 0), scale(total)) $$;
create or replace function rs.average(total double precision, count bigint) returns double precision
language sql immutable as $$ select total / nullif(count, 0) $$;
create or replace function rs.ratio(part numeric, whole numeric) returns numeric language sql immutable as
$$ select round(part, 37) / nullif(whole, 0) $$;
create or replace function rs.ratio(part double precision, whole double precision) returns double precision
language sql immutable as $$ select part / nullif(whole, 0) $$;
create or replace function rs.ratio(part bigint, whole numeric) returns double precision
language sql immutable as $$ select part::double precision / nullif(whole, 0)::double precision $$;
create or replace function rs.listagg(items anyarray, delimiter text) returns text language plpgsql immutable as
$$ declare found text;
begin
    select string_agg(nullif(item::text, ''), coalesce(delimiter, '') order by place) into found
        from unnest(items) with ordinality as listed(item, place);
    if octet_length(found) > 65535 then
        raise exception using errcode = '22001', message = 'Result size exceeds LISTAGG limit';
    end if;
    return found;
end $$;
-- "PERCENTILE_CONT function": linear interpolation between the rows at floor and ceiling of 1 + P * (N - 1).
create or replace function rs.percentile(share numeric, items numeric[]) returns numeric language sql immutable as
$$ select case when count(*) > 0 then rs.between_rows(share, array_agg(item order by item)) end
    from unnest(items) item where item is not null $$;
create or replace function rs.between_rows(share numeric, sorted numeric[]) returns numeric language sql immutable as
$$ select case when floor(place) = ceil(place) then sorted[place::integer]
    else (ceil(place) - place) * sorted[floor(place)::integer] + (place - floor(place)) * sorted[ceil(place)::integer] end
    from (select 1 + share * (cardinality(sorted) - 1) as place) $$;
create or replace function rs.percentile(share numeric, items bigint[]) returns numeric language sql immutable as
$$ select rs.percentile(share, items::numeric[]) $$;
create or replace function rs.percentile(share numeric, items integer[]) returns numeric language sql immutable as
$$ select rs.percentile(share, items::numeric[]) $$;
create or replace function rs.percentile(share numeric, items smallint[]) returns numeric language sql immutable as
$$ select rs.percentile(share, items::numeric[]) $$;
create or replace function rs.percentile(share numeric, items double precision[]) returns double precision
language sql immutable as
$$ select percentile_cont(share::double precision) within group (order by item) from unnest(items) item $$;
create or replace function rs.percentile(share numeric, items real[]) returns double precision language sql immutable as
$$ select rs.percentile(share, items::double precision[]) $$;
create or replace function rs.percentile(share numeric, items timestamp[]) returns timestamp language sql immutable as
$$ select timestamp '1970-01-01' + rs.percentile(share, array_agg(extract(epoch from item))) * interval '1 second'
    from unnest(items) item $$;

-- MERGE: "Rows in target_table can't match multiple rows in source_table".
create or replace function rs.no_multiple_matches(rows bigint) returns boolean language plpgsql immutable as
$$ begin
    if rows > 0 then
        raise exception using errcode = '21000', message = 'Found multiple matches to update the same tuple.';
    end if;
    return true;
end $$;

-- SUPER, kept as jsonb. "Querying semistructured data": lax navigation, dynamic typing, the order of types.
create or replace function rs.at(value jsonb, attribute text) returns jsonb language sql immutable as
$$ select nullif(value -> attribute, 'null'::jsonb) $$;
create or replace function rs.at(value jsonb, place integer) returns jsonb language sql immutable as
$$ select case when jsonb_typeof(value) = 'array' and place >= 0 then nullif(value -> place, 'null'::jsonb) end $$;
create or replace function rs.elements(value jsonb) returns table (element jsonb, place bigint)
language sql immutable rows 10 as
$$ select item, number - 1 from jsonb_array_elements(
    case when jsonb_typeof(value) = 'array' then value
        when value is null or jsonb_typeof(value) = 'null' then '[]'::jsonb else jsonb_build_array(value) end
    ) with ordinality as listed(item, number) $$;
create or replace function rs.attributes(value jsonb) returns table (element jsonb, attribute text)
language sql immutable rows 10 as
$$ select item, name from jsonb_each(case when jsonb_typeof(value) = 'object' then value else '{}'::jsonb end)
    as listed(name, item) $$;
create or replace function rs.super_text(value jsonb) returns text language sql immutable as
$$ select value #>> '{}' $$;
-- Of a value that the type does not take: NULL. In plpgsql, where no cast is tried ahead of its condition.
create or replace function rs.super_valid(value text, type text) returns text language plpgsql immutable as
$$ begin
    return case when pg_input_is_valid(value, type) then value end;
end $$;
create or replace function rs.super_whole(value jsonb) returns text language plpgsql immutable as
$$ begin
    if pg_input_is_valid(value #>> '{}', 'numeric') then
        return pg_catalog.round((value #>> '{}')::numeric);
    end if;
    return null;
end $$;
create or replace function rs.same(one jsonb, other jsonb) returns boolean language sql immutable as $$ select one = other $$;
create or replace function rs.compared(one jsonb, other jsonb) returns integer language sql immutable as
$$ select case
    when jsonb_typeof(one) <> jsonb_typeof(other) or jsonb_typeof(one) in ('object', 'array', 'null') then null
    when jsonb_typeof(one) = 'string' then sign(bttextcmp(one #>> '{}', other #>> '{}'))::integer
    else sign(jsonb_cmp(one, other))::integer end $$;
create or replace function rs.json_parse(value text) returns jsonb language plpgsql immutable strict as
$$ begin
    if not (value is json with unique keys) then
        raise exception using errcode = '22P02', message = 'Failed to parse JSON: invalid, or an attribute occurs twice';
    end if;
    return value::jsonb;
end $$;
create or replace function rs.can_json_parse(value text) returns boolean language sql immutable strict as
$$ select value is json with unique keys $$;
create or replace function rs.json_serialize(value jsonb) returns varchar language sql immutable as
$$ select rs.compact(value)::varchar $$;
create or replace function rs.compact(value jsonb) returns text language sql immutable strict as
$$ select case jsonb_typeof(value)
    when 'object' then '{' || coalesce((select string_agg(to_json(name)::text || ':' || rs.compact(item), ',' order by place)
        from jsonb_each(value) with ordinality as listed(name, item, place)), '') || '}'
    when 'array' then '[' || coalesce((select string_agg(rs.compact(item), ',' order by place)
        from jsonb_array_elements(value) with ordinality as listed(item, place)), '') || ']'
    else value::text end $$;
create or replace function rs.json_typeof(value jsonb) returns varchar language sql immutable as
$$ select jsonb_typeof(value)::varchar $$;
create or replace function rs.json_array_length(value text) returns integer language sql immutable strict as
$$ select pg_catalog.json_array_length(value::json) $$;
create or replace function rs.get_array_length(value jsonb) returns integer language sql immutable as
$$ select case when jsonb_typeof(value) = 'array' then jsonb_array_length(value) end $$;
create or replace function rs.is_valid_json(value text) returns boolean language sql immutable strict as
$$ select value is json object $$;
create or replace function rs.is_valid_json_array(value text) returns boolean language sql immutable strict as
$$ select value is json array $$;
create or replace function rs.json_extract_path_text(value text, null_if_invalid boolean, variadic path text[])
returns varchar language plpgsql immutable as
$$ begin
    if null_if_invalid and not (value is json) then
        return null;
    end if;
    return pg_catalog.json_extract_path_text(value::json, variadic path)::varchar;
end $$;
create or replace function rs.json_extract_array_element_text(value text, place integer, null_if_invalid boolean)
returns varchar language plpgsql immutable as
$$ begin
    if null_if_invalid and not (value is json) then
        return null;
    end if;
    return case when place >= 0 then value::json ->> place end;
end $$;
create or replace function rs.is_array(value jsonb) returns boolean language sql immutable as
$$ select coalesce(jsonb_typeof(value) = 'array', false) $$;
create or replace function rs.is_object(value jsonb) returns boolean language sql immutable as
$$ select coalesce(jsonb_typeof(value) = 'object', false) $$;
create or replace function rs.is_varchar(value jsonb) returns boolean language sql immutable as
$$ select coalesce(jsonb_typeof(value) = 'string', false) $$;
create or replace function rs.is_boolean(value jsonb) returns boolean language sql immutable as
$$ select coalesce(jsonb_typeof(value) = 'boolean', false) $$;
create or replace function rs.is_scalar(value jsonb) returns boolean language sql immutable as
$$ select coalesce(jsonb_typeof(value) in ('string', 'number', 'boolean'), false) $$;

create or replace function rs.version() returns text language sql immutable as
$$ select 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.0'::text $$;
reset check_function_bodies;
