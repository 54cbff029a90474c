-- The answers to SHOW; see shows.py. A name that is null means: the current database, the schema public.
drop function if exists pg_catalog.show_databases(text);
create function pg_catalog.show_databases(pattern text) returns table (
    database_name varchar, database_owner int, database_type varchar, database_acl varchar, parameters varchar,
    database_isolation_level varchar
) language sql stable as $$
    select * from pg_catalog.svv_redshift_databases d where d.database_name like coalesce(pattern, '%') order by 1 $$;

drop function if exists pg_catalog.show_schemas(text, text);
create function pg_catalog.show_schemas(database text, pattern text) returns table (
    database_name varchar, schema_name varchar, schema_owner varchar, schema_type varchar, schema_acl varchar,
    source_database varchar, schema_option varchar
) language sql stable as $$
    select s.database_name, s.schema_name, s.schema_owner, s.schema_type, s.schema_acl, s.source_database, s.schema_option
    from redshift_system.schemas s
    where s.database_name = coalesce(database, current_database()) and s.schema_name like coalesce(pattern, '%')
    order by 2 $$;

drop function if exists pg_catalog.show_tables(text, text, text);
create function pg_catalog.show_tables(database text, schema text, pattern text) returns table (
    database_name varchar, schema_name varchar, table_name varchar, table_type varchar, table_acl varchar,
    remarks varchar, owner varchar, last_altered_time timestamp, last_modified_time timestamp, dist_style varchar,
    table_subtype varchar
) language sql stable as $$
    select t.database_name, t.schema_name, t.table_name,
        case when t.schema_name in ('pg_catalog', 'information_schema') then ('SYSTEM ' || t.table_type)::varchar
            when t.temporary then 'LOCAL TEMPORARY' else t.table_type end,
        t.table_acl, t.remarks, t.owner, null::timestamp, null::timestamp,
        case t.table_type when 'TABLE' then 'AUTO(ALL)'::varchar end, t.table_subtype
    from redshift_system.tables t
    where t.database_name = coalesce(database, current_database()) and t.schema_name = coalesce(schema, 'public')
        and t.table_name like coalesce(pattern, '%')
    order by 3 $$;

drop function if exists pg_catalog.show_columns(text, text, text, text);
create function pg_catalog.show_columns(database text, schema text, owner text, pattern text) returns table (
    database_name varchar, schema_name varchar, table_name varchar, column_name varchar, ordinal_position int,
    column_default varchar, is_nullable varchar, data_type varchar, character_maximum_length int, numeric_precision int,
    numeric_scale int, remarks varchar, sort_key_type varchar, sort_key int, dist_key int, encoding varchar,
    collation varchar
) language sql stable as $$
    select c.database_name, c.schema_name, c.table_name, c.column_name, c.ordinal_position, c.column_default,
        c.is_nullable, c.data_type, c.character_maximum_length, c.numeric_precision, c.numeric_scale, c.remarks,
        null::varchar, null::int, null::int, null::varchar, 'case_sensitive'::varchar
    from redshift_system.columns c
    where c.database_name = coalesce(database, current_database()) and c.schema_name = coalesce(schema, 'public')
        and c.table_name = owner and c.column_name like coalesce(pattern, '%')
    order by c.ordinal_position $$;

drop function if exists pg_catalog.show_primary_keys(text, text, text, text);
create function pg_catalog.show_primary_keys(database text, schema text, owner text, unused text) returns table (
    database_name varchar, schema_name varchar, table_name varchar, pk_name varchar, column_name varchar, key_seq smallint
) language sql stable as $$
    select k.database_name, k.schema_name, k.table_name, k.key_name, k.column_name, k.key_seq
    from redshift_system.key_columns k
    where k.kind = 'p' and k.database_name = coalesce(database, current_database())
        and k.schema_name = coalesce(schema, 'public') and k.table_name = owner
    order by k.key_seq $$;

create or replace view redshift_system.foreign_keys as
select t.database_name as pk_database_name, t.schema_name as pk_schema_name, t.table_name as pk_table_name,
    coalesce(k.referenced_column, (select p.columns[k.key_seq] from rs.declared_keys p
        where p.table_oid = k.referenced_oid and p.kind = 'p'))::varchar as pk_column_name,
    k.database_name as fk_database_name, k.schema_name as fk_schema_name, k.table_name as fk_table_name,
    k.column_name as fk_column_name, k.key_seq, 3::smallint as update_rule, 3::smallint as delete_rule,
    k.key_name as fk_name, (select p.name from rs.declared_keys p
        where p.table_oid = k.referenced_oid and p.kind = 'p')::varchar as pk_name, 7::smallint as deferrability
from redshift_system.key_columns k join redshift_system.tables t on t.table_oid = k.referenced_oid where k.kind = 'f';
grant select on redshift_system.foreign_keys to public;

drop function if exists pg_catalog.show_foreign_keys(text, text, text, text);
create function pg_catalog.show_foreign_keys(database text, schema text, owner text, unused text)
returns setof redshift_system.foreign_keys language sql stable as $$
    select * from redshift_system.foreign_keys f
    where f.fk_database_name = coalesce(database, current_database())
        and f.fk_schema_name = coalesce(schema, 'public') and f.fk_table_name = owner $$;
drop function if exists pg_catalog.show_exported_keys(text, text, text, text);
create function pg_catalog.show_exported_keys(database text, schema text, owner text, unused text)
returns setof redshift_system.foreign_keys language sql stable as $$
    select * from redshift_system.foreign_keys f
    where f.pk_database_name = coalesce(database, current_database())
        and f.pk_schema_name = coalesce(schema, 'public') and f.pk_table_name = owner $$;

drop function if exists pg_catalog.show_grants(text, text, text, text);
create function pg_catalog.show_grants(database text, schema text, owner text, unused text) returns table (
    database_name varchar, schema_name varchar, object_name varchar, object_type varchar, privilege_type varchar,
    identity_id int, identity_name varchar, identity_type varchar, admin_option boolean, privilege_scope varchar,
    grantor_name varchar
) language sql stable as $$
    select p.table_catalog::varchar, p.table_schema::varchar, p.table_name::varchar, 'TABLE'::varchar,
        p.privilege_type::varchar, r.oid::int, p.grantee::varchar, 'user'::varchar, p.is_grantable = 'YES',
        'TABLE'::varchar, p.grantor::varchar
    from information_schema.table_privileges p left join pg_roles r on r.rolname = p.grantee
    where p.table_catalog = coalesce(database, current_database()) and p.table_schema = coalesce(schema, 'public')
        and p.table_name = owner $$;
drop function if exists pg_catalog.show_column_grants(text, text, text, text);
create function pg_catalog.show_column_grants(database text, schema text, owner text, pattern text) returns table (
    database_name varchar, schema_name varchar, table_name varchar, column_name varchar, object_type varchar,
    privilege_type varchar, identity_id int, identity_name varchar, identity_type varchar, admin_option boolean,
    privilege_scope varchar, grantor_name varchar
) language sql stable as $$
    select p.table_catalog::varchar, p.table_schema::varchar, p.table_name::varchar, p.column_name::varchar,
        'COLUMN'::varchar, p.privilege_type::varchar, r.oid::int, p.grantee::varchar, 'user'::varchar,
        p.is_grantable = 'YES', 'COLUMN'::varchar, p.grantor::varchar
    from information_schema.column_privileges p left join pg_roles r on r.rolname = p.grantee
    where p.table_catalog = coalesce(database, current_database()) and p.table_schema = coalesce(schema, 'public')
        and p.table_name = owner and p.column_name like coalesce(pattern, '%') $$;

create or replace view redshift_system.routines as
select current_database()::varchar as database_name, n.nspname::varchar as schema_name, p.proname::varchar as name,
    p.prokind, p.pronargs::int as number_of_arguments, pg_get_function_identity_arguments(p.oid)::varchar as argument_list,
    redshift_system.type_name(p.prorettype, -1) as return_type, obj_description(p.oid, 'pg_proc')::varchar as remarks
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where redshift_system.theirs(n.nspname);
grant select on redshift_system.routines to public;
drop function if exists pg_catalog.show_procedures(text, text, text);
create function pg_catalog.show_procedures(database text, schema text, pattern text) returns table (
    database_name varchar, schema_name varchar, procedure_name varchar, number_of_arguments int, argument_list varchar,
    return_type varchar, remarks varchar
) language sql stable as $$
    select r.database_name, r.schema_name, r.name, r.number_of_arguments, r.argument_list, r.return_type, r.remarks
    from redshift_system.routines r
    where r.prokind = 'p' and r.database_name = coalesce(database, current_database())
        and r.schema_name = coalesce(schema, 'public') and r.name like coalesce(pattern, '%') $$;
drop function if exists pg_catalog.show_functions(text, text, text);
create function pg_catalog.show_functions(database text, schema text, pattern text) returns table (
    database_name varchar, schema_name varchar, function_name varchar, number_of_arguments int, argument_list varchar,
    return_type varchar, remarks varchar
) language sql stable as $$
    select r.database_name, r.schema_name, r.name, r.number_of_arguments, r.argument_list, r.return_type, r.remarks
    from redshift_system.routines r
    where r.prokind = 'f' and r.database_name = coalesce(database, current_database())
        and r.schema_name = coalesce(schema, 'public') and r.name like coalesce(pattern, '%') $$;
