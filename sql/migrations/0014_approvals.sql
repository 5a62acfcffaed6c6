-- Who may answer a question, who answered, what happens when nobody does, and who is told of it.

-- ------------------------------------------------------------------------------------------ an organization's own rules
-- A policy of the same name takes the place of the package's.
create table app.approval_policies (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  name text not null,
  policy json not null,
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default app.actor(),
  primary key (tenant_id, id),
  unique (tenant_id, name)
);
create index on app.approval_policies (tenant_id, created_at desc, id desc);
select app.protect('app.approval_policies', 'select, delete');
grant insert (name, policy), update (policy, updated_at, updated_by) on app.approval_policies to enginex_app;

create table app.approval_settings (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  -- Without it, a policy that would approve what nobody decided rejects it.
  approve_on_expiry boolean not null default false,
  updated_at timestamptz(3) not null default now(),
  updated_by text not null default app.actor(),
  primary key (tenant_id)
);
select app.protect('app.approval_settings', 'select');
grant insert (approve_on_expiry), update (approve_on_expiry, updated_at, updated_by) on app.approval_settings to enginex_app;

-- Who decides in whose place, and when. The absent person says so, and nobody else.
create table app.absences (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  user_id uuid not null default split_part(app.actor(), ':', 2)::uuid,
  delegate_id uuid not null,
  starts_at timestamptz(3) not null,
  ends_at timestamptz(3) not null,
  created_at timestamptz(3) not null default now(),
  primary key (tenant_id, user_id),
  foreign key (tenant_id, user_id) references app.memberships (tenant_id, user_id),
  foreign key (tenant_id, delegate_id) references app.memberships (tenant_id, user_id),
  check (ends_at > starts_at),
  check (delegate_id <> user_id)
);
create index on app.absences (tenant_id, delegate_id);
select app.protect('app.absences', 'select, delete');
grant insert (delegate_id, starts_at, ends_at) on app.absences to enginex_app;

-- ------------------------------------------------------------------------------------------------------------ questions
alter table app.approvals
  -- Who may answer, at first and once it was escalated: 'role:operator', 'member:<id>', 'email:<address>'. What these
  -- say of a person is asked when the person answers.
  add column deciders text[] not null default '{role:operator,role:tenant-admin}',
  add column quorum integer not null default 1 check (quorum between 1 and 10),
  add column escalated_deciders text[],
  add column escalated_quorum integer check (escalated_quorum between 1 and 10),
  add column stage integer not null default 1 check (stage in (1, 2)),
  -- For whom the run works; whether they may not answer.
  add column requesters uuid[] not null default '{}',
  add column not_requester boolean not null default false,
  add column expires_at timestamptz(3),
  -- Of what is asked with the proposal as people have changed it; null while nobody has.
  add column edited_hash text,
  -- The answers that ended it.
  add column decisive uuid[],
  add check ((escalated_deciders is null) = (escalated_quorum is null)),
  add check (stage = 1 or escalated_deciders is not null);
grant insert (deciders, quorum, escalated_deciders, escalated_quorum, requesters, not_requester, expires_at),
      update (stage, expires_at, edited_hash, decisive) on app.approvals to enginex_app;
create index on app.approvals (tenant_id, expires_at, id) where status = 'pending' and expires_at is not null;

-- The person for whom the actor acts: themselves, the owner of a trigger, or whoever is behind a run. Null for a service
-- account and for the platform. With the actor's own rights.
create function app.person_behind() returns uuid language plpgsql stable set search_path = '' as $$
declare
  v_actor constant text := app.actor();
  v_id uuid;
begin
  case split_part(v_actor, ':', 1)
    when 'user' then v_id := split_part(v_actor, ':', 2);
    when 'trigger' then select t.owner into v_id from app.triggers t where t.id = split_part(v_actor, ':', 2)::uuid;
    when 'run' then select r.requested_by into v_id from app.runs r where r.id = split_part(v_actor, ':', 2)::uuid;
    else null;
  end case;
  return v_id;
end $$;
grant execute on function app.person_behind to enginex_app;
-- Written down when the run begins, so that no trigger can be deleted or given away before the question comes.
alter table app.runs add column requested_by uuid;
alter table app.runs alter column requested_by set default app.person_behind();

-- What each person answered. The approval's own answer follows from these.
create table app.approval_decisions (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  approval_id uuid not null,
  stage integer not null,
  decision text not null check (decision in ('approve', 'edit', 'reject', 'escalate')),
  actor text not null default app.actor(),
  -- The absent person in whose place the actor answered.
  for_user_id uuid,
  -- Of what the actor saw, and of what the answer agrees to: another one after an edit.
  payload_hash text not null,
  stands_for text not null,
  edited json,
  reason text not null,
  decided_at timestamptz(3) not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, approval_id) references app.approvals (tenant_id, id),
  foreign key (tenant_id, for_user_id) references app.memberships (tenant_id, user_id)
);
-- One answer of each person, and one in each person's place.
create unique index on app.approval_decisions (tenant_id, approval_id, stage, payload_hash, actor);
create unique index on app.approval_decisions
  (tenant_id, approval_id, stage, payload_hash, coalesce('user:' || for_user_id, actor));

-- Questions that were asked before there were these columns. Forced row level security binds the owner as well, so it is
-- lifted here, for as long as this transaction takes.
do $$
declare
  v_decided bigint;
  v_copied bigint;
begin
  alter table app.approvals no force row level security;
  alter table app.runs no force row level security;
  update app.runs r set requested_by = split_part(r.created_by, ':', 2)::uuid where r.created_by like 'user:%';
  update app.approvals a
     set requesters = array(select r.requested_by where r.requested_by is not null),
         not_requester = coalesce((a.policy ->> 'notRequester')::boolean, false),
         deciders = coalesce((select array_agg('role:' || role) from json_array_elements_text(a.policy -> 'roles') role),
                             a.deciders)
    from app.runs r where r.tenant_id = a.tenant_id and r.id = a.run_id;
  select count(*) into v_decided from app.approvals where decided_at is not null;
  insert into app.approval_decisions
    (tenant_id, approval_id, stage, decision, actor, payload_hash, stands_for, edited, reason, decided_at)
  select tenant_id, id, 1, case status when 'approved' then 'approve' when 'edited' then 'edit' else 'reject' end,
         decided_by, payload_hash, payload_hash, edited, coalesce(reason, ''), decided_at
    from app.approvals where decided_at is not null;
  get diagnostics v_copied = row_count;
  if v_copied <> v_decided then raise exception '% of % decisions were copied', v_copied, v_decided; end if;
  update app.approvals a set decisive = array[d.id]
    from app.approval_decisions d where d.tenant_id = a.tenant_id and d.approval_id = a.id;
  alter table app.approvals add check ((decisive is null) = (decided_at is null));
  alter table app.approvals force row level security;
  alter table app.runs force row level security;
end $$;
select app.protect('app.approval_decisions', 'select');
grant insert (approval_id, stage, decision, for_user_id, payload_hash, stands_for, edited, reason)
  on app.approval_decisions to enginex_app;

-- In whose place somebody may answer now, what these people hold, and what they are called in `deciders`: the person
-- first, then those who are absent and chose this person. Whoever is no member, or no human, sits nowhere.
create function app.seats_of(p_user uuid) returns table (seat_id uuid, roles text[], names text[])
language sql stable rows 2 set search_path = '' as $$
  select m.user_id, m.roles,
         'member:' || m.user_id || array(select 'role:' || role from unnest(m.roles) role)
           || case when u.email is null then '{}' else array['email:' || lower(u.email)] end
    from app.memberships m
    left join app.users u on u.tenant_id = m.tenant_id and u.user_id = m.user_id
   where m.status = 'active' and m.kind = 'user'
     and m.user_id in (select p_user
                       union all
                       select a.user_id from app.absences a
                        where a.delegate_id = p_user and a.starts_at <= now() and now() < a.ends_at)
     and exists (select from app.memberships me where me.user_id = p_user and me.status = 'active' and me.kind = 'user')
   order by m.user_id <> p_user, m.user_id
   limit 50
$$;

-- Whether the answer of this person, in that one's place, counts for this question. The requester's does not, on neither side.
create function app.may_answer(p_approval app.approvals, p_actor uuid, p_seat uuid, p_names text[]) returns boolean
language sql immutable
return case when (p_approval).stage = 1 then (p_approval).deciders else (p_approval).escalated_deciders end && p_names
       and not ((p_approval).not_requester and (p_approval).requesters && array[p_actor, p_seat]);
grant execute on function app.seats_of, app.may_answer to enginex_app;

-- ------------------------------------------------------------------------------------------------------- notifications
create table app.notification_endpoints (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  url text not null,
  events text[] not null,
  -- Sealed by the vault for this secret_id; the plain one was shown once.
  secret_id uuid not null,
  secret bytea not null,
  enabled boolean not null default true,
  -- Why the platform disabled it; null when a person did.
  disabled_reason text,
  failing_since timestamptz(3),
  created_at timestamptz(3) not null default now(),
  created_by text not null default app.actor(),
  primary key (tenant_id, id)
);
create index on app.notification_endpoints (tenant_id, created_at desc, id desc);
select app.protect('app.notification_endpoints', 'select, delete');
grant insert (url, events, secret_id, secret),
      update (url, events, secret_id, secret, enabled, disabled_reason, failing_since)
  on app.notification_endpoints to enginex_app;

-- Whether a member wants mail. No row: no.
create table app.notification_preferences (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  user_id uuid not null default split_part(app.actor(), ':', 2)::uuid,
  mail boolean not null,
  primary key (tenant_id, user_id),
  foreign key (tenant_id, user_id) references app.memberships (tenant_id, user_id)
);
select app.protect('app.notification_preferences', 'select');
grant insert (mail), update (mail) on app.notification_preferences to enginex_app;

-- What is to be delivered, written in the transaction of what it tells of. To an endpoint or to a member's mailbox.
create table app.notification_deliveries (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  endpoint_id uuid,
  user_id uuid,
  type text not null,
  -- Ids, never contents.
  data jsonb not null,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
  attempts integer not null default 0,
  -- When it is tried next; while a worker tries (taken), when another one may.
  due_at timestamptz(3) not null default now(),
  taken boolean not null default false,
  response_status integer,
  error text,
  created_at timestamptz(3) not null default now(),
  finished_at timestamptz(3),
  primary key (tenant_id, id),
  foreign key (tenant_id, endpoint_id) references app.notification_endpoints (tenant_id, id) on delete cascade,
  foreign key (tenant_id, user_id) references app.memberships (tenant_id, user_id),
  check ((endpoint_id is null) <> (user_id is null)),
  check ((status = 'pending') = (finished_at is null))
);
create index on app.notification_deliveries (tenant_id, created_at desc, id desc);
create index on app.notification_deliveries (tenant_id, endpoint_id, created_at desc, id desc);
create index on app.notification_deliveries (tenant_id, due_at, id) where status = 'pending';
create index on app.notification_deliveries (tenant_id) where status = 'pending' and taken;
select app.protect('app.notification_deliveries', 'select');
grant insert (endpoint_id, user_id, type, data),
      update (status, attempts, due_at, taken, response_status, error, finished_at)
  on app.notification_deliveries to enginex_app;

-- Whatever is told to a session's stream and is worth telling outside goes into the outbox with it, whoever tells it. With
-- the rights of whoever does, so row level security decides whose endpoints these are. A restored backup tells nobody.
create function app.tell_outside() returns trigger language plpgsql set search_path = '' as $$
declare
  v_type constant text := case new.type
    when 'approval_requested' then 'approval.requested' when 'approval_escalated' then 'approval.escalated'
    when 'approval_expired' then 'approval.expired' when 'approval_decided' then 'approval.decided'
    when 'execution_completed' then 'run.completed' else 'run.failed' end;
  v_approval constant uuid := (new.data ->> 'approvalId')::uuid;
  v_data constant jsonb := jsonb_strip_nulls(jsonb_build_object(
    'sessionId', new.session_id, 'runId', new.run_id, 'nodeId', new.node_id, 'approvalId', v_approval,
    'decision', new.data -> 'decision', 'outcome', new.data -> 'outcome', 'code', new.data -> 'error' -> 'code'));
  v_hooks bigint;
  v_mails bigint;
begin
  insert into app.notification_deliveries (endpoint_id, type, data)
  select e.id, v_type, v_data from app.notification_endpoints e
   where e.tenant_id = new.tenant_id and e.enabled and v_type = any (e.events)
     -- One that is being deleted hears nothing more; no run waits for that, or fails of it.
     for key share of e skip locked;
  get diagnostics v_hooks = row_count;
  -- A question goes to those who may answer it, everything else to whoever is behind the run.
  insert into app.notification_deliveries (user_id, type, data)
  select p.user_id, v_type, v_data
    from app.notification_preferences p
    join app.memberships m on m.tenant_id = p.tenant_id and m.user_id = p.user_id and m.status = 'active'
   where p.tenant_id = new.tenant_id and p.mail
     and case when v_type in ('approval.requested', 'approval.escalated')
           then exists (select from app.approvals a, app.seats_of(p.user_id) s
                         where a.tenant_id = new.tenant_id and a.id = v_approval
                           and app.may_answer(a, p.user_id, s.seat_id, s.names))
           else exists (select from app.runs r where r.tenant_id = new.tenant_id and r.id = new.run_id
                           and r.requested_by = p.user_id) end
   order by p.user_id limit 100;
  get diagnostics v_mails = row_count;
  if v_hooks + v_mails > 0 then perform app.notify_change('deliveries'); end if;
  return null;
end $$;
create trigger told after insert on app.session_events for each row
  when (new.type in ('approval_requested', 'approval_escalated', 'approval_expired', 'approval_decided',
                     'execution_completed', 'execution_failed') and current_user <> 'enginex_backup')
  execute function app.tell_outside();

-- ------------------------------------------------------------------------------------------------------------ the doors
create policy doors on app.approvals for select to enginex_doors using (true);
grant select (tenant_id, id, status, expires_at) on app.approvals to enginex_doors;
create policy doors on app.notification_deliveries to enginex_doors using (true) with check (true);
grant select (tenant_id, id, status, attempts, due_at, taken), update (attempts, due_at, taken)
  on app.notification_deliveries to enginex_doors;

grant create on schema app to enginex_doors;
-- Questions whose time is over, one of each tenant in turn. From one tenant to the next in the index: however many of one
-- are due, they are not read.
create function app.due_approvals(p_limit integer) returns table (tenant_id uuid, approval_id uuid)
language sql stable security definer set search_path = '' as $$
  with recursive asking as (
    (select a.tenant_id from app.approvals a where a.status = 'pending' and a.expires_at is not null
      order by a.tenant_id, a.expires_at, a.id limit 1)
    union all
    select (select a.tenant_id from app.approvals a
             where a.status = 'pending' and a.expires_at is not null and a.tenant_id > w.tenant_id
             order by a.tenant_id, a.expires_at, a.id limit 1)
      from asking w where w.tenant_id is not null
  ), due as (
    select t.tenant_id, d.id, d.expires_at, d.turn
      from asking
      join app.tenants t on t.tenant_id = asking.tenant_id and t.status = 'active'
      cross join lateral (
        select a.id, a.expires_at, row_number() over (order by a.expires_at, a.id) as turn
          from app.approvals a
         where a.tenant_id = t.tenant_id and a.status = 'pending' and a.expires_at <= now()
         order by a.expires_at, a.id limit p_limit) d
  )
  select due.tenant_id, due.id from due order by due.turn, due.expires_at limit p_limit
$$;

-- Gives a worker up to p_limit deliveries to try, one of each tenant in turn, never more at once than p_tenant_limit of
-- one tenant: what is slow for one leaves the places of the others alone. Whoever does not come back within p_lease loses
-- them to the next.
create function app.take_deliveries(p_limit integer, p_tenant_limit integer, p_lease interval)
returns table (tenant_id uuid, alias text, delivery_id uuid, attempt integer)
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtext('enginex.take_deliveries'));
  return query
  with recursive waiting as (
    (select d.tenant_id from app.notification_deliveries d where d.status = 'pending'
      order by d.tenant_id, d.due_at, d.id limit 1)
    union all
    select (select d.tenant_id from app.notification_deliveries d where d.status = 'pending' and d.tenant_id > w.tenant_id
             order by d.tenant_id, d.due_at, d.id limit 1)
      from waiting w where w.tenant_id is not null
  ), chosen as (
    select t.tenant_id, due.id
      from waiting
      join app.tenants t on t.tenant_id = waiting.tenant_id and t.status = 'active'
      cross join lateral (
        select d.id, d.due_at, row_number() over (order by d.due_at, d.id) as turn
          from app.notification_deliveries d
         where d.tenant_id = t.tenant_id and d.status = 'pending' and d.due_at <= now()
         order by d.due_at, d.id
         limit greatest(p_tenant_limit - (
           select count(*) from app.notification_deliveries b
            where b.tenant_id = t.tenant_id and b.status = 'pending' and b.taken and b.due_at > now()), 0)) due
     order by due.turn, due.due_at limit p_limit
  ), taken as (
    update app.notification_deliveries d
       set taken = true, attempts = d.attempts + 1, due_at = now() + p_lease
      from chosen c where d.tenant_id = c.tenant_id and d.id = c.id
    returning d.tenant_id, d.id, d.attempts
  )
  select taken.tenant_id, o.alias, taken.id, taken.attempts
    from taken join app.directory o on o.tenant_id = taken.tenant_id;
end $$;

do $$
declare
  door text;
begin
  foreach door in array array['due_approvals', 'take_deliveries'] loop
    execute format('grant execute on function app.%I to enginex_app', door);
    execute format('alter function app.%I owner to enginex_doors', door);
  end loop;
end $$;
revoke create on schema app from enginex_doors;
