-- A supervisor's run acts for whoever started it, and never beyond what that person may do at this moment.
grant create on schema app to enginex_guard;

-- Opens a run's scope for a deed of its starter: app.enter_run, and then the starter's membership as app.enter asks for
-- it. A run may read and start in a person's name, and nothing else: it decides no approval, whoever started it.
grant select (created_by, requested_by) on app.runs to enginex_guard;
create function app.enter_starter(p_tenant uuid, p_run uuid, p_epoch integer, p_permission text) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_granted boolean;
begin
  perform app.enter_run(p_tenant, p_run, p_epoch);
  -- What a service account starts has no person behind it; it is the starter itself.
  select m.roles && p.roles into v_granted
    from app.runs r
    join app.memberships m on m.tenant_id = r.tenant_id and m.status = 'active'
     and m.user_id = coalesce(r.requested_by, substring(r.created_by from '^service-account:([0-9a-f-]{36})$')::uuid)
    join app.role_permissions p on p.permission = p_permission
     and p_permission in ('runs:read', 'runs:write', 'agents:read', 'reports:read')
   where r.tenant_id = p_tenant and r.id = p_run;
  if v_granted is not true then raise exception 'the starter of the run may not' using errcode = 'TN405'; end if;
end $$;
grant execute on function app.enter_starter to enginex_app;
alter function app.enter_starter owner to enginex_guard;
revoke create on schema app from enginex_guard;

-- Which run started which session, so that repeating a call starts nothing twice and trees stay small.
create table app.session_starts (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  session_id uuid not null,
  run_id uuid not null,
  call text not null,
  -- The session at the top, which no run started.
  root_id uuid not null,
  depth integer not null check (depth between 1 and 10),
  primary key (tenant_id, session_id),
  unique (tenant_id, run_id, call),
  foreign key (tenant_id, session_id) references app.sessions (tenant_id, id),
  foreign key (tenant_id, run_id) references app.runs (tenant_id, id),
  foreign key (tenant_id, root_id) references app.sessions (tenant_id, id)
);
create index on app.session_starts (tenant_id, root_id);
select app.protect('app.session_starts', 'select');
grant insert (session_id, run_id, call, root_id, depth) on app.session_starts to enginex_app;

-- The plan of a session, as its agent keeps it.
create table app.tasks (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  session_id uuid not null,
  key text not null check (length(key) between 1 and 64),
  title text not null check (length(title) between 1 and 200),
  status text not null check (status in ('pending', 'in_progress', 'blocked', 'completed', 'cancelled')),
  detail text check (length(detail) <= 4000),
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  primary key (tenant_id, session_id, key),
  foreign key (tenant_id, session_id) references app.sessions (tenant_id, id)
);
select app.protect('app.tasks', 'select');
grant insert (session_id, key, title, status, detail) on app.tasks to enginex_app;
grant update (title, status, detail, updated_at) on app.tasks to enginex_app;
