-- Tenancy: who belongs where, and the two ideas that everything else stands on.
--
-- 1. app.enter(...) runs in front of every tenant statement, in the same implicit transaction. It either raises
--    or leaves the tenant in a setting that lives until the next Sync.
-- 2. app.protect(table) puts a table under row level security bound to that setting. With no tenant set, a
--    protected table raises: a forgotten scope is an error, never an empty list and never somebody else's rows.
create schema app;
grant usage on schema app to enginex_app, enginex_guard, enginex_doors, enginex_backup;
grant create on schema app to enginex_guard, enginex_doors;
alter default privileges revoke execute on functions from public;

create function app.tenant_id() returns uuid language plpgsql stable as $$
declare
  setting constant text := current_setting('app.tenant_id', true);
begin
  if setting is null or setting = '' then
    raise exception 'no tenant is set for this transaction' using errcode = 'TN000';
  end if;
  return setting::uuid;
end $$;

-- Who acts, as app.enter found out: 'user:<uuid>', 'service-account:<uuid>', 'run:<uuid>', 'system:<job>'.
create function app.actor() returns text language sql stable as $$
  select nullif(current_setting('app.actor', true), '')
$$;

-- Makes a table tenant-scoped. Every table with a tenant_id calls it once; a catalog test finds one that does not.
create function app.protect(target regclass, rights text default 'select, insert, update, delete') returns void
language plpgsql as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant on %s to enginex_app using (tenant_id = (select app.tenant_id())) '
                 'with check (tenant_id = (select app.tenant_id()))', target);
  execute format('grant %s on %s to enginex_app', rights, target);
  execute format('grant select, insert on %s to enginex_backup', target);
end $$;

-- Tells every process that something of the current tenant changed. Ids only: the channel is outside row level security.
create function app.notify_change(topic text) returns void language sql volatile as $$
  select pg_notify('enginex', app.tenant_id() || ':' || topic)
$$;
grant execute on function app.tenant_id(), app.actor(), app.notify_change(text) to enginex_app, enginex_guard, enginex_doors;

-- Home region: which tenant an organization of Keycloak is, and where it lives. Routes, and nothing else.
create table app.directory (
  organization_id uuid primary key,
  tenant_id uuid not null unique default uuidv7(),
  region text not null,
  alias text not null,
  name text not null,
  created_at timestamptz(3) not null default now()
);
create index on app.directory (created_at desc, organization_id desc);
-- An alias can be used again once its organization is gone, so it names nothing for good.
create index on app.directory (alias);

create table app.tenants (
  tenant_id uuid primary key references app.directory (tenant_id),
  status text not null default 'active' check (status in ('active', 'suspended')),
  run_cap integer not null default 4 check (run_cap between 1 and 1000),
  created_at timestamptz(3) not null default now()
);
select app.protect('app.tenants', 'select');

-- A mirror of Keycloak: a permission needs the token's roles and these.
create table app.memberships (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  user_id uuid not null,
  kind text not null default 'user' check (kind in ('user', 'service-account')),
  status text not null default 'active' check (status in ('active', 'removed')),
  roles text[] not null,
  -- Tokens issued at or before this moment of Keycloak's clock are refused.
  tokens_not_before timestamptz(3) not null default '-infinity',
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  primary key (tenant_id, user_id)
);
create index on app.memberships (user_id);
select app.protect('app.memberships', 'select');

-- A profile per tenant: one shared row would tell of other organizations by its last_seen_at.
create table app.users (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  user_id uuid not null,
  email text,
  name text,
  last_seen_at timestamptz(3),
  primary key (tenant_id, user_id),
  foreign key (tenant_id, user_id) references app.memberships (tenant_id, user_id)
);
select app.protect('app.users', 'select');

-- Written from src/tenancy/permissions.ts at the end of every migration run.
create table app.role_permissions (
  permission text primary key,
  roles text[] not null
);

create table app.audit_entries (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  actor text not null default app.actor(),
  action text not null,
  resource text,
  outcome text not null default 'done' check (outcome in ('done', 'denied')),
  details jsonb not null default '{}',
  occurred_at timestamptz(3) not null default now(),
  primary key (tenant_id, id)
);
create index on app.audit_entries (tenant_id, occurred_at desc, id desc);
-- No update, no delete: what was done stays done.
select app.protect('app.audit_entries', 'select, insert');

-- Denials are counted per minute, so that a flood of them stays one row.
create table app.denials (
  tenant_id uuid not null references app.tenants,
  minute timestamptz(3) not null,
  actor text not null,
  route text not null,
  code text not null,
  count integer not null,
  primary key (tenant_id, minute, actor, route, code)
);
select app.protect('app.denials', 'select');

-- ---------------------------------------------------------------------------------------------------- the guard
grant select (tenant_id, status) on app.tenants to enginex_guard;
grant select (tenant_id, user_id, kind, status, roles, tokens_not_before) on app.memberships to enginex_guard;
grant select on app.role_permissions to enginex_guard;
create policy guard on app.tenants for select to enginex_guard using (true);
create policy guard on app.memberships for select to enginex_guard using (true);

-- Refuses, or sets the tenant and the actor until the end of the transaction.
-- A non-member is told nothing about the tenant, so membership comes first. A missing row or a null argument leaves
-- the variables null, which every test below refuses.
create function app.enter(p_tenant uuid, p_actor uuid, p_issued timestamptz, p_permission text) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_tenant text;
  v_member text;
  v_fresh boolean;
  v_granted boolean;
  v_kind text;
  v_ignored text;
begin
  select t.status, m.status, p_issued > m.tokens_not_before, m.roles && p.roles, m.kind
    into v_tenant, v_member, v_fresh, v_granted, v_kind
    from app.memberships m
    join app.tenants t on t.tenant_id = m.tenant_id
    left join app.role_permissions p on p.permission = p_permission
   where m.tenant_id = p_tenant and m.user_id = p_actor;
  if v_member is distinct from 'active' then raise exception 'not a member' using errcode = 'TN404'; end if;
  if v_tenant is distinct from 'active' then raise exception 'tenant suspended' using errcode = 'TN423'; end if;
  if v_fresh is not true then raise exception 'token stale' using errcode = 'TN401'; end if;
  if v_granted is not true then raise exception 'permission missing' using errcode = 'TN403'; end if;
  -- Assignments take plpgsql's fast path; perform would go through SPI.
  v_ignored := set_config('app.tenant_id', p_tenant::text, true);
  v_ignored := set_config('app.actor', v_kind || ':' || p_actor::text, true);
end $$;
grant execute on function app.enter to enginex_app;
alter function app.enter owner to enginex_guard;

-- The platform's own work inside one tenant. The job's name is the actor.
create function app.enter_system(p_tenant uuid, p_job text) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_ignored text;
begin
  if p_job is null or not exists (select from app.tenants t where t.tenant_id = p_tenant) then
    raise exception 'no such tenant' using errcode = 'TN404';
  end if;
  v_ignored := set_config('app.tenant_id', p_tenant::text, true);
  v_ignored := set_config('app.actor', 'system:' || p_job, true);
end $$;
grant execute on function app.enter_system to enginex_app;
alter function app.enter_system owner to enginex_guard;

-- ---------------------------------------------------------------------------------------------------- the doors
create policy doors on app.tenants to enginex_doors using (true) with check (true);
create policy doors on app.memberships to enginex_doors using (true) with check (true);
create policy doors on app.users to enginex_doors using (true) with check (true);
create policy doors_insert on app.audit_entries for insert to enginex_doors with check (true);
create policy doors on app.denials to enginex_doors using (true) with check (true);
grant select, insert on app.directory to enginex_doors;
grant select, insert, update on app.tenants, app.memberships, app.users to enginex_doors;
grant insert on app.audit_entries to enginex_doors;
grant select, insert, update on app.denials to enginex_doors;

-- A token was seen for the first time by this process: which tenant is its organization, and what does the row say?
create function app.open_token(p_organization uuid, p_user uuid)
returns table (tenant_id uuid, region text, tenant_status text, membership_status text, roles text[])
language sql stable security definer set search_path = '' as $$
  select d.tenant_id, d.region, t.status, m.status, m.roles
    from app.directory d
    left join app.tenants t on t.tenant_id = d.tenant_id
    left join app.memberships m on m.tenant_id = d.tenant_id and m.user_id = p_user
   where d.organization_id = p_organization
$$;

-- Keycloak said what this person is in this organization: write it down, with an audit entry when it changes something.
-- p_status 'removed' ends the membership; p_not_before refuses the tokens that told otherwise.
create function app.mirror_membership(p_tenant uuid, p_user uuid, p_kind text, p_status text, p_roles text[],
                                      p_email text, p_name text, p_not_before timestamptz) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_old app.memberships;
begin
  select * into v_old from app.memberships m where m.tenant_id = p_tenant and m.user_id = p_user for update;
  insert into app.memberships as m (tenant_id, user_id, kind, status, roles, tokens_not_before)
  values (p_tenant, p_user, p_kind, p_status, p_roles, coalesce(p_not_before, '-infinity'))
  on conflict (tenant_id, user_id) do update
    set status = excluded.status, roles = excluded.roles, updated_at = now(),
        tokens_not_before = greatest(m.tokens_not_before, excluded.tokens_not_before);
  insert into app.users as u (tenant_id, user_id, email, name, last_seen_at)
  values (p_tenant, p_user, p_email, p_name, case when p_status = 'active' then now() end)
  on conflict (tenant_id, user_id) do update
    set email = coalesce(excluded.email, u.email), name = coalesce(excluded.name, u.name),
        last_seen_at = coalesce(excluded.last_seen_at, u.last_seen_at);
  if v_old.status is distinct from p_status or v_old.roles is distinct from p_roles then
    insert into app.audit_entries (tenant_id, actor, action, resource, details)
    values (p_tenant, 'system:identity', 'members.mirror', 'member:' || p_user,
            jsonb_build_object('before', case when v_old.user_id is not null
                                 then jsonb_build_object('status', v_old.status, 'roles', v_old.roles) end,
                               'after', jsonb_build_object('status', p_status, 'roles', p_roles)));
  end if;
end $$;

-- Every tenant of a person, for the organization switcher and nothing else.
create function app.list_user_tenants(p_user uuid)
returns table (organization_id uuid, alias text, name text, roles text[])
language sql stable security definer set search_path = '' as $$
  select d.organization_id, d.alias, d.name, m.roles
    from app.memberships m
    join app.directory d on d.tenant_id = m.tenant_id
    join app.tenants t on t.tenant_id = m.tenant_id and t.status = 'active'
   where m.user_id = p_user and m.status = 'active'
   order by d.alias limit 200
$$;

-- Sign out everywhere: every token that this person holds, in every tenant, is too old from now on.
create function app.sign_out_user(p_user uuid, p_not_before timestamptz) returns void
language sql volatile security definer set search_path = '' as $$
  update app.memberships m set tokens_not_before = greatest(m.tokens_not_before, p_not_before), updated_at = now()
   where m.user_id = p_user
$$;

-- Platform: create (or finish creating) the tenant of an organization. Calling it again changes nothing.
create function app.provision_tenant(p_organization uuid, p_alias text, p_name text, p_region text, p_actor text)
returns uuid language plpgsql volatile security definer set search_path = '' as $$
declare
  v_tenant uuid;
  v_new boolean;
begin
  insert into app.directory (organization_id, alias, name, region) values (p_organization, p_alias, p_name, p_region)
  on conflict (organization_id) do nothing;
  select d.tenant_id into v_tenant from app.directory d where d.organization_id = p_organization;
  insert into app.tenants (tenant_id) values (v_tenant) on conflict do nothing;
  get diagnostics v_new = row_count;
  if v_new then
    insert into app.audit_entries (tenant_id, actor, action, resource)
    values (v_tenant, p_actor, 'organizations.create', 'organization:' || p_organization);
  end if;
  return v_tenant;
end $$;

create function app.find_organization(p_alias text)
returns table (organization_id uuid, alias text, name text, status text, region text, created_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select d.organization_id, d.alias, d.name, t.status, d.region, d.created_at
    from app.directory d join app.tenants t on t.tenant_id = d.tenant_id where d.alias = p_alias
$$;

create function app.list_organizations(p_before_time timestamptz, p_before_id uuid, p_limit integer)
returns table (organization_id uuid, alias text, name text, status text, region text, created_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select d.organization_id, d.alias, d.name, t.status, d.region, d.created_at
    from app.directory d join app.tenants t on t.tenant_id = d.tenant_id
   where p_before_time is null or (d.created_at, d.organization_id) < (p_before_time, p_before_id)
   order by d.created_at desc, d.organization_id desc limit least(p_limit, 101)
$$;

create function app.set_tenant_status(p_organization uuid, p_status text, p_actor text)
returns table (organization_id uuid, alias text, name text, status text, region text, created_at timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_tenant uuid;
begin
  update app.tenants t set status = p_status from app.directory d
   where d.tenant_id = t.tenant_id and d.organization_id = p_organization and t.status <> p_status
  returning t.tenant_id into v_tenant;
  if v_tenant is not null then
    insert into app.audit_entries (tenant_id, actor, action, resource)
    values (v_tenant, p_actor, case p_status when 'active' then 'organizations.reactivate' else 'organizations.suspend' end,
            'organization:' || p_organization);
  end if;
  return query
    select d.organization_id, d.alias, d.name, t.status, d.region, d.created_at
      from app.directory d join app.tenants t on t.tenant_id = d.tenant_id where d.organization_id = p_organization;
end $$;

-- A refusal, written in a transaction of its own: the one that was refused is rolled back.
create function app.record_denial(p_tenant uuid, p_actor text, p_route text, p_code text, p_count integer) returns void
language sql volatile security definer set search_path = '' as $$
  insert into app.denials as d (tenant_id, minute, actor, route, code, count)
  select t.tenant_id, date_trunc('minute', now()), p_actor, p_route, p_code, p_count
    from app.tenants t where t.tenant_id = p_tenant
  on conflict (tenant_id, minute, actor, route, code) do update set count = d.count + excluded.count
$$;

-- Open streams listen for these and close.
create function app.membership_changed() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform pg_notify('enginex', new.tenant_id || ':member:' || new.user_id);
  return null;
end $$;
create function app.tenant_changed() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform pg_notify('enginex', new.tenant_id || ':tenant');
  return null;
end $$;
create trigger changed after update on app.memberships for each row
  when (old.status is distinct from new.status or old.roles is distinct from new.roles
        or old.tokens_not_before is distinct from new.tokens_not_before)
  execute function app.membership_changed();
create trigger changed after update on app.tenants for each row
  when (old.status is distinct from new.status) execute function app.tenant_changed();

do $$
declare
  door text;
begin
  foreach door in array array['open_token', 'mirror_membership', 'list_user_tenants', 'sign_out_user', 'provision_tenant',
                              'find_organization', 'list_organizations', 'set_tenant_status', 'record_denial'] loop
    execute format('grant execute on function app.%I to enginex_app', door);
    execute format('alter function app.%I owner to enginex_doors', door);
  end loop;
  foreach door in array array['membership_changed', 'tenant_changed'] loop
    execute format('alter function app.%I owner to enginex_doors', door);
  end loop;
end $$;
revoke create on schema app from enginex_guard, enginex_doors;
