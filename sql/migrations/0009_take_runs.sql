-- Taking runs costs as much as there are tenants that wait, not as there are runs: both walks name the index that holds
-- only what is queued, and the rows to change are found by their keys, whatever the planner believes of their number.
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
    (select r.tenant_id from app.runs r where r.status = 'queued' order by r.tenant_id, r.queued_at, r.id limit 1)
    union all
    select (select r.tenant_id from app.runs r where r.status = 'queued' and r.tenant_id > w.tenant_id
             order by r.tenant_id, r.queued_at, r.id limit 1)
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
   where r.tenant_id = any (array(select c.tenant_id from chosen c)) and r.id = any (array(select c.id from chosen c))
     and (r.tenant_id, r.id) in (select c.tenant_id, c.id from chosen c) and r.status in ('queued', 'running')
  returning r.tenant_id, r.id, r.session_id, r.epoch, r.seq;
end $$;
reset role;
revoke create on schema app from enginex_doors;
