-- Redshift's system views that clients ask for. Source: Redshift Developer Guide, "System tables and views reference".
create or replace view pg_catalog.svv_tables as
select database_name as table_catalog, schema_name as table_schema, table_name,
    (case table_type when 'TABLE' then 'BASE TABLE' else table_type end)::varchar as table_type, remarks
from redshift_system.tables;

create or replace view pg_catalog.svv_columns as
select database_name as table_catalog, schema_name as table_schema, table_name, column_name, ordinal_position,
    column_default, is_nullable, data_type, character_maximum_length, numeric_precision,
    10 as numeric_precision_radix, numeric_scale, null::int as datetime_precision, null::varchar as interval_type,
    null::varchar as interval_precision, null::varchar as character_set_catalog, null::varchar as character_set_schema,
    null::varchar as character_set_name, null::varchar as collation_catalog, null::varchar as collation_schema,
    null::varchar as collation_name, null::varchar as domain_name, remarks
from redshift_system.columns;

create or replace view pg_catalog.svv_all_tables as
select database_name, schema_name, table_name, table_acl, table_type, remarks from redshift_system.tables;
create or replace view pg_catalog.svv_redshift_tables as select * from pg_catalog.svv_all_tables;

create or replace view pg_catalog.svv_all_columns as
select database_name, schema_name, table_name, column_name, ordinal_position, column_default, is_nullable, data_type,
    character_maximum_length, numeric_precision, numeric_scale, remarks from redshift_system.columns;
create or replace view pg_catalog.svv_redshift_columns as select * from pg_catalog.svv_all_columns;

create or replace view pg_catalog.svv_all_schemas as
select database_name, schema_name, nspowner::int as schema_owner, schema_type, schema_acl, source_database,
    schema_option from redshift_system.schemas;
create or replace view pg_catalog.svv_redshift_schemas as
select database_name, schema_name, nspowner::int as schema_owner, schema_type, schema_acl, schema_option
from redshift_system.schemas;
create or replace view pg_catalog.svv_redshift_databases as
select datname::varchar as database_name, datdba::int as database_owner, 'local'::varchar as database_type,
    array_to_string(datacl, '~')::varchar as database_acl, null::varchar as database_options,
    'Snapshot Isolation'::varchar as database_isolation_level
from pg_database where not datistemplate and datname <> 'postgres';

-- There is nothing external here.
create or replace view pg_catalog.svv_external_schemas as
select 0::oid as esoid, 0::smallint as eskind, ''::varchar as schemaname, 0 as esowner, ''::varchar as databasename,
    ''::varchar as esoptions where false;
create or replace view pg_catalog.svv_external_tables as
select ''::varchar as redshift_database_name, ''::varchar as schemaname, ''::varchar as tablename,
    ''::varchar as tabletype, ''::varchar as location, ''::varchar as input_format, ''::varchar as output_format,
    ''::varchar as serialization_lib, ''::varchar as serde_parameters, 0 as compressed, ''::varchar as parameters
where false;
create or replace view pg_catalog.svv_external_columns as
select ''::varchar as redshift_database_name, ''::varchar as schemaname, ''::varchar as tablename,
    ''::varchar as columnname, ''::varchar as external_type, 0 as columnnum, 0 as part_key, ''::varchar as is_nullable
where false;

create or replace view pg_catalog.svv_table_info as
select t.database_name as database, t.schema_name as schema, t.table_oid as table_id, t.table_name as "table",
    'N'::varchar as encoded, 'AUTO(ALL)'::varchar as diststyle, null::varchar as sortkey1,
    (select max(character_maximum_length) from redshift_system.columns c where c.table_oid = t.table_oid) as max_varchar,
    null::varchar as sortkey1_enc, 0 as sortkey_num, ceil(pg_total_relation_size(t.table_oid) / 1048576.0)::bigint as size,
    null::numeric(10, 4) as pct_used, 0::bigint as empty, null::numeric(5, 2) as unsorted, null::numeric(5, 2) as stats_off,
    greatest(s.n_live_tup, 0)::numeric(38, 0) as tbl_rows, null::numeric(19, 2) as skew_sortkey1,
    null::numeric(19, 2) as skew_rows, greatest(s.n_live_tup, 0)::numeric(38, 0) as estimated_visible_rows,
    null::varchar as risk_event, null::numeric(12, 2) as vacuum_sort_benefit, null::timestamp as create_time
from redshift_system.tables t left join pg_stat_all_tables s on s.relid = t.table_oid
where t.table_type = 'TABLE' and t.schema_name not in ('pg_catalog', 'information_schema') and not t.temporary;

create or replace view pg_catalog.pg_table_def as
select c.schema_name as schemaname, c.table_name as tablename, c.column_name as "column", c.full_type as type,
    'none'::varchar as encoding, false as distkey, 0 as sortkey, c.attnotnull as notnull
from redshift_system.columns c
where c.schema_name = any (current_schemas(true)::varchar[]) and c.schema_name <> 'pg_catalog';

create or replace view pg_catalog.stl_load_errors as
select r.oid::int as userid, 0 as slice, to_regclass(e.tablename)::oid::int as tbl, e.started as starttime, 0 as session,
    e.query::int as query, e.filename::char(256) as filename, e.line_number, e.colname::char(127) as colname,
    e.coltype::char(10) as type, e.col_length::char(10) as col_length, e.position, e.raw_line::char(1024) as raw_line,
    e.raw_field_value::char(1024) as raw_field_value, e.err_code, e.err_reason::char(100) as err_reason,
    0 as is_partial, 0::bigint as start_offset, -1::bigint as copy_job_id
from redshift_system.errors e left join pg_roles r on r.rolname = e.username;
create or replace view pg_catalog.stl_loaderror_detail as
select userid, slice, session, query, filename, line_number, -1 as field, colname, raw_field_value as value,
    0 as is_null, type, col_length from pg_catalog.stl_load_errors;
create or replace view pg_catalog.stl_load_commits as
select r.oid::int as userid, f.query::int as query, 0 as slice, f.name::char(256) as name, f.name::char(256) as filename,
    0 as byte_offset, f.rows::int as lines_scanned, l.errors::int as errors, f.ended as curtime, 1 as status,
    ''::char(16) as file_format, 0 as is_partial, 0::bigint as start_offset, -1::bigint as copy_job_id
from redshift_system.files f join redshift_system.loads l using (query) left join pg_roles r on r.rolname = l.username;

create or replace view pg_catalog.sys_load_history as
select r.oid::int as user_id, l.query as query_id, null::bigint as transaction_id, l.pid as session_id,
    current_database()::varchar as database_name,
    (case when l.failure = '' then 'completed' else 'aborted' end)::varchar as status, l.tablename::varchar as table_name,
    l.started as start_time, l.ended as end_time, (extract(epoch from l.ended - l.started) * 1000000)::bigint as duration,
    l.source::varchar as data_source, ''::varchar as file_format, l.rows as loaded_rows, l.bytes as loaded_bytes,
    l.files::int as source_file_count, l.bytes as source_file_bytes, l.files::int as file_count_scanned,
    l.bytes as file_bytes_scanned, l.errors::int as error_count, -1::bigint as copy_job_id,
    nullif(l.failure, '')::varchar as error_message
from redshift_system.loads l left join pg_roles r on r.rolname = l.username;
create or replace view pg_catalog.sys_load_detail as
select r.oid::int as user_id, f.query as query_id, f.name::varchar as file_name, f.bytes as bytes_scanned,
    f.rows as lines_scanned, f.ended as record_time
from redshift_system.files f join redshift_system.loads l using (query) left join pg_roles r on r.rolname = l.username;
create or replace view pg_catalog.sys_load_error_detail as
select r.oid::int as user_id, e.query as query_id, null::bigint as transaction_id, 0 as session_id,
    current_database()::varchar as database_name, to_regclass(e.tablename)::oid::int as table_id, e.started as start_time,
    e.filename::varchar as file_name, e.line_number, e.colname::varchar as column_name, e.coltype::varchar as column_type,
    e.col_length::varchar as column_length, e.position, e.err_code as error_code, e.err_reason::varchar as error_message
from redshift_system.errors e left join pg_roles r on r.rolname = e.username;

create or replace view pg_catalog.stv_recents as
select usesysid::int as userid, (case state when 'active' then 'Running' else 'Done' end)::char(20) as status,
    (query_start at time zone 'utc') as starttime, (extract(epoch from clock_timestamp() - query_start) * 1000000)::int
    as duration, usename::char(50) as user_name, datname::char(50) as db_name, query::char(600) as query, pid
from pg_stat_activity where backend_type = 'client backend' and query <> '';
create or replace view pg_catalog.stv_sessions as
select (backend_start at time zone 'utc') as starttime, pid as process, usename::char(50) as user_name,
    datname::char(50) as db_name, 0 as timeout_sec
from pg_stat_activity where backend_type = 'client backend';
create or replace view pg_catalog.svv_transactions as
select a.usename::varchar as txn_owner, a.datname::varchar as txn_db, a.backend_xid::text::bigint as xid, a.pid,
    (a.xact_start at time zone 'utc') as txn_start, l.mode::varchar as lock_mode, l.locktype::varchar as
    lockable_object_type, l.relation::int as relation, l.granted
from pg_stat_activity a join pg_locks l using (pid) where a.backend_type = 'client backend' and l.locktype <> 'virtualxid';

do $$ declare shown text; begin
    for shown in select quote_ident(relname) from pg_class where relnamespace = 'pg_catalog'::regnamespace
        and relkind = 'v' and (relname ~ '^(svv|stl|stv|sys)_' or relname = 'pg_table_def') loop
        execute 'grant select on pg_catalog.' || shown || ' to public';
    end loop;
end $$;
