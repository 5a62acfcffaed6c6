-- What a run leaves to read. The bytes are files; the rows say which.
create table app.reports (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  session_id uuid not null,
  run_id uuid not null,
  -- The engine's name for the call that wrote it: writing twice after a takeover is writing once.
  call text not null,
  title text not null,
  files jsonb not null,
  created_at timestamptz(3) not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, run_id, call),
  foreign key (tenant_id, session_id) references app.sessions (tenant_id, id),
  foreign key (tenant_id, run_id) references app.runs (tenant_id, id)
);
create index on app.reports (tenant_id, created_at desc, id desc);
create index on app.reports (tenant_id, session_id);
select app.protect('app.reports', 'select, insert');
