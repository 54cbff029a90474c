-- One writer of a table at a time, until its transaction ends; readers go on. Redshift Developer Guide, "Concurrent write
-- operations". A lock of PostgreSQL's own would have to be taken before the statement's: an advisory one need not.
create or replace function redshift_system.lock_writer() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock((21075::bigint << 32) | tg_relid::bigint);
    return null;
end $$;
create or replace function redshift_system.guard_table() returns event_trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
declare made record;
begin
    for made in select distinct c.oid::regclass as name from pg_event_trigger_ddl_commands() d join pg_class c on c.oid = d.objid
        where d.classid = 'pg_class'::regclass and c.relkind = 'r' and c.relpersistence <> 't'
            and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'one_writer') loop
        execute format('create trigger one_writer before insert or update or delete on %s execute function '
            'redshift_system.lock_writer()', made.name);
    end loop;
end $$;
drop event trigger if exists guard_table;
create event trigger guard_table on ddl_command_end when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
    execute function redshift_system.guard_table();
