-- What a run asks the person in the chat, and what was answered.
create table app.messages (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  session_id uuid not null,
  run_id uuid not null,
  -- The engine's name for the question: asking twice after a takeover is asking once.
  call text not null,
  node_id text not null,
  prompt json not null,
  status text not null default 'pending' check (status in ('pending', 'answered', 'withdrawn')),
  text text check (length(text) between 1 and 16000),
  asked_at timestamptz(3) not null default now(),
  answered_at timestamptz(3),
  answered_by text,
  primary key (tenant_id, id),
  unique (tenant_id, run_id, call),
  foreign key (tenant_id, session_id) references app.sessions (tenant_id, id),
  foreign key (tenant_id, run_id) references app.runs (tenant_id, id),
  check ((status = 'answered') = (text is not null)),
  check ((text is null) = (answered_at is null)),
  check ((text is null) = (answered_by is null))
);
create index on app.messages (tenant_id, session_id, asked_at desc, id desc);
select app.protect('app.messages', 'select');
grant insert (session_id, run_id, call, node_id, prompt) on app.messages to enginex_app;
grant update (status, text, answered_at, answered_by) on app.messages to enginex_app;
