-- The roles of one cluster. Run by an administrator before the first migration; running it again changes nothing.
-- Passwords are set apart from it (src/db/migrate.ts), so that none stands in a file.
do $$
declare
  wanted record;
begin
  for wanted in
    select * from (values
      -- Owns the tables and runs the migrations. FORCE ROW LEVEL SECURITY binds it as well.
      ('enginex_owner', 'login nobypassrls noinherit'),
      -- What the API and the workers share. Owns nothing, bypasses nothing; nobody logs in as it.
      ('enginex_app', 'nologin nobypassrls noinherit'),
      -- The API, and the workers: each the shared rights and its own entries and doors.
      ('enginex_api', 'login nobypassrls noinherit'),
      ('enginex_worker', 'login nobypassrls noinherit'),
      -- Owns app.enter and its siblings: reads memberships and tenants of everyone, nothing else.
      ('enginex_guard', 'nologin nobypassrls noinherit'),
      -- Owns the doors: the few functions that look across tenants.
      ('enginex_doors', 'nologin nobypassrls noinherit'),
      -- Backup and restore commands switch to it; no process logs in as it.
      ('enginex_backup', 'nologin bypassrls noinherit')
    ) as roles (name, attributes)
  loop
    if not exists (select from pg_roles where rolname = wanted.name) then
      execute format('create role %I nosuperuser nocreatedb nocreaterole noreplication %s', wanted.name, wanted.attributes);
    end if;
  end loop;
end $$;

-- The owner hands functions over to these two; with noinherit it gains none of their rights by that.
grant enginex_guard, enginex_doors to enginex_owner with inherit false, set true;

-- Both have what it has, and cannot become it. Releases before this one logged in as it.
alter role enginex_app nologin;
grant enginex_app to enginex_api, enginex_worker with inherit true, set false;
