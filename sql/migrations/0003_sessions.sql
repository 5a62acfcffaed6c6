-- Work: a session with one agent version, its runs, and everything a run leaves behind.
grant create on schema app to enginex_guard, enginex_doors;

create table app.sessions (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  agent_id uuid not null,
  agent_version_id uuid not null,
  title text not null,
  input json not null,
  last_seq bigint not null default 0,
  created_at timestamptz(3) not null default now(),
  created_by text not null default app.actor(),
  primary key (tenant_id, id),
  foreign key (tenant_id, agent_id) references app.agents (tenant_id, id),
  foreign key (tenant_id, agent_id, agent_version_id) references app.agent_versions (tenant_id, agent_id, id)
);
create index on app.sessions (tenant_id, created_at desc, id desc);
create index on app.sessions (tenant_id, agent_id, created_at desc, id desc);
select app.protect('app.sessions', 'select, insert, update');

create table app.session_files (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  session_id uuid not null,
  name text not null,
  media_type text not null,
  bytes bigint not null,
  sha256 text not null,
  primary key (tenant_id, session_id, name),
  foreign key (tenant_id, session_id) references app.sessions (tenant_id, id)
);
select app.protect('app.session_files', 'select, insert');

-- queued: waits for a slot · running: a worker may hold it · waiting: for people, costs nothing · paused: by a person
create table app.runs (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  session_id uuid not null,
  status text not null default 'queued' check (status in
    ('queued', 'running', 'waiting', 'paused', 'completed', 'rejected', 'failed', 'cancelled')),
  -- What a person asked of a running run; the worker obeys at its next write.
  requested text check (requested in ('pause', 'cancel')),
  -- Raised by whoever takes the run. A write with an older epoch is refused by app.enter_run.
  epoch integer not null default 0,
  worker_id uuid,
  seq integer not null default 0,
  current_node text,
  error jsonb,
  queued_at timestamptz(3) not null default now(),
  slot_at timestamptz(3),
  heartbeat_at timestamptz(3),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  created_by text not null default app.actor(),
  primary key (tenant_id, id),
  foreign key (tenant_id, session_id) references app.sessions (tenant_id, id)
);
create index on app.runs (tenant_id, session_id, queued_at desc, id desc);
create index on app.runs (tenant_id, queued_at, id) where status = 'queued';
create index on app.runs (tenant_id, heartbeat_at) where status = 'running';
select app.protect('app.runs', 'select, insert, update');

create table app.run_steps (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  run_id uuid not null,
  step integer not null,
  attempt integer not null,
  node_id text not null,
  status text not null check (status in ('running', 'completed', 'failed', 'waiting')),
  error jsonb,
  started_at timestamptz(3) not null default now(),
  finished_at timestamptz(3),
  primary key (tenant_id, run_id, step, attempt),
  foreign key (tenant_id, run_id) references app.runs (tenant_id, id)
);
select app.protect('app.run_steps', 'select, insert, update');

-- The machine's state after each transition, without the memory: that is run_memory as of the same seq.
create table app.checkpoints (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  run_id uuid not null,
  seq integer not null,
  state jsonb not null,
  created_at timestamptz(3) not null default now(),
  primary key (tenant_id, run_id, seq),
  foreign key (tenant_id, run_id) references app.runs (tenant_id, id)
);
select app.protect('app.checkpoints', 'select, insert');

create table app.run_memory (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  run_id uuid not null,
  key text not null,
  seq integer not null,
  value json not null,
  primary key (tenant_id, run_id, key, seq),
  foreign key (tenant_id, run_id) references app.runs (tenant_id, id)
);
select app.protect('app.run_memory', 'select, insert');

create table app.session_events (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  session_id uuid not null,
  seq bigint not null,
  run_id uuid,
  type text not null,
  node_id text,
  data jsonb not null,
  created_at timestamptz(3) not null default now(),
  primary key (tenant_id, session_id, seq),
  foreign key (tenant_id, session_id) references app.sessions (tenant_id, id),
  foreign key (tenant_id, run_id) references app.runs (tenant_id, id)
);
select app.protect('app.session_events', 'select, insert');

-- Appends events to a session under its lock, numbered without gaps, with one notification for all of them.
-- p_events: [{type, nodeId, data}, …] in order. Invoker's rights: row level security decides whose session it is.
create function app.append_events(p_session uuid, p_run uuid, p_events jsonb) returns bigint
language plpgsql volatile set search_path = '' as $$
declare
  v_last bigint;
begin
  if jsonb_array_length(p_events) = 0 then return null; end if;
  update app.sessions s set last_seq = s.last_seq + jsonb_array_length(p_events) where s.id = p_session
  returning s.last_seq into v_last;
  if v_last is null then raise exception 'no such session' using errcode = 'TN410'; end if;
  insert into app.session_events (session_id, seq, run_id, type, node_id, data)
  select p_session, v_last - jsonb_array_length(p_events) + e.ordinality, p_run, e.value ->> 'type', e.value ->> 'nodeId',
         coalesce(e.value -> 'data', '{}')
    from jsonb_array_elements(p_events) with ordinality e;
  perform app.notify_change('session:' || p_session);
  return v_last;
end $$;
grant execute on function app.append_events to enginex_app;

-- ---------------------------------------------------------------------------------------------------- the guard
-- Locks the run, so that nobody can take it over in the middle of a write of its present worker.
grant select (tenant_id, id, status, epoch), update (epoch) on app.runs to enginex_guard;
create policy guard on app.runs to enginex_guard using (true) with check (false);
create function app.enter_run(p_tenant uuid, p_run uuid, p_epoch integer) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_epoch integer;
  v_status text;
  v_tenant text;
  v_ignored text;
begin
  select r.epoch, r.status, t.status into v_epoch, v_status, v_tenant
    from app.runs r join app.tenants t on t.tenant_id = r.tenant_id
   where r.tenant_id = p_tenant and r.id = p_run for no key update of r;
  if v_epoch is null then raise exception 'no such run' using errcode = 'TN410'; end if;
  if v_tenant <> 'active' then raise exception 'tenant suspended' using errcode = 'TN423'; end if;
  if v_epoch is distinct from p_epoch or v_status <> 'running' then
    raise exception 'another worker has this run, or it is not running' using errcode = 'TN409';
  end if;
  v_ignored := set_config('app.tenant_id', p_tenant::text, true);
  v_ignored := set_config('app.actor', 'run:' || p_run::text, true);
end $$;
grant execute on function app.enter_run to enginex_app;
alter function app.enter_run owner to enginex_guard;

-- ---------------------------------------------------------------------------------------------------- the doors
create policy doors on app.runs to enginex_doors using (true) with check (true);
grant select, update on app.runs to enginex_doors;

-- Gives a worker up to p_limit runs: first those whose worker fell silent, then queued ones, never more at once than
-- a tenant's cap, one of each tenant in turn and the longest waiting first. Taking raises the epoch, so that no older
-- holder can write. The lock makes the cap hard: two workers that ask at once are answered one after the other.
create function app.take_runs(p_worker uuid, p_limit integer, p_silent interval)
returns table (tenant_id uuid, run_id uuid, session_id uuid, epoch integer, seq integer)
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtext('enginex.take_runs'));
  return query
  with lost as (
    select r.tenant_id, r.id from app.runs r
      join app.tenants t on t.tenant_id = r.tenant_id and t.status = 'active'
     where r.status = 'running' and r.heartbeat_at < now() - p_silent order by r.heartbeat_at limit p_limit
  ), busy as (
    select r.tenant_id, count(*) as running from app.runs r where r.status = 'running' group by r.tenant_id
  ), candidates as (
    select t.tenant_id, w.id, w.queued_at, w.turn
      from (select distinct r.tenant_id from app.runs r where r.status = 'queued') waiting
      join app.tenants t on t.tenant_id = waiting.tenant_id and t.status = 'active'
      left join busy b on b.tenant_id = t.tenant_id
      cross join lateral (
        select r.id, r.queued_at, row_number() over (order by r.queued_at, r.id) as turn
          from app.runs r where r.tenant_id = t.tenant_id and r.status = 'queued'
         order by r.queued_at, r.id limit greatest(t.run_cap - coalesce(b.running, 0), 0)) w
  ), chosen as (
    (select l.tenant_id, l.id from lost l)
    union all
    (select c.tenant_id, c.id from candidates c order by c.turn, c.queued_at
      limit greatest(p_limit - (select count(*) from lost), 0))
  )
  update app.runs r set status = 'running', epoch = r.epoch + 1, worker_id = p_worker, heartbeat_at = now(),
                        slot_at = case r.status when 'queued' then now() else r.slot_at end,
                        started_at = coalesce(r.started_at, now())
    from chosen c where r.tenant_id = c.tenant_id and r.id = c.id and r.status in ('queued', 'running')
  returning r.tenant_id, r.id, r.session_id, r.epoch, r.seq;
end $$;

-- The worker is alive and still works on these. A run that does not come back is no longer its own.
create function app.beat_runs(p_tenants uuid[], p_runs uuid[], p_epochs integer[]) returns table (run_id uuid, requested text)
language sql volatile security definer set search_path = '' as $$
  update app.runs r set heartbeat_at = now()
    from unnest(p_tenants, p_runs, p_epochs) as held (tenant_id, id, epoch)
   where r.tenant_id = held.tenant_id and r.id = held.id and r.epoch = held.epoch and r.status = 'running'
  returning r.id, r.requested
$$;

do $$
declare
  door text;
begin
  foreach door in array array['take_runs', 'beat_runs'] loop
    execute format('grant execute on function app.%I to enginex_app', door);
    execute format('alter function app.%I owner to enginex_doors', door);
  end loop;
end $$;
revoke create on schema app from enginex_guard, enginex_doors;
