-- Questions to people that a run waits for, with their one answer.
create table app.approvals (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  session_id uuid not null,
  run_id uuid not null,
  -- The engine's name for the question: asking twice after a takeover is asking once.
  call text not null,
  node_id text not null,
  title text not null,
  payload json not null,
  payload_hash text not null,
  policy json,
  status text not null default 'pending' check (status in ('pending', 'approved', 'edited', 'rejected', 'withdrawn')),
  edited json,
  reason text,
  requested_at timestamptz(3) not null default now(),
  decided_at timestamptz(3),
  decided_by text,
  primary key (tenant_id, id),
  unique (tenant_id, run_id, call),
  foreign key (tenant_id, session_id) references app.sessions (tenant_id, id),
  foreign key (tenant_id, run_id) references app.runs (tenant_id, id),
  check ((status in ('pending', 'withdrawn')) = (decided_at is null)),
  check ((decided_at is null) = (decided_by is null))
);
create index on app.approvals (tenant_id, requested_at desc, id desc);
create index on app.approvals (tenant_id, session_id);
select app.protect('app.approvals', 'select, insert, update');
