-- A row that belongs to a run or a session has its tenant through it: asking the tenant's row as well says nothing more,
-- but makes all runs of a tenant lock one row, at every step.
alter table app.session_events drop constraint session_events_tenant_id_fkey;
alter table app.checkpoints drop constraint checkpoints_tenant_id_fkey;
alter table app.run_steps drop constraint run_steps_tenant_id_fkey;
alter table app.run_memory drop constraint run_memory_tenant_id_fkey;

-- Slots go to whoever has the fewest: a tenant with runs under way stands behind one without, so that a long queue gets
-- no more than its share while others wait, and all that is free when nobody does. Among equals whoever waits longest.
-- No worker may call another one silent before app.least_silence() is over, whatever it asks for.
create function app.least_silence() returns interval language sql immutable as $$ select interval '10 seconds' $$;
grant execute on function app.least_silence to enginex_doors;

grant create on schema app to enginex_doors;
set role enginex_doors;
drop function app.take_runs;
create function app.take_runs(p_worker uuid, p_limit integer, p_silent interval)
returns table (tenant_id uuid, run_id uuid, session_id uuid, epoch integer, seq integer, takeovers integer)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_silent constant interval := greatest(p_silent, app.least_silence());
begin
  perform pg_advisory_xact_lock(hashtext('enginex.take_runs'));
  return query
  with recursive lost as (
    select r.tenant_id, r.id from app.runs r
      join app.tenants t on t.tenant_id = r.tenant_id and t.status = 'active'
     where r.status = 'running' and r.heartbeat_at < now() - v_silent order by r.heartbeat_at limit p_limit
  ), busy as (
    select r.tenant_id, count(*) as running from app.runs r where r.status = 'running' group by r.tenant_id
  ), waiting as (
    -- From one tenant to the next in the index: however many runs of one wait, they are not read.
    (select r.tenant_id from app.runs r where r.status = 'queued' order by r.tenant_id, r.queued_at, r.id limit 1)
    union all
    select (select r.tenant_id from app.runs r where r.status = 'queued' and r.tenant_id > w.tenant_id
             order by r.tenant_id, r.queued_at, r.id limit 1)
      from waiting w where w.tenant_id is not null
  ), candidates as (
    select t.tenant_id, w.id, w.queued_at, w.turn + coalesce(b.running, 0) as turn
      from waiting
      join app.tenants t on t.tenant_id = waiting.tenant_id and t.status = 'active'
      left join busy b on b.tenant_id = t.tenant_id
      cross join lateral (
        select r.id, r.queued_at, row_number() over (order by r.queued_at, r.id) as turn
          from app.runs r where r.tenant_id = t.tenant_id and r.status = 'queued'
         order by r.queued_at, r.id limit least(greatest(t.run_cap - coalesce(b.running, 0), 0), p_limit)) w
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
   where r.tenant_id = any (array(select c.tenant_id from chosen c)) and r.id = any (array(select c.id from chosen c))
     and (r.tenant_id, r.id) in (select c.tenant_id, c.id from chosen c) and r.status in ('queued', 'running')
  returning r.tenant_id, r.id, r.session_id, r.epoch, r.seq, r.takeovers;
end $$;
revoke execute on function app.take_runs from public;
grant execute on function app.take_runs to enginex_app;
reset role;
revoke create on schema app from enginex_doors;
