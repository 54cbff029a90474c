-- What COPY has done, for the STL and SYS views. Kept apart from the client's transactions; see history.py.
create schema if not exists redshift_system;
create sequence if not exists redshift_system.query_number start 1000;
create table if not exists redshift_system.loads (
    query bigint primary key, username text not null, pid int not null, tablename text not null, source text not null,
    failure text not null, rows bigint not null, bytes bigint not null, files bigint not null, errors bigint not null,
    started timestamp not null, ended timestamp not null default (now() at time zone 'utc')
);
create table if not exists redshift_system.files (
    query bigint not null, name text not null, rows bigint not null, bytes bigint not null,
    ended timestamp not null default (now() at time zone 'utc')
);
create table if not exists redshift_system.errors (
    query bigint not null, username text not null, tablename text not null, filename text not null,
    line_number bigint not null, colname text not null, coltype text not null, col_length text not null,
    position int not null, raw_line text not null, raw_field_value text not null, err_code int not null,
    err_reason text not null, started timestamp not null default (now() at time zone 'utc')
);
grant usage on schema redshift_system to public;
grant select on all tables in schema redshift_system to public;
