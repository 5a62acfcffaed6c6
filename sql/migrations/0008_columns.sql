-- Who may write what, column by column: whatever the application sends, the database alone fills in who did something
-- and when, and nothing can be moved to another parent or put under another question.
do $$
declare
  wanted record;
begin
  for wanted in
    select * from (values
      ('agents', 'insert', 'name'),
      ('agents', 'update', 'active_version_id, description, status'),
      ('agent_versions', 'insert', 'agent_id, version, digest, bytes, manifest'),
      ('sessions', 'insert', 'agent_id, agent_version_id, title, input'),
      ('sessions', 'update', 'last_seq'),
      ('session_files', 'insert', 'session_id, name, media_type, bytes, sha256'),
      ('runs', 'insert', 'session_id'),
      ('runs', 'update', 'status, requested, epoch, worker_id, seq, current_node, error, queued_at, heartbeat_at, '
                         'finished_at, takeovers'),
      ('run_steps', 'insert', 'run_id, step, attempt, node_id, status, error, finished_at'),
      ('run_steps', 'update', 'status, error, finished_at'),
      ('checkpoints', 'insert', 'run_id, seq, state'),
      ('run_memory', 'insert', 'run_id, key, seq, value'),
      ('session_events', 'insert', 'session_id, seq, run_id, type, node_id, data'),
      ('approvals', 'insert', 'session_id, run_id, call, node_id, title, payload, payload_hash, policy'),
      ('approvals', 'update', 'status, edited, reason, decided_at, decided_by'),
      ('reports', 'insert', 'session_id, run_id, call, title, files'),
      ('audit_entries', 'insert', 'action, resource, details')
    ) as rights (target, privilege, columns)
  loop
    execute format('revoke %s on app.%I from enginex_app', wanted.privilege, wanted.target);
    execute format('grant %s (%s) on app.%I to enginex_app', wanted.privilege, wanted.columns, wanted.target);
  end loop;
end $$;

-- The console asks for what is pending, all the time, of a tenant that has decided a hundred thousand.
create index approvals_of_status on app.approvals (tenant_id, status, requested_at desc, id desc);

grant create on schema app to enginex_doors;
set role enginex_doors;
create or replace function app.take_runs(p_worker uuid, p_limit integer, p_silent interval)
returns table (tenant_id uuid, run_id uuid, session_id uuid, epoch integer, seq integer)
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtext('enginex.take_runs'));
  return query
  with recursive lost as (
    select r.tenant_id, r.id from app.runs r
      join app.tenants t on t.tenant_id = r.tenant_id and t.status = 'active'
     where r.status = 'running' and r.heartbeat_at < now() - p_silent order by r.heartbeat_at limit p_limit
  ), busy as (
    select r.tenant_id, count(*) as running from app.runs r where r.status = 'running' group by r.tenant_id
  ), waiting as (
    -- From one tenant to the next in the index: however many runs of one wait, they are not read.
    (select r.tenant_id from app.runs r where r.status = 'queued' order by r.tenant_id limit 1)
    union all
    select (select r.tenant_id from app.runs r where r.status = 'queued' and r.tenant_id > w.tenant_id
             order by r.tenant_id limit 1)
      from waiting w where w.tenant_id is not null
  ), candidates as (
    select t.tenant_id, w.id, w.queued_at, w.turn
      from waiting
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
                        takeovers = case r.status when 'queued' then r.takeovers else r.takeovers + 1 end,
                        started_at = coalesce(r.started_at, now())
    from chosen c where r.tenant_id = c.tenant_id and r.id = c.id and r.status in ('queued', 'running')
  returning r.tenant_id, r.id, r.session_id, r.epoch, r.seq;
end $$;
reset role;
revoke create on schema app from enginex_doors;
