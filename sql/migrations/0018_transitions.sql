-- What a worker writes at each transition of a run, as one statement behind app.enter_run: a step costs one round trip.
--
-- A transition after which the run goes on tells nobody: PostgreSQL commits transactions that notify one after another,
-- each with its own wait for the disk, so that all workers together could not record more than that. The worker tells
-- of the session's events afterwards, of many sessions at once (app.announce_sessions). When it dies before that, the
-- transition that comes next tells of both. Whatever leaves a run to others (its end, a wait) notifies as it commits.

-- Appends events to a session under its lock, numbered without gaps. Invoker's rights: row level security decides whose
-- session it is. p_events: [{type, nodeId, data}, …] in order.
create function app.write_events(p_session uuid, p_run uuid, p_events jsonb) returns bigint
language plpgsql volatile set search_path = '' as $$
declare
  v_count constant integer := jsonb_array_length(p_events);
  v_last bigint;
begin
  if v_count = 0 then return null; end if;
  update app.sessions s set last_seq = s.last_seq + v_count where s.id = p_session returning s.last_seq into v_last;
  if v_last is null then raise exception 'no such session' using errcode = 'TN410'; end if;
  insert into app.session_events (session_id, seq, run_id, type, node_id, data)
  select p_session, v_last - v_count + e.ordinality, p_run, e.value ->> 'type', e.value ->> 'nodeId',
         coalesce(e.value -> 'data', '{}')
    from jsonb_array_elements(p_events) with ordinality e;
  return v_last;
end $$;

-- The same, and tells whoever watches the session as it commits.
create or replace function app.append_events(p_session uuid, p_run uuid, p_events jsonb) returns bigint
language plpgsql volatile set search_path = '' as $$
declare
  v_last constant bigint := app.write_events(p_session, p_run, p_events);
begin
  if v_last is not null then perform app.notify_change('session:' || p_session); end if;
  return v_last;
end $$;

-- Writes a transition as checkpoint p_seq. A run on which something was requested does not begin to wait.
--   p_change  {status, error, node, workedMs, state, kind} and, when the run was scored, score
--   p_writes  key -> value, kept as they were written
--   p_steps   [{step, attempt, nodeId, status, error}, …]: one for each attempt
create function app.record_transition(p_run uuid, p_session uuid, p_seq integer, p_change jsonb, p_writes json,
                                      p_steps jsonb, p_events jsonb)
returns table (status text, requested text, at timestamptz(3))
language plpgsql volatile set search_path = '' as $$
declare
  v_status constant text := p_change ->> 'status';
  v_goes_on constant boolean := v_status in ('running', 'waiting');
begin
  update app.runs r
     set seq = p_seq,
         takeovers = 0,
         status = case when v_status = 'waiting' and r.requested is not null then 'running' else v_status end,
         error = nullif(p_change -> 'error', 'null'),
         current_node = coalesce(p_change ->> 'node', r.current_node),
         worked_ms = r.worked_ms + (p_change ->> 'workedMs')::bigint,
         score = case when p_change ? 'score' then (p_change ->> 'score')::real else r.score end,
         requested = case when v_goes_on then r.requested end,
         finished_at = case when v_goes_on then r.finished_at else now() end
   where r.id = p_run
  returning r.status, r.requested, now() into status, requested, at;
  if status is null then raise exception 'no such run' using errcode = 'TN410'; end if;
  insert into app.run_memory (run_id, key, seq, value) select p_run, w.key, p_seq, w.value from json_each(p_writes) w;
  insert into app.checkpoints (run_id, seq, state, kind, node_id)
  values (p_run, p_seq, p_change -> 'state', p_change ->> 'kind', p_change ->> 'node');
  -- What an attempt that begins with this transition reads is what those before, and this one, have written.
  insert into app.run_steps as s (run_id, step, attempt, node_id, status, error, started_seq, finished_seq, finished_at)
  select p_run, n.step, n.attempt, n."nodeId", n.status, n.error, p_seq,
         case when n.status in ('completed', 'failed') then p_seq end,
         case when n.status in ('completed', 'failed') then now() end
    from jsonb_to_recordset(p_steps) as n (step integer, attempt integer, "nodeId" text, status text, error jsonb)
  on conflict on constraint run_steps_pkey do update
    set status = excluded.status, error = excluded.error, finished_seq = excluded.finished_seq,
        finished_at = excluded.finished_at;
  perform app.write_events(p_session, p_run, p_events);
  if status <> 'running' then
    perform app.notify_change('session:' || p_session);
    perform app.notify_change('runs');
  end if;
  return next;
end $$;
grant execute on function app.write_events, app.record_transition to enginex_app;

-- Tells whoever watches these sessions that something of them changed. Ids only, as app.notify_change. What is lost with
-- a crash is told again by the next transition, so nothing waits for the disk.
create function app.announce_sessions(p_tenants uuid[], p_sessions uuid[]) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  perform pg_notify('enginex', t.tenant || ':session:' || t.session) from unnest(p_tenants, p_sessions) as t (tenant, session);
end $$;
grant execute on function app.announce_sessions to enginex_app;
grant create on schema app to enginex_doors;
alter function app.announce_sessions owner to enginex_doors;
revoke create on schema app from enginex_doors;
