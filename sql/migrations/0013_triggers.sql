-- Triggers: what starts sessions at a time, for a signed message, or when a program asks.
create table app.triggers (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  name text not null check (length(name) between 1 and 100),
  kind text not null check (kind in ('timer', 'webhook', 'api')),
  agent_id uuid not null,
  entry_point text,
  input json not null default '{}',
  -- webhook: the input that takes what was sent
  payload_key text,
  -- timer: {"everyMinutes"} or {"cron", "timeZone"}
  schedule json,
  jitter_seconds integer not null default 0 check (jitter_seconds between 0 and 3600),
  run_immediately boolean not null default false,
  misfire text not null default 'fire_once' check (misfire in ('skip', 'fire_once', 'fire_all')),
  max_concurrent integer not null check (max_concurrent between 1 and 1000),
  enabled boolean not null default true,
  disabled_reason text check (disabled_reason in ('by_request', 'owner_left')),
  -- A trigger works as long as its owner may start sessions.
  owner uuid not null default split_part(app.actor(), ':', 2)::uuid,
  -- The time that the schedule names, and when to look at it: later by the jitter, never while the tenant is suspended.
  due_at timestamptz(3),
  next_at timestamptz(3),
  last_at timestamptz(3),
  last_session_id uuid,
  -- webhook: sealed by the vault; the one before serves until previous_until.
  secret bytea,
  secret_version integer not null default 0,
  previous_secret bytea,
  previous_until timestamptz(3),
  created_at timestamptz(3) not null default now(),
  created_by text not null default app.actor(),
  primary key (tenant_id, id),
  unique (tenant_id, name),
  foreign key (tenant_id, agent_id) references app.agents (tenant_id, id),
  foreign key (tenant_id, owner) references app.memberships (tenant_id, user_id),
  foreign key (tenant_id, last_session_id) references app.sessions (tenant_id, id),
  check ((kind = 'timer') = (schedule is not null)),
  check ((kind = 'webhook') = (payload_key is not null)),
  check (kind = 'webhook' or secret is null),
  check (enabled = (disabled_reason is null)),
  check (due_at is null or (enabled and kind = 'timer')),
  check (next_at is null or due_at is not null)
);
create index on app.triggers (tenant_id, created_at desc, id desc);
create index on app.triggers (tenant_id, owner);
-- Polled by every worker: as long as what is due, not as what exists.
create index on app.triggers (next_at) where next_at is not null;
-- A message names the trigger and no tenant.
create index on app.triggers (id) where kind = 'webhook';
select app.protect('app.triggers', 'select, delete');
grant insert (name, kind, agent_id, entry_point, input, payload_key, schedule, jitter_seconds, run_immediately, misfire,
              max_concurrent) on app.triggers to enginex_app;
grant update (name, entry_point, input, payload_key, schedule, jitter_seconds, run_immediately, misfire, max_concurrent,
              enabled, disabled_reason, owner, due_at, next_at, last_at, last_session_id, secret, secret_version,
              previous_secret, previous_until) on app.triggers to enginex_app;

-- Who takes a trigger over becomes its owner; nobody makes it somebody else's.
create function app.own_trigger() returns trigger language plpgsql set search_path = '' as $$
begin
  new.owner := split_part(app.actor(), ':', 2)::uuid;
  return new;
end $$;
create trigger adopted before update on app.triggers for each row
  when (old.owner is distinct from new.owner) execute function app.own_trigger();

-- What came of each time, message or request.
create table app.trigger_firings (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  trigger_id uuid not null,
  -- What makes it happen once: 'due:<time>', 'message:<id>', 'request:<member>:<key>'. Null for what may be tried again.
  key text check (length(key) between 1 and 400),
  due_at timestamptz(3),
  outcome text not null check (outcome in ('started', 'skipped', 'failed')),
  -- Why nothing was started.
  reason json,
  session_id uuid,
  fired_at timestamptz(3) not null default now(),
  fired_by text not null default app.actor(),
  primary key (tenant_id, id),
  unique (tenant_id, trigger_id, key),
  foreign key (tenant_id, trigger_id) references app.triggers (tenant_id, id) on delete cascade,
  foreign key (tenant_id, session_id) references app.sessions (tenant_id, id),
  check ((outcome = 'started') = (session_id is not null)),
  check ((outcome = 'started') = (reason is null))
);
create index on app.trigger_firings (tenant_id, trigger_id, fired_at desc, id desc);
select app.protect('app.trigger_firings', 'select, delete');
grant insert (trigger_id, key, due_at, outcome, reason, session_id) on app.trigger_firings to enginex_app;

-- Which trigger started the run, for its limit of runs at once. The trigger may be gone.
alter table app.runs add column trigger_id uuid;
grant insert (trigger_id) on app.runs to enginex_app;
create index on app.runs (tenant_id, trigger_id)
  where trigger_id is not null and status in ('queued', 'running', 'waiting', 'paused');

grant create on schema app to enginex_guard, enginex_doors;

-- ---------------------------------------------------------------------------------------------------- the guard
-- Locks the trigger, so that what fires at the same moment comes one after the other. What it depends on is read after
-- the lock, as it is then.
grant select (tenant_id, id, enabled, owner), update (owner) on app.triggers to enginex_guard;
create policy guard on app.triggers to enginex_guard using (true) with check (false);
create function app.enter_trigger(p_tenant uuid, p_trigger uuid) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_owner uuid;
  v_tenant text;
  v_granted boolean;
  v_ignored text;
begin
  select g.owner into v_owner from app.triggers g
   where g.tenant_id = p_tenant and g.id = p_trigger and g.enabled for no key update;
  if v_owner is null then raise exception 'no such trigger, or it is disabled' using errcode = 'TN410'; end if;
  select t.status, m.status = 'active' and m.roles && p.roles into v_tenant, v_granted
    from app.tenants t
    left join app.memberships m on m.tenant_id = t.tenant_id and m.user_id = v_owner
    left join app.role_permissions p on p.permission = 'runs:write'
   where t.tenant_id = p_tenant;
  if v_tenant is distinct from 'active' then raise exception 'tenant suspended' using errcode = 'TN423'; end if;
  if v_granted is not true then raise exception 'the owner has left' using errcode = 'TN424'; end if;
  v_ignored := set_config('app.tenant_id', p_tenant::text, true);
  v_ignored := set_config('app.actor', 'trigger:' || p_trigger::text, true);
end $$;
grant execute on function app.enter_trigger to enginex_app;
alter function app.enter_trigger owner to enginex_guard;

-- ---------------------------------------------------------------------------------------------------- the doors
create policy doors on app.triggers to enginex_doors using (true) with check (true);
grant select (tenant_id, id, kind, owner, enabled, due_at, next_at, secret, secret_version, previous_secret, previous_until),
      update (enabled, disabled_reason, due_at, next_at) on app.triggers to enginex_doors;
grant select on app.role_permissions to enginex_doors;

-- Timers that are due, one of each tenant in turn and the longest due first; and behind them the next one that is not,
-- with the time until then.
create function app.due_triggers(p_limit integer) returns table (tenant_id uuid, trigger_id uuid, wait_ms bigint)
language sql stable security definer set search_path = '' as $$
  with due as (
    select g.tenant_id, g.id, g.next_at, row_number() over (partition by g.tenant_id order by g.next_at, g.id) as turn
      from app.triggers g where g.next_at <= now()
  )
  (select d.tenant_id, d.id, 0::bigint from due d order by d.turn, d.next_at, d.id limit p_limit)
  union all
  (select g.tenant_id, g.id, ceil(extract(epoch from g.next_at - now()) * 1000)::bigint
     from app.triggers g where g.next_at > now() order by g.next_at limit 1)
$$;

-- Whose trigger a message is for, and the sealed secrets that may have signed it. Nothing for one that cannot fire.
create function app.open_hook(p_trigger uuid)
returns table (tenant_id uuid, secret bytea, secret_version integer, previous_secret bytea)
language sql stable security definer set search_path = '' as $$
  select g.tenant_id, g.secret, g.secret_version, case when g.previous_until > now() then g.previous_secret end
    from app.triggers g join app.tenants t on t.tenant_id = g.tenant_id and t.status = 'active'
   where g.id = p_trigger and g.kind = 'webhook' and g.enabled and g.secret is not null
$$;

-- Stops the triggers of somebody who may not start sessions any more, where everybody sees it.
create function app.disable_orphans(p_tenant uuid, p_owner uuid) returns void
language sql volatile security definer set search_path = '' as $$
  with gone as (
    update app.triggers g set enabled = false, disabled_reason = 'owner_left', due_at = null, next_at = null
     where g.tenant_id = p_tenant and g.owner = p_owner and g.enabled
       and not exists (select from app.memberships m join app.role_permissions p on p.permission = 'runs:write'
                        where m.tenant_id = p_tenant and m.user_id = p_owner and m.status = 'active' and m.roles && p.roles)
    returning g.id
  )
  insert into app.audit_entries (tenant_id, actor, action, resource, details)
  select p_tenant, 'system:triggers', 'triggers.disable', 'trigger:' || gone.id, '{"reason": "owner_left"}' from gone
$$;

-- The same for one trigger, found with an owner whose rights ended where no membership changed.
create function app.disable_orphan(p_tenant uuid, p_trigger uuid) returns void
language sql volatile security definer set search_path = '' as $$
  select app.disable_orphans(g.tenant_id, g.owner) from app.triggers g where g.tenant_id = p_tenant and g.id = p_trigger
$$;

do $$
declare
  door text;
begin
  foreach door in array array['due_triggers', 'open_hook', 'disable_orphan'] loop
    execute format('grant execute on function app.%I to enginex_app', door);
  end loop;
  foreach door in array array['due_triggers', 'open_hook', 'disable_orphan', 'disable_orphans'] loop
    execute format('alter function app.%I owner to enginex_doors', door);
  end loop;
end $$;

set role enginex_doors;
create or replace function app.membership_changed() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform pg_notify('enginex', new.tenant_id || ':member:' || new.user_id);
  perform app.disable_orphans(new.tenant_id, new.user_id);
  return null;
end $$;
-- While a tenant is suspended nobody looks at its timers; afterwards each does what it does after a downtime.
create or replace function app.tenant_changed() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  perform pg_notify('enginex', new.tenant_id || ':tenant');
  update app.triggers g set next_at = case new.status when 'active' then g.due_at end
   where g.tenant_id = new.tenant_id and g.due_at is not null;
  return null;
end $$;
reset role;
revoke create on schema app from enginex_guard, enginex_doors;
