-- The API and the workers are two roles. What they share (the tables, under row level security, and what runs with the
-- caller's rights) belongs to enginex_app, which nobody logs in as; each may enter and open only what it is there for. So
-- whoever breaks into the API takes no run and acts for no job, and whoever breaks into a worker signs nobody in, makes
-- nobody a member and suspends nobody.
do $$
declare
  one record;
begin
  for one in
    select * from (values
      ('enginex_api', 'enter, open_token, is_fresh, mirror_membership, list_user_tenants, sign_out_user, '
                      'provision_tenant, find_organization, list_organizations, set_tenant_status, record_denial, open_hook'),
      ('enginex_worker', 'enter_run, enter_starter, enter_system, take_runs, beat_runs, announce_sessions, due_approvals, '
                         'take_deliveries, due_triggers'),
      ('enginex_api, enginex_worker', 'enter_trigger, disable_orphan')
    ) as rights (roles, functions), unnest(string_to_array(functions, ', ')) as function
      join pg_proc on pronamespace = 'app'::regnamespace and proname = function
  loop
    execute format('set local role %s', one.proowner::regrole);
    execute format('revoke execute on function app.%I from enginex_app', one.function);
    execute format('grant execute on function app.%I to %s', one.function, one.roles);
    reset role;
  end loop;
end $$;
