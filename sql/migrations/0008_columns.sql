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
