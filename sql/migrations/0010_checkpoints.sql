-- Runs that begin at another entry, or at a checkpoint of an earlier run of the same session; and what each step read
-- and wrote, as places in the run's memory.
alter table app.sessions add column entry_point text;

alter table app.runs
  -- The checkpoint that this run goes on from; null for one that begins at the beginning.
  add column forked_from_run uuid,
  add column forked_from_seq integer,
  -- Time in the hands of workers, up to the last checkpoint; waiting for people or for a slot does not count.
  add column worked_ms bigint not null default 0,
  -- How far the goal was reached, 0 to 1; null when nothing was scored.
  add column score real check (score between 0 and 1),
  add foreign key (tenant_id, forked_from_run, forked_from_seq) references app.checkpoints (tenant_id, run_id, seq),
  add check ((forked_from_run is null) = (forked_from_seq is null));

-- A session has one run at a time.
create unique index on app.runs (tenant_id, session_id)
  where status in ('queued', 'running', 'waiting', 'paused');

alter table app.checkpoints
  add column kind text not null default 'node_complete'
    check (kind in ('node_start', 'node_complete', 'loop_iteration', 'human_approval')),
  add column node_id text;

-- Memory as of started_seq is what the step read, what was written at finished_seq is what it left.
alter table app.run_steps add column started_seq integer, add column finished_seq integer;

grant insert (entry_point) on app.sessions to enginex_app;
grant insert (forked_from_run, forked_from_seq, seq), update (worked_ms, score) on app.runs to enginex_app;
grant insert (kind, node_id) on app.checkpoints to enginex_app;
grant insert (started_seq, finished_seq), update (finished_seq) on app.run_steps to enginex_app;
