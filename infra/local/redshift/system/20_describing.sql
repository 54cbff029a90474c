-- Tables and columns as Redshift describes them: what every view and SHOW below is made of.
create or replace function redshift_system.type_name(type oid, modifier int) returns varchar language sql stable as $$
    select (case type when 'jsonb'::regtype then 'super' when 'bytea'::regtype then 'binary varying'
        when 'bpchar'::regtype then 'character' || coalesce('(' || nullif(modifier, -1) - 4 || ')', '')
        else format_type(type, modifier) end)::varchar $$;

create or replace function redshift_system.theirs(schema name) returns boolean language sql stable as $$
    select schema not in ('rs', 'redshift_system', 'pg_toast') and schema !~ '^pg_toast_temp_' $$;

create or replace view redshift_system.tables as
select c.oid as table_oid, current_database()::varchar as database_name, n.nspname::varchar as schema_name,
    c.relname::varchar as table_name, pg_get_userbyid(c.relowner)::varchar as owner,
    (case c.relkind when 'v' then 'VIEW' when 'm' then 'VIEW' else 'TABLE' end)::varchar as table_type,
    (case when c.relkind = 'm' then 'MATERIALIZED VIEW' when c.relkind = 'v' then 'REGULAR VIEW' else 'REGULAR TABLE' end
    )::varchar as table_subtype,
    c.relpersistence = 't' as temporary, array_to_string(c.relacl, '~')::varchar as table_acl,
    obj_description(c.oid, 'pg_class')::varchar as remarks
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'v', 'm', 'p') and redshift_system.theirs(n.nspname)
    and (pg_has_role(c.relowner, 'USAGE') or has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE'));

create or replace view redshift_system.columns as
select t.table_oid, t.database_name, t.schema_name, t.table_name, a.attname::varchar as column_name, a.attnum,
    row_number() over (partition by t.table_oid order by a.attnum)::int as ordinal_position,
    (case a.attidentity when '' then pg_get_expr(d.adbin, d.adrelid) else 'identity' end)::varchar as column_default,
    (case when a.attnotnull then 'NO' else 'YES' end)::varchar as is_nullable, a.attnotnull,
    redshift_system.type_name(a.atttypid, -1) as data_type,
    redshift_system.type_name(a.atttypid, a.atttypmod) as full_type,
    case when a.atttypid in ('varchar'::regtype, 'bpchar'::regtype) then nullif(a.atttypmod, -1) - 4
        when a.atttypid = 'text'::regtype then 65535 end as character_maximum_length,
    information_schema._pg_numeric_precision(a.atttypid, a.atttypmod)::int as numeric_precision,
    information_schema._pg_numeric_scale(a.atttypid, a.atttypmod)::int as numeric_scale,
    col_description(t.table_oid, a.attnum)::varchar as remarks
from redshift_system.tables t join pg_attribute a on a.attrelid = t.table_oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum;

create or replace view redshift_system.schemas as
select current_database()::varchar as database_name, nspname::varchar as schema_name, nspowner, nspowner::regrole::varchar
    as schema_owner, 'local'::varchar as schema_type, array_to_string(nspacl, '~')::varchar as schema_acl,
    null::varchar as source_database, null::varchar as schema_option
from pg_namespace where redshift_system.theirs(nspname) and nspname !~ '^pg_temp_';

create or replace view redshift_system.key_columns as
select t.database_name, t.schema_name, t.table_name, k.name::varchar as key_name, k.kind, u.column_name::varchar,
    u.place::smallint as key_seq, k.referenced_oid, k.referenced_columns[u.place]::varchar as referenced_column
from rs.declared_keys k join redshift_system.tables t on t.table_oid = k.table_oid
cross join lateral unnest(k.columns) with ordinality as u(column_name, place);

grant usage on schema redshift_system to public;
grant select on all tables in schema redshift_system to public;
