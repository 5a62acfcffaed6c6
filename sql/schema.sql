-- Printed from the catalog of a migrated database by `npm run generate`. The migrations are the source.

create table app.absences (
  tenant_id uuid not null default app.tenant_id(),
  user_id uuid not null default (split_part(app.actor(), ':'::text, 2))::uuid,
  delegate_id uuid not null,
  starts_at timestamp(3) with time zone not null,
  ends_at timestamp(3) with time zone not null,
  created_at timestamp(3) with time zone not null default now(),
  constraint absences_pkey PRIMARY KEY (tenant_id, user_id),
  constraint absences_check CHECK ((ends_at > starts_at)),
  constraint absences_check1 CHECK ((delegate_id <> user_id)),
  constraint absences_tenant_id_delegate_id_fkey FOREIGN KEY (tenant_id, delegate_id) REFERENCES app.memberships(tenant_id, user_id),
  constraint absences_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint absences_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES app.memberships(tenant_id, user_id)
);
CREATE INDEX absences_tenant_id_delegate_id_idx ON app.absences USING btree (tenant_id, delegate_id);
alter table app.absences enable row level security;
alter table app.absences force row level security;
create policy tenant on app.absences for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant delete, select on app.absences to enginex_app;
grant insert, select on app.absences to enginex_backup;
grant insert (delegate_id, starts_at, ends_at) on app.absences to enginex_app;

create table app.agent_versions (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  agent_id uuid not null,
  version text not null,
  digest text not null,
  bytes integer not null,
  manifest json not null,
  created_at timestamp(3) with time zone not null default now(),
  created_by text not null default app.actor(),
  constraint agent_versions_pkey PRIMARY KEY (tenant_id, id),
  constraint agent_versions_tenant_id_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES app.agents(tenant_id, id),
  constraint agent_versions_tenant_id_agent_id_id_key UNIQUE (tenant_id, agent_id, id),
  constraint agent_versions_tenant_id_agent_id_version_key UNIQUE (tenant_id, agent_id, version),
  constraint agent_versions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id)
);
CREATE INDEX agent_versions_tenant_id_agent_id_created_at_id_idx ON app.agent_versions USING btree (tenant_id, agent_id, created_at DESC, id DESC);
alter table app.agent_versions enable row level security;
alter table app.agent_versions force row level security;
create policy tenant on app.agent_versions for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.agent_versions to enginex_app;
grant insert, select on app.agent_versions to enginex_backup;
grant insert (agent_id, version, digest, bytes, manifest) on app.agent_versions to enginex_app;

create table app.agents (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  name text not null,
  description text not null default ''::text,
  status text not null default 'active'::text,
  active_version_id uuid,
  created_at timestamp(3) with time zone not null default now(),
  created_by text not null default app.actor(),
  constraint agents_pkey PRIMARY KEY (tenant_id, id),
  constraint agents_status_check CHECK ((status = ANY (ARRAY['active'::text, 'archived'::text]))),
  constraint agents_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint agents_tenant_id_id_active_version_id_fkey FOREIGN KEY (tenant_id, id, active_version_id) REFERENCES app.agent_versions(tenant_id, agent_id, id),
  constraint agents_tenant_id_name_key UNIQUE (tenant_id, name)
);
CREATE INDEX agents_tenant_id_created_at_id_idx ON app.agents USING btree (tenant_id, created_at DESC, id DESC);
alter table app.agents enable row level security;
alter table app.agents force row level security;
create policy tenant on app.agents for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.agents to enginex_app;
grant insert, select on app.agents to enginex_backup;
grant insert (name) on app.agents to enginex_app;
grant update (description, status, active_version_id) on app.agents to enginex_app;

create table app.approval_decisions (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  approval_id uuid not null,
  stage integer not null,
  decision text not null,
  actor text not null default app.actor(),
  for_user_id uuid,
  payload_hash text not null,
  stands_for text not null,
  edited json,
  reason text not null,
  decided_at timestamp(3) with time zone not null default now(),
  constraint approval_decisions_pkey PRIMARY KEY (tenant_id, id),
  constraint approval_decisions_decision_check CHECK ((decision = ANY (ARRAY['approve'::text, 'edit'::text, 'reject'::text, 'escalate'::text]))),
  constraint approval_decisions_tenant_id_approval_id_fkey FOREIGN KEY (tenant_id, approval_id) REFERENCES app.approvals(tenant_id, id),
  constraint approval_decisions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint approval_decisions_tenant_id_for_user_id_fkey FOREIGN KEY (tenant_id, for_user_id) REFERENCES app.memberships(tenant_id, user_id)
);
CREATE UNIQUE INDEX approval_decisions_tenant_id_approval_id_stage_payload_hash_idx ON app.approval_decisions USING btree (tenant_id, approval_id, stage, payload_hash, actor);
alter table app.approval_decisions enable row level security;
alter table app.approval_decisions force row level security;
create policy tenant on app.approval_decisions for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.approval_decisions to enginex_app;
grant insert, select on app.approval_decisions to enginex_backup;
grant insert (approval_id, stage, decision, for_user_id, payload_hash, stands_for, edited, reason) on app.approval_decisions to enginex_app;

create table app.approval_policies (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  name text not null,
  policy json not null,
  created_at timestamp(3) with time zone not null default now(),
  updated_at timestamp(3) with time zone not null default now(),
  updated_by text not null default app.actor(),
  constraint approval_policies_pkey PRIMARY KEY (tenant_id, id),
  constraint approval_policies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint approval_policies_tenant_id_name_key UNIQUE (tenant_id, name)
);
CREATE INDEX approval_policies_tenant_id_created_at_id_idx ON app.approval_policies USING btree (tenant_id, created_at DESC, id DESC);
alter table app.approval_policies enable row level security;
alter table app.approval_policies force row level security;
create policy tenant on app.approval_policies for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant delete, select on app.approval_policies to enginex_app;
grant insert, select on app.approval_policies to enginex_backup;
grant insert (name, policy) on app.approval_policies to enginex_app;
grant update (policy, updated_at, updated_by) on app.approval_policies to enginex_app;

create table app.approval_settings (
  tenant_id uuid not null default app.tenant_id(),
  approve_on_expiry boolean not null default false,
  updated_at timestamp(3) with time zone not null default now(),
  updated_by text not null default app.actor(),
  constraint approval_settings_pkey PRIMARY KEY (tenant_id),
  constraint approval_settings_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id)
);
alter table app.approval_settings enable row level security;
alter table app.approval_settings force row level security;
create policy tenant on app.approval_settings for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.approval_settings to enginex_app;
grant insert, select on app.approval_settings to enginex_backup;
grant insert (approve_on_expiry) on app.approval_settings to enginex_app;
grant update (approve_on_expiry, updated_at, updated_by) on app.approval_settings to enginex_app;

create table app.approvals (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  session_id uuid not null,
  run_id uuid not null,
  call text not null,
  node_id text not null,
  title text not null,
  payload json not null,
  payload_hash text not null,
  policy json,
  status text not null default 'pending'::text,
  edited json,
  reason text,
  requested_at timestamp(3) with time zone not null default now(),
  decided_at timestamp(3) with time zone,
  decided_by text,
  deciders text[] not null default '{role:operator,role:tenant-admin}'::text[],
  quorum integer not null default 1,
  escalated_deciders text[],
  escalated_quorum integer,
  stage integer not null default 1,
  requesters uuid[] not null default '{}'::uuid[],
  not_requester boolean not null default false,
  expires_at timestamp(3) with time zone,
  edited_hash text,
  decisive uuid[],
  constraint approvals_pkey PRIMARY KEY (tenant_id, id),
  constraint approvals_check CHECK (((status = ANY (ARRAY['pending'::text, 'withdrawn'::text])) = (decided_at IS NULL))),
  constraint approvals_check1 CHECK (((decided_at IS NULL) = (decided_by IS NULL))),
  constraint approvals_check2 CHECK (((escalated_deciders IS NULL) = (escalated_quorum IS NULL))),
  constraint approvals_check3 CHECK (((stage = 1) OR (escalated_deciders IS NOT NULL))),
  constraint approvals_check4 CHECK (((decisive IS NULL) = (decided_at IS NULL))),
  constraint approvals_escalated_quorum_check CHECK (((escalated_quorum >= 1) AND (escalated_quorum <= 10))),
  constraint approvals_quorum_check CHECK (((quorum >= 1) AND (quorum <= 10))),
  constraint approvals_stage_check CHECK ((stage = ANY (ARRAY[1, 2]))),
  constraint approvals_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'approved'::text, 'edited'::text, 'rejected'::text, 'withdrawn'::text]))),
  constraint approvals_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint approvals_tenant_id_run_id_call_key UNIQUE (tenant_id, run_id, call),
  constraint approvals_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES app.runs(tenant_id, id),
  constraint approvals_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions(tenant_id, id)
);
CREATE INDEX approvals_of_status ON app.approvals USING btree (tenant_id, status, requested_at DESC, id DESC);
CREATE INDEX approvals_tenant_id_expires_at_id_idx ON app.approvals USING btree (tenant_id, expires_at, id) WHERE ((status = 'pending'::text) AND (expires_at IS NOT NULL));
CREATE INDEX approvals_tenant_id_requested_at_id_idx ON app.approvals USING btree (tenant_id, requested_at DESC, id DESC);
CREATE INDEX approvals_tenant_id_session_id_idx ON app.approvals USING btree (tenant_id, session_id);
alter table app.approvals enable row level security;
alter table app.approvals force row level security;
create policy doors on app.approvals for select to enginex_doors using true;
create policy tenant on app.approvals for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.approvals to enginex_app;
grant insert, select on app.approvals to enginex_backup;
grant insert (session_id, run_id, call, node_id, title, payload, payload_hash, policy, deciders, quorum, escalated_deciders, escalated_quorum, requesters, not_requester, expires_at) on app.approvals to enginex_app;
grant update (status, edited, reason, decided_at, decided_by, stage, expires_at, edited_hash, decisive) on app.approvals to enginex_app;
grant select (tenant_id, id, status, expires_at) on app.approvals to enginex_doors;

create table app.audit_entries (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  actor text not null default app.actor(),
  action text not null,
  resource text,
  outcome text not null default 'done'::text,
  details jsonb not null default '{}'::jsonb,
  occurred_at timestamp(3) with time zone not null default now(),
  constraint audit_entries_pkey PRIMARY KEY (tenant_id, id),
  constraint audit_entries_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'denied'::text]))),
  constraint audit_entries_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id)
);
CREATE INDEX audit_entries_tenant_id_occurred_at_id_idx ON app.audit_entries USING btree (tenant_id, occurred_at DESC, id DESC);
alter table app.audit_entries enable row level security;
alter table app.audit_entries force row level security;
create policy doors_insert on app.audit_entries for insert to enginex_doors with check true;
create policy tenant on app.audit_entries for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.audit_entries to enginex_app;
grant insert, select on app.audit_entries to enginex_backup;
grant insert on app.audit_entries to enginex_doors;
grant insert (action, resource, details) on app.audit_entries to enginex_app;

create table app.checkpoints (
  tenant_id uuid not null default app.tenant_id(),
  run_id uuid not null,
  seq integer not null,
  state jsonb not null,
  created_at timestamp(3) with time zone not null default now(),
  kind text not null default 'node_complete'::text,
  node_id text,
  constraint checkpoints_pkey PRIMARY KEY (tenant_id, run_id, seq),
  constraint checkpoints_kind_check CHECK ((kind = ANY (ARRAY['node_start'::text, 'node_complete'::text, 'loop_iteration'::text, 'human_approval'::text]))),
  constraint checkpoints_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES app.runs(tenant_id, id)
);
alter table app.checkpoints enable row level security;
alter table app.checkpoints force row level security;
create policy tenant on app.checkpoints for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.checkpoints to enginex_app;
grant insert, select on app.checkpoints to enginex_backup;
grant insert (run_id, seq, state, kind, node_id) on app.checkpoints to enginex_app;

create table app.credentials (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  name text not null,
  type text not null,
  version integer not null default 1,
  key_names text[] not null,
  secret bytea not null,
  allowed_hosts text[] not null,
  expires_at timestamp(3) with time zone,
  created_at timestamp(3) with time zone not null default now(),
  created_by text not null default app.actor(),
  updated_at timestamp(3) with time zone not null default now(),
  constraint credentials_pkey PRIMARY KEY (tenant_id, id),
  constraint credentials_name_check CHECK ((name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'::text)),
  constraint credentials_secret_check CHECK ((length(secret) <= 300000)),
  constraint credentials_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint credentials_tenant_id_name_key UNIQUE (tenant_id, name),
  constraint credentials_type_check CHECK ((type = ANY (ARRAY['api_key'::text, 'basic_auth'::text, 'bearer_token'::text, 'oauth2'::text, 'custom'::text])))
);
CREATE INDEX credentials_tenant_id_created_at_id_idx ON app.credentials USING btree (tenant_id, created_at DESC, id DESC);
alter table app.credentials enable row level security;
alter table app.credentials force row level security;
create policy tenant on app.credentials for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant delete, select on app.credentials to enginex_app;
grant insert, select on app.credentials to enginex_backup;
grant insert (name, type, key_names, secret, allowed_hosts, expires_at) on app.credentials to enginex_app;
grant update (type, version, key_names, secret, allowed_hosts, expires_at, updated_at) on app.credentials to enginex_app;

create table app.denials (
  tenant_id uuid not null,
  minute timestamp(3) with time zone not null,
  actor text not null,
  route text not null,
  code text not null,
  count integer not null,
  constraint denials_pkey PRIMARY KEY (tenant_id, minute, actor, route, code),
  constraint denials_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id)
);
alter table app.denials enable row level security;
alter table app.denials force row level security;
create policy doors on app.denials for all to enginex_doors using true with check true;
create policy tenant on app.denials for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.denials to enginex_app;
grant insert, select on app.denials to enginex_backup;
grant insert, select, update on app.denials to enginex_doors;

create table app.directory (
  organization_id uuid not null,
  tenant_id uuid not null default uuidv7(),
  region text not null,
  alias text not null,
  name text not null,
  created_at timestamp(3) with time zone not null default now(),
  constraint directory_pkey PRIMARY KEY (organization_id),
  constraint directory_tenant_id_key UNIQUE (tenant_id)
);
CREATE INDEX directory_alias_idx ON app.directory USING btree (alias);
CREATE INDEX directory_created_at_organization_id_idx ON app.directory USING btree (created_at DESC, organization_id DESC);
grant insert, select on app.directory to enginex_doors;

create table app.mcp_servers (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  name text not null,
  description text not null,
  transport text not null,
  url text,
  headers json not null,
  command text,
  allowed_tools json not null,
  timeout_ms integer not null,
  version integer not null default 1,
  tools json,
  discovered_at timestamp(3) with time zone,
  created_at timestamp(3) with time zone not null default now(),
  created_by text not null default app.actor(),
  constraint mcp_servers_pkey PRIMARY KEY (tenant_id, id),
  constraint mcp_servers_check CHECK (((transport = 'streamable_http'::text) = (url IS NOT NULL))),
  constraint mcp_servers_check1 CHECK (((transport = 'stdio'::text) = (command IS NOT NULL))),
  constraint mcp_servers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint mcp_servers_tenant_id_name_key UNIQUE (tenant_id, name),
  constraint mcp_servers_transport_check CHECK ((transport = ANY (ARRAY['streamable_http'::text, 'stdio'::text])))
);
CREATE INDEX mcp_servers_tenant_id_created_at_id_idx ON app.mcp_servers USING btree (tenant_id, created_at DESC, id DESC);
alter table app.mcp_servers enable row level security;
alter table app.mcp_servers force row level security;
create policy tenant on app.mcp_servers for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant delete, select on app.mcp_servers to enginex_app;
grant insert, select on app.mcp_servers to enginex_backup;
grant insert (name, description, transport, url, headers, command, allowed_tools, timeout_ms) on app.mcp_servers to enginex_app;
grant update (description, transport, url, headers, command, allowed_tools, timeout_ms, version, tools, discovered_at) on app.mcp_servers to enginex_app;

create table app.memberships (
  tenant_id uuid not null default app.tenant_id(),
  user_id uuid not null,
  kind text not null default 'user'::text,
  status text not null default 'active'::text,
  roles text[] not null,
  tokens_not_before timestamp(3) with time zone not null default '-infinity'::timestamp with time zone,
  created_at timestamp(3) with time zone not null default now(),
  updated_at timestamp(3) with time zone not null default now(),
  constraint memberships_pkey PRIMARY KEY (tenant_id, user_id),
  constraint memberships_kind_check CHECK ((kind = ANY (ARRAY['user'::text, 'service-account'::text]))),
  constraint memberships_status_check CHECK ((status = ANY (ARRAY['active'::text, 'removed'::text]))),
  constraint memberships_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id)
);
CREATE INDEX memberships_user_id_idx ON app.memberships USING btree (user_id);
alter table app.memberships enable row level security;
alter table app.memberships force row level security;
create policy doors on app.memberships for all to enginex_doors using true with check true;
create policy guard on app.memberships for select to enginex_guard using true;
create policy tenant on app.memberships for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
CREATE TRIGGER changed AFTER UPDATE ON app.memberships FOR EACH ROW WHEN (((old.status IS DISTINCT FROM new.status) OR (old.roles IS DISTINCT FROM new.roles) OR (old.tokens_not_before IS DISTINCT FROM new.tokens_not_before))) EXECUTE FUNCTION app.membership_changed();
grant select on app.memberships to enginex_app;
grant insert, select on app.memberships to enginex_backup;
grant insert, select, update on app.memberships to enginex_doors;
grant select (tenant_id, user_id, kind, status, roles, tokens_not_before) on app.memberships to enginex_guard;

create table app.messages (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  session_id uuid not null,
  run_id uuid not null,
  call text not null,
  node_id text not null,
  prompt json not null,
  status text not null default 'pending'::text,
  text text,
  asked_at timestamp(3) with time zone not null default now(),
  answered_at timestamp(3) with time zone,
  answered_by text,
  constraint messages_pkey PRIMARY KEY (tenant_id, id),
  constraint messages_check CHECK (((status = 'answered'::text) = (text IS NOT NULL))),
  constraint messages_check1 CHECK (((text IS NULL) = (answered_at IS NULL))),
  constraint messages_check2 CHECK (((text IS NULL) = (answered_by IS NULL))),
  constraint messages_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'answered'::text, 'withdrawn'::text]))),
  constraint messages_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint messages_tenant_id_run_id_call_key UNIQUE (tenant_id, run_id, call),
  constraint messages_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES app.runs(tenant_id, id),
  constraint messages_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions(tenant_id, id),
  constraint messages_text_check CHECK (((length(text) >= 1) AND (length(text) <= 16000)))
);
CREATE INDEX messages_tenant_id_session_id_asked_at_id_idx ON app.messages USING btree (tenant_id, session_id, asked_at DESC, id DESC);
alter table app.messages enable row level security;
alter table app.messages force row level security;
create policy tenant on app.messages for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.messages to enginex_app;
grant insert, select on app.messages to enginex_backup;
grant insert (session_id, run_id, call, node_id, prompt) on app.messages to enginex_app;
grant update (status, text, answered_at, answered_by) on app.messages to enginex_app;

create table app.model_calls (
  tenant_id uuid not null default app.tenant_id(),
  run_id uuid not null,
  call text not null,
  position smallint not null,
  step integer not null,
  attempt integer not null,
  node_id text not null,
  kind text not null,
  purpose text,
  provider text not null,
  model text not null,
  requests integer not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cost numeric(30,12),
  duration_ms bigint not null,
  finish text,
  error_code text,
  created_at timestamp(3) with time zone not null default now(),
  constraint model_calls_pkey PRIMARY KEY (tenant_id, run_id, call, "position"),
  constraint model_calls_check CHECK (((finish IS NULL) <> (error_code IS NULL))),
  constraint model_calls_input_tokens_check CHECK ((input_tokens >= 0)),
  constraint model_calls_output_tokens_check CHECK ((output_tokens >= 0)),
  constraint model_calls_position_check CHECK ((("position" >= 0) AND ("position" <= 9))),
  constraint model_calls_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint model_calls_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES app.runs(tenant_id, id)
);
CREATE INDEX model_calls_tenant_id_created_at_idx ON app.model_calls USING btree (tenant_id, created_at);
alter table app.model_calls enable row level security;
alter table app.model_calls force row level security;
create policy tenant on app.model_calls for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.model_calls to enginex_app;
grant insert, select on app.model_calls to enginex_backup;
grant insert (run_id, call, position, step, attempt, node_id, kind, purpose, provider, model, requests, input_tokens, output_tokens, cost, duration_ms, finish, error_code) on app.model_calls to enginex_app;

create table app.model_rates (
  tenant_id uuid not null default app.tenant_id(),
  next_at timestamp with time zone not null default now(),
  constraint model_rates_pkey PRIMARY KEY (tenant_id),
  constraint model_rates_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id)
);
alter table app.model_rates enable row level security;
alter table app.model_rates force row level security;
create policy tenant on app.model_rates for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.model_rates to enginex_app;
grant insert, select on app.model_rates to enginex_backup;
grant insert (next_at) on app.model_rates to enginex_app;
grant update (next_at) on app.model_rates to enginex_app;

create table app.model_settings (
  tenant_id uuid not null default app.tenant_id(),
  purpose text not null,
  provider text not null,
  model text not null,
  base_url text,
  credential text,
  credential_key text,
  temperature real,
  max_tokens integer not null,
  timeout_ms integer not null,
  input_price numeric(20,8),
  output_price numeric(20,8),
  fallbacks text[] not null,
  created_at timestamp(3) with time zone not null default now(),
  created_by text not null default app.actor(),
  updated_at timestamp(3) with time zone not null default now(),
  constraint model_settings_pkey PRIMARY KEY (tenant_id, purpose),
  constraint model_settings_check CHECK (((credential IS NULL) = (credential_key IS NULL))),
  constraint model_settings_check1 CHECK (((provider <> 'openai_compatible'::text) OR (base_url IS NOT NULL))),
  constraint model_settings_input_price_check CHECK ((input_price >= (0)::numeric)),
  constraint model_settings_max_tokens_check CHECK (((max_tokens >= 1) AND (max_tokens <= 1000000))),
  constraint model_settings_model_check CHECK (((length(model) >= 1) AND (length(model) <= 200))),
  constraint model_settings_output_price_check CHECK ((output_price >= (0)::numeric)),
  constraint model_settings_provider_check CHECK ((provider = ANY (ARRAY['openai'::text, 'anthropic'::text, 'openai_compatible'::text]))),
  constraint model_settings_purpose_check CHECK ((purpose ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'::text)),
  constraint model_settings_temperature_check CHECK (((temperature >= (0)::double precision) AND (temperature <= (2)::double precision))),
  constraint model_settings_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint model_settings_timeout_ms_check CHECK (((timeout_ms >= 1000) AND (timeout_ms <= 600000)))
);
alter table app.model_settings enable row level security;
alter table app.model_settings force row level security;
create policy tenant on app.model_settings for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant delete, select on app.model_settings to enginex_app;
grant insert, select on app.model_settings to enginex_backup;
grant insert (purpose, provider, model, base_url, credential, credential_key, temperature, max_tokens, timeout_ms, input_price, output_price, fallbacks) on app.model_settings to enginex_app;
grant update (provider, model, base_url, credential, credential_key, temperature, max_tokens, timeout_ms, input_price, output_price, fallbacks, updated_at) on app.model_settings to enginex_app;

create table app.notification_deliveries (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  endpoint_id uuid,
  user_id uuid,
  type text not null,
  data jsonb not null,
  status text not null default 'pending'::text,
  attempts integer not null default 0,
  due_at timestamp(3) with time zone not null default now(),
  taken boolean not null default false,
  response_status integer,
  error text,
  created_at timestamp(3) with time zone not null default now(),
  finished_at timestamp(3) with time zone,
  constraint notification_deliveries_pkey PRIMARY KEY (tenant_id, id),
  constraint notification_deliveries_check CHECK (((endpoint_id IS NULL) <> (user_id IS NULL))),
  constraint notification_deliveries_check1 CHECK (((status = 'pending'::text) = (finished_at IS NULL))),
  constraint notification_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text]))),
  constraint notification_deliveries_tenant_id_endpoint_id_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES app.notification_endpoints(tenant_id, id) ON DELETE CASCADE,
  constraint notification_deliveries_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint notification_deliveries_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES app.memberships(tenant_id, user_id)
);
CREATE INDEX notification_deliveries_tenant_id_created_at_id_idx ON app.notification_deliveries USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX notification_deliveries_tenant_id_due_at_id_idx ON app.notification_deliveries USING btree (tenant_id, due_at, id) WHERE (status = 'pending'::text);
CREATE INDEX notification_deliveries_tenant_id_endpoint_id_created_at_id_idx ON app.notification_deliveries USING btree (tenant_id, endpoint_id, created_at DESC, id DESC);
CREATE INDEX notification_deliveries_tenant_id_idx ON app.notification_deliveries USING btree (tenant_id) WHERE ((status = 'pending'::text) AND taken);
alter table app.notification_deliveries enable row level security;
alter table app.notification_deliveries force row level security;
create policy doors on app.notification_deliveries for all to enginex_doors using true with check true;
create policy tenant on app.notification_deliveries for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.notification_deliveries to enginex_app;
grant insert, select on app.notification_deliveries to enginex_backup;
grant insert (endpoint_id, user_id, type, data) on app.notification_deliveries to enginex_app;
grant update (status, attempts, due_at, taken, response_status, error, finished_at) on app.notification_deliveries to enginex_app;
grant select (tenant_id, id, status, attempts, due_at, taken) on app.notification_deliveries to enginex_doors;
grant update (attempts, due_at, taken) on app.notification_deliveries to enginex_doors;

create table app.notification_endpoints (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  url text not null,
  events text[] not null,
  secret_id uuid not null,
  secret bytea not null,
  enabled boolean not null default true,
  disabled_reason text,
  failing_since timestamp(3) with time zone,
  created_at timestamp(3) with time zone not null default now(),
  created_by text not null default app.actor(),
  constraint notification_endpoints_pkey PRIMARY KEY (tenant_id, id),
  constraint notification_endpoints_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id)
);
CREATE INDEX notification_endpoints_tenant_id_created_at_id_idx ON app.notification_endpoints USING btree (tenant_id, created_at DESC, id DESC);
alter table app.notification_endpoints enable row level security;
alter table app.notification_endpoints force row level security;
create policy tenant on app.notification_endpoints for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant delete, select on app.notification_endpoints to enginex_app;
grant insert, select on app.notification_endpoints to enginex_backup;
grant insert (url, events, secret_id, secret) on app.notification_endpoints to enginex_app;
grant update (url, events, secret_id, secret, enabled, disabled_reason, failing_since) on app.notification_endpoints to enginex_app;

create table app.notification_preferences (
  tenant_id uuid not null default app.tenant_id(),
  user_id uuid not null default (split_part(app.actor(), ':'::text, 2))::uuid,
  mail boolean not null,
  constraint notification_preferences_pkey PRIMARY KEY (tenant_id, user_id),
  constraint notification_preferences_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint notification_preferences_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES app.memberships(tenant_id, user_id)
);
alter table app.notification_preferences enable row level security;
alter table app.notification_preferences force row level security;
create policy tenant on app.notification_preferences for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.notification_preferences to enginex_app;
grant insert, select on app.notification_preferences to enginex_backup;
grant insert (mail) on app.notification_preferences to enginex_app;
grant update (mail) on app.notification_preferences to enginex_app;

create table app.reports (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  session_id uuid not null,
  run_id uuid not null,
  call text not null,
  title text not null,
  files jsonb not null,
  created_at timestamp(3) with time zone not null default now(),
  constraint reports_pkey PRIMARY KEY (tenant_id, id),
  constraint reports_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint reports_tenant_id_run_id_call_key UNIQUE (tenant_id, run_id, call),
  constraint reports_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES app.runs(tenant_id, id),
  constraint reports_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions(tenant_id, id)
);
CREATE INDEX reports_tenant_id_created_at_id_idx ON app.reports USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX reports_tenant_id_session_id_idx ON app.reports USING btree (tenant_id, session_id);
alter table app.reports enable row level security;
alter table app.reports force row level security;
create policy tenant on app.reports for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.reports to enginex_app;
grant insert, select on app.reports to enginex_backup;
grant insert (session_id, run_id, call, title, files) on app.reports to enginex_app;

create table app.role_permissions (
  permission text not null,
  roles text[] not null,
  constraint role_permissions_pkey PRIMARY KEY (permission)
);
grant select on app.role_permissions to enginex_doors;
grant select on app.role_permissions to enginex_guard;

create table app.run_memory (
  tenant_id uuid not null default app.tenant_id(),
  run_id uuid not null,
  key text not null,
  seq integer not null,
  value json not null,
  constraint run_memory_pkey PRIMARY KEY (tenant_id, run_id, key, seq),
  constraint run_memory_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES app.runs(tenant_id, id)
);
alter table app.run_memory enable row level security;
alter table app.run_memory force row level security;
create policy tenant on app.run_memory for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.run_memory to enginex_app;
grant insert, select on app.run_memory to enginex_backup;
grant insert (run_id, key, seq, value) on app.run_memory to enginex_app;

create table app.run_steps (
  tenant_id uuid not null default app.tenant_id(),
  run_id uuid not null,
  step integer not null,
  attempt integer not null,
  node_id text not null,
  status text not null,
  error jsonb,
  started_at timestamp(3) with time zone not null default now(),
  finished_at timestamp(3) with time zone,
  started_seq integer,
  finished_seq integer,
  constraint run_steps_pkey PRIMARY KEY (tenant_id, run_id, step, attempt),
  constraint run_steps_status_check CHECK ((status = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text, 'waiting'::text]))),
  constraint run_steps_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES app.runs(tenant_id, id)
);
alter table app.run_steps enable row level security;
alter table app.run_steps force row level security;
create policy tenant on app.run_steps for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.run_steps to enginex_app;
grant insert, select on app.run_steps to enginex_backup;
grant insert (run_id, step, attempt, node_id, status, error, finished_at, started_seq, finished_seq) on app.run_steps to enginex_app;
grant update (status, error, finished_at, finished_seq) on app.run_steps to enginex_app;

create table app.runs (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  session_id uuid not null,
  status text not null default 'queued'::text,
  requested text,
  epoch integer not null default 0,
  worker_id uuid,
  seq integer not null default 0,
  current_node text,
  error jsonb,
  queued_at timestamp(3) with time zone not null default now(),
  slot_at timestamp(3) with time zone,
  heartbeat_at timestamp(3) with time zone,
  started_at timestamp(3) with time zone,
  finished_at timestamp(3) with time zone,
  created_by text not null default app.actor(),
  takeovers integer not null default 0,
  forked_from_run uuid,
  forked_from_seq integer,
  worked_ms bigint not null default 0,
  score real,
  trigger_id uuid,
  requested_by uuid default app.person_behind(),
  constraint runs_pkey PRIMARY KEY (tenant_id, id),
  constraint runs_check CHECK (((forked_from_run IS NULL) = (forked_from_seq IS NULL))),
  constraint runs_requested_check CHECK ((requested = ANY (ARRAY['pause'::text, 'cancel'::text]))),
  constraint runs_score_check CHECK (((score >= (0)::double precision) AND (score <= (1)::double precision))),
  constraint runs_status_check CHECK ((status = ANY (ARRAY['queued'::text, 'running'::text, 'waiting'::text, 'paused'::text, 'completed'::text, 'rejected'::text, 'failed'::text, 'cancelled'::text]))),
  constraint runs_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint runs_tenant_id_forked_from_run_forked_from_seq_fkey FOREIGN KEY (tenant_id, forked_from_run, forked_from_seq) REFERENCES app.checkpoints(tenant_id, run_id, seq),
  constraint runs_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions(tenant_id, id)
);
CREATE INDEX runs_tenant_id_heartbeat_at_idx ON app.runs USING btree (tenant_id, heartbeat_at) WHERE (status = 'running'::text);
CREATE INDEX runs_tenant_id_queued_at_id_idx ON app.runs USING btree (tenant_id, queued_at, id) WHERE (status = 'queued'::text);
CREATE UNIQUE INDEX runs_tenant_id_session_id_idx ON app.runs USING btree (tenant_id, session_id) WHERE (status = ANY (ARRAY['queued'::text, 'running'::text, 'waiting'::text, 'paused'::text]));
CREATE INDEX runs_tenant_id_session_id_queued_at_id_idx ON app.runs USING btree (tenant_id, session_id, queued_at DESC, id DESC);
CREATE INDEX runs_tenant_id_trigger_id_idx ON app.runs USING btree (tenant_id, trigger_id) WHERE ((trigger_id IS NOT NULL) AND (status = ANY (ARRAY['queued'::text, 'running'::text, 'waiting'::text, 'paused'::text])));
alter table app.runs enable row level security;
alter table app.runs force row level security;
create policy doors on app.runs for all to enginex_doors using true with check true;
create policy guard on app.runs for all to enginex_guard using true with check false;
create policy tenant on app.runs for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.runs to enginex_app;
grant insert, select on app.runs to enginex_backup;
grant select, update on app.runs to enginex_doors;
grant insert (session_id, seq, forked_from_run, forked_from_seq, trigger_id) on app.runs to enginex_app;
grant update (status, requested, epoch, worker_id, seq, current_node, error, queued_at, heartbeat_at, finished_at, takeovers, worked_ms, score) on app.runs to enginex_app;
grant select (tenant_id, id, status, epoch, created_by, requested_by) on app.runs to enginex_guard;
grant update (epoch) on app.runs to enginex_guard;

create table app.session_events (
  tenant_id uuid not null default app.tenant_id(),
  session_id uuid not null,
  seq bigint not null,
  run_id uuid,
  type text not null,
  node_id text,
  data jsonb not null,
  created_at timestamp(3) with time zone not null default now(),
  constraint session_events_pkey PRIMARY KEY (tenant_id, session_id, seq),
  constraint session_events_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES app.runs(tenant_id, id),
  constraint session_events_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions(tenant_id, id)
);
alter table app.session_events enable row level security;
alter table app.session_events force row level security;
create policy tenant on app.session_events for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
CREATE TRIGGER told AFTER INSERT ON app.session_events FOR EACH ROW WHEN (((new.type = ANY (ARRAY['approval_requested'::text, 'approval_escalated'::text, 'approval_expired'::text, 'approval_decided'::text, 'execution_completed'::text, 'execution_failed'::text])) AND (CURRENT_USER <> 'enginex_backup'::name))) EXECUTE FUNCTION app.tell_outside();
grant select on app.session_events to enginex_app;
grant insert, select on app.session_events to enginex_backup;
grant insert (session_id, seq, run_id, type, node_id, data) on app.session_events to enginex_app;

create table app.session_files (
  tenant_id uuid not null default app.tenant_id(),
  session_id uuid not null,
  name text not null,
  media_type text not null,
  bytes bigint not null,
  sha256 text not null,
  constraint session_files_pkey PRIMARY KEY (tenant_id, session_id, name),
  constraint session_files_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint session_files_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions(tenant_id, id)
);
alter table app.session_files enable row level security;
alter table app.session_files force row level security;
create policy tenant on app.session_files for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.session_files to enginex_app;
grant insert, select on app.session_files to enginex_backup;
grant insert (session_id, name, media_type, bytes, sha256) on app.session_files to enginex_app;

create table app.session_starts (
  tenant_id uuid not null default app.tenant_id(),
  session_id uuid not null,
  run_id uuid not null,
  call text not null,
  root_id uuid not null,
  depth integer not null,
  constraint session_starts_pkey PRIMARY KEY (tenant_id, session_id),
  constraint session_starts_depth_check CHECK (((depth >= 1) AND (depth <= 10))),
  constraint session_starts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint session_starts_tenant_id_root_id_fkey FOREIGN KEY (tenant_id, root_id) REFERENCES app.sessions(tenant_id, id),
  constraint session_starts_tenant_id_run_id_call_key UNIQUE (tenant_id, run_id, call),
  constraint session_starts_tenant_id_run_id_fkey FOREIGN KEY (tenant_id, run_id) REFERENCES app.runs(tenant_id, id),
  constraint session_starts_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions(tenant_id, id)
);
CREATE INDEX session_starts_tenant_id_root_id_idx ON app.session_starts USING btree (tenant_id, root_id);
alter table app.session_starts enable row level security;
alter table app.session_starts force row level security;
create policy tenant on app.session_starts for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.session_starts to enginex_app;
grant insert, select on app.session_starts to enginex_backup;
grant insert (session_id, run_id, call, root_id, depth) on app.session_starts to enginex_app;

create table app.sessions (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  agent_id uuid not null,
  agent_version_id uuid not null,
  title text not null,
  input json not null,
  last_seq bigint not null default 0,
  created_at timestamp(3) with time zone not null default now(),
  created_by text not null default app.actor(),
  entry_point text,
  constraint sessions_pkey PRIMARY KEY (tenant_id, id),
  constraint sessions_tenant_id_agent_id_agent_version_id_fkey FOREIGN KEY (tenant_id, agent_id, agent_version_id) REFERENCES app.agent_versions(tenant_id, agent_id, id),
  constraint sessions_tenant_id_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES app.agents(tenant_id, id),
  constraint sessions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id)
);
CREATE INDEX sessions_tenant_id_agent_id_created_at_id_idx ON app.sessions USING btree (tenant_id, agent_id, created_at DESC, id DESC);
CREATE INDEX sessions_tenant_id_created_at_id_idx ON app.sessions USING btree (tenant_id, created_at DESC, id DESC);
alter table app.sessions enable row level security;
alter table app.sessions force row level security;
create policy tenant on app.sessions for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.sessions to enginex_app;
grant insert, select on app.sessions to enginex_backup;
grant insert (agent_id, agent_version_id, title, input, entry_point) on app.sessions to enginex_app;
grant update (last_seq) on app.sessions to enginex_app;

create table app.sign_outs (
  user_id uuid not null,
  tokens_not_before timestamp(3) with time zone not null,
  constraint sign_outs_pkey PRIMARY KEY (user_id)
);
grant insert, select, update on app.sign_outs to enginex_doors;

create table app.skills (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  name text not null,
  description text not null,
  text text not null,
  created_at timestamp(3) with time zone not null default now(),
  created_by text not null default app.actor(),
  constraint skills_pkey PRIMARY KEY (tenant_id, id),
  constraint skills_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint skills_tenant_id_name_key UNIQUE (tenant_id, name)
);
CREATE INDEX skills_tenant_id_created_at_id_idx ON app.skills USING btree (tenant_id, created_at DESC, id DESC);
alter table app.skills enable row level security;
alter table app.skills force row level security;
create policy tenant on app.skills for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant delete, select on app.skills to enginex_app;
grant insert, select on app.skills to enginex_backup;
grant insert (name, description, text) on app.skills to enginex_app;
grant update (description, text) on app.skills to enginex_app;

create table app.tasks (
  tenant_id uuid not null default app.tenant_id(),
  session_id uuid not null,
  key text not null,
  title text not null,
  status text not null,
  detail text,
  created_at timestamp(3) with time zone not null default now(),
  updated_at timestamp(3) with time zone not null default now(),
  constraint tasks_pkey PRIMARY KEY (tenant_id, session_id, key),
  constraint tasks_detail_check CHECK ((length(detail) <= 4000)),
  constraint tasks_key_check CHECK (((length(key) >= 1) AND (length(key) <= 64))),
  constraint tasks_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'in_progress'::text, 'blocked'::text, 'completed'::text, 'cancelled'::text]))),
  constraint tasks_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint tasks_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions(tenant_id, id),
  constraint tasks_title_check CHECK (((length(title) >= 1) AND (length(title) <= 200)))
);
alter table app.tasks enable row level security;
alter table app.tasks force row level security;
create policy tenant on app.tasks for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.tasks to enginex_app;
grant insert, select on app.tasks to enginex_backup;
grant insert (session_id, key, title, status, detail) on app.tasks to enginex_app;
grant update (title, status, detail, updated_at) on app.tasks to enginex_app;

create table app.tenants (
  tenant_id uuid not null,
  status text not null default 'active'::text,
  run_cap integer not null default 4,
  created_at timestamp(3) with time zone not null default now(),
  model_calls_per_minute integer not null default 300,
  constraint tenants_pkey PRIMARY KEY (tenant_id),
  constraint tenants_model_calls_per_minute_check CHECK (((model_calls_per_minute >= 1) AND (model_calls_per_minute <= 1000000))),
  constraint tenants_run_cap_check CHECK (((run_cap >= 1) AND (run_cap <= 1000))),
  constraint tenants_status_check CHECK ((status = ANY (ARRAY['active'::text, 'suspended'::text]))),
  constraint tenants_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.directory(tenant_id)
);
alter table app.tenants enable row level security;
alter table app.tenants force row level security;
create policy doors on app.tenants for all to enginex_doors using true with check true;
create policy guard on app.tenants for select to enginex_guard using true;
create policy tenant on app.tenants for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
CREATE TRIGGER changed AFTER UPDATE ON app.tenants FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION app.tenant_changed();
grant select on app.tenants to enginex_app;
grant insert, select on app.tenants to enginex_backup;
grant insert, select, update on app.tenants to enginex_doors;
grant select (tenant_id, status) on app.tenants to enginex_guard;

create table app.trigger_firings (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  trigger_id uuid not null,
  key text,
  due_at timestamp(3) with time zone,
  outcome text not null,
  reason json,
  session_id uuid,
  fired_at timestamp(3) with time zone not null default now(),
  fired_by text not null default app.actor(),
  constraint trigger_firings_pkey PRIMARY KEY (tenant_id, id),
  constraint trigger_firings_check CHECK (((outcome = 'started'::text) = (session_id IS NOT NULL))),
  constraint trigger_firings_check1 CHECK (((outcome = 'started'::text) = (reason IS NULL))),
  constraint trigger_firings_key_check CHECK (((length(key) >= 1) AND (length(key) <= 400))),
  constraint trigger_firings_outcome_check CHECK ((outcome = ANY (ARRAY['started'::text, 'skipped'::text, 'failed'::text]))),
  constraint trigger_firings_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint trigger_firings_tenant_id_session_id_fkey FOREIGN KEY (tenant_id, session_id) REFERENCES app.sessions(tenant_id, id),
  constraint trigger_firings_tenant_id_trigger_id_fkey FOREIGN KEY (tenant_id, trigger_id) REFERENCES app.triggers(tenant_id, id) ON DELETE CASCADE,
  constraint trigger_firings_tenant_id_trigger_id_key_key UNIQUE (tenant_id, trigger_id, key)
);
CREATE INDEX trigger_firings_tenant_id_trigger_id_fired_at_id_idx ON app.trigger_firings USING btree (tenant_id, trigger_id, fired_at DESC, id DESC);
alter table app.trigger_firings enable row level security;
alter table app.trigger_firings force row level security;
create policy tenant on app.trigger_firings for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant delete, select on app.trigger_firings to enginex_app;
grant insert, select on app.trigger_firings to enginex_backup;
grant insert (trigger_id, key, due_at, outcome, reason, session_id) on app.trigger_firings to enginex_app;

create table app.triggers (
  tenant_id uuid not null default app.tenant_id(),
  id uuid not null default uuidv7(),
  name text not null,
  kind text not null,
  agent_id uuid not null,
  entry_point text,
  input json not null default '{}'::json,
  payload_key text,
  schedule json,
  jitter_seconds integer not null default 0,
  run_immediately boolean not null default false,
  misfire text not null default 'fire_once'::text,
  max_concurrent integer not null,
  enabled boolean not null default true,
  disabled_reason text,
  owner uuid not null default (split_part(app.actor(), ':'::text, 2))::uuid,
  due_at timestamp(3) with time zone,
  next_at timestamp(3) with time zone,
  last_at timestamp(3) with time zone,
  last_session_id uuid,
  secret bytea,
  secret_version integer not null default 0,
  previous_secret bytea,
  previous_until timestamp(3) with time zone,
  created_at timestamp(3) with time zone not null default now(),
  created_by text not null default app.actor(),
  constraint triggers_pkey PRIMARY KEY (tenant_id, id),
  constraint triggers_check CHECK (((kind = 'timer'::text) = (schedule IS NOT NULL))),
  constraint triggers_check1 CHECK (((kind = 'webhook'::text) = (payload_key IS NOT NULL))),
  constraint triggers_check2 CHECK (((kind = 'webhook'::text) OR (secret IS NULL))),
  constraint triggers_check3 CHECK ((enabled = (disabled_reason IS NULL))),
  constraint triggers_check4 CHECK (((due_at IS NULL) OR (enabled AND (kind = 'timer'::text)))),
  constraint triggers_check5 CHECK (((next_at IS NULL) OR (due_at IS NOT NULL))),
  constraint triggers_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['by_request'::text, 'owner_left'::text]))),
  constraint triggers_jitter_seconds_check CHECK (((jitter_seconds >= 0) AND (jitter_seconds <= 3600))),
  constraint triggers_kind_check CHECK ((kind = ANY (ARRAY['timer'::text, 'webhook'::text, 'api'::text]))),
  constraint triggers_max_concurrent_check CHECK (((max_concurrent >= 1) AND (max_concurrent <= 1000))),
  constraint triggers_misfire_check CHECK ((misfire = ANY (ARRAY['skip'::text, 'fire_once'::text, 'fire_all'::text]))),
  constraint triggers_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
  constraint triggers_tenant_id_agent_id_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES app.agents(tenant_id, id),
  constraint triggers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint triggers_tenant_id_last_session_id_fkey FOREIGN KEY (tenant_id, last_session_id) REFERENCES app.sessions(tenant_id, id),
  constraint triggers_tenant_id_name_key UNIQUE (tenant_id, name),
  constraint triggers_tenant_id_owner_fkey FOREIGN KEY (tenant_id, owner) REFERENCES app.memberships(tenant_id, user_id)
);
CREATE INDEX triggers_id_idx ON app.triggers USING btree (id) WHERE (kind = 'webhook'::text);
CREATE INDEX triggers_next_at_idx ON app.triggers USING btree (next_at) WHERE (next_at IS NOT NULL);
CREATE INDEX triggers_tenant_id_created_at_id_idx ON app.triggers USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX triggers_tenant_id_owner_idx ON app.triggers USING btree (tenant_id, owner);
alter table app.triggers enable row level security;
alter table app.triggers force row level security;
create policy doors on app.triggers for all to enginex_doors using true with check true;
create policy guard on app.triggers for all to enginex_guard using true with check false;
create policy tenant on app.triggers for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
CREATE TRIGGER adopted BEFORE UPDATE ON app.triggers FOR EACH ROW WHEN (((old.owner IS DISTINCT FROM new.owner) OR (old.entry_point IS DISTINCT FROM new.entry_point) OR ((old.input)::text IS DISTINCT FROM (new.input)::text) OR (old.payload_key IS DISTINCT FROM new.payload_key) OR (old.secret_version IS DISTINCT FROM new.secret_version))) EXECUTE FUNCTION app.own_trigger();
grant delete, select on app.triggers to enginex_app;
grant insert, select on app.triggers to enginex_backup;
grant insert (name, kind, agent_id, entry_point, input, payload_key, schedule, jitter_seconds, run_immediately, misfire, max_concurrent) on app.triggers to enginex_app;
grant update (name, entry_point, input, payload_key, schedule, jitter_seconds, run_immediately, misfire, max_concurrent, enabled, disabled_reason, owner, due_at, next_at, last_at, last_session_id, secret, secret_version, previous_secret, previous_until) on app.triggers to enginex_app;
grant select (tenant_id, id, kind, enabled, owner, due_at, next_at, secret, secret_version, previous_secret, previous_until) on app.triggers to enginex_doors;
grant update (enabled, disabled_reason, due_at, next_at) on app.triggers to enginex_doors;
grant select (tenant_id, id, enabled, owner) on app.triggers to enginex_guard;
grant update (owner) on app.triggers to enginex_guard;

create table app.users (
  tenant_id uuid not null default app.tenant_id(),
  user_id uuid not null,
  email text,
  name text,
  last_seen_at timestamp(3) with time zone,
  constraint users_pkey PRIMARY KEY (tenant_id, user_id),
  constraint users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES app.tenants(tenant_id),
  constraint users_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES app.memberships(tenant_id, user_id)
);
alter table app.users enable row level security;
alter table app.users force row level security;
create policy doors on app.users for all to enginex_doors using true with check true;
create policy tenant on app.users for all to enginex_app using (tenant_id = ( SELECT app.tenant_id() AS tenant_id)) with check (tenant_id = ( SELECT app.tenant_id() AS tenant_id));
grant select on app.users to enginex_app;
grant insert, select on app.users to enginex_backup;
grant insert, select, update on app.users to enginex_doors;

CREATE OR REPLACE FUNCTION app.actor()
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select nullif(current_setting('app.actor', true), '')
$function$;
alter function app.actor() owner to enginex_owner;
grant execute on function app.actor() to enginex_app, enginex_doors, enginex_guard;

CREATE OR REPLACE FUNCTION app.announce_sessions(p_tenants uuid[], p_sessions uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform set_config('synchronous_commit', 'off', true);
  perform pg_notify('enginex', t.tenant || ':session:' || t.session) from unnest(p_tenants, p_sessions) as t (tenant, session);
end $function$;
alter function app.announce_sessions(uuid[],uuid[]) owner to enginex_doors;
grant execute on function app.announce_sessions(uuid[],uuid[]) to enginex_worker;

CREATE OR REPLACE FUNCTION app.append_events(p_session uuid, p_run uuid, p_events jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_last constant bigint := app.write_events(p_session, p_run, p_events);
begin
  if v_last is not null then perform app.notify_change('session:' || p_session); end if;
  return v_last;
end $function$;
alter function app.append_events(uuid,uuid,jsonb) owner to enginex_owner;
grant execute on function app.append_events(uuid,uuid,jsonb) to enginex_app;

CREATE OR REPLACE FUNCTION app.beat_runs(p_tenants uuid[], p_runs uuid[], p_epochs integer[])
 RETURNS TABLE(run_id uuid, requested text)
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update app.runs r set heartbeat_at = now()
    from unnest(p_tenants, p_runs, p_epochs) as held (tenant_id, id, epoch)
   where r.tenant_id = held.tenant_id and r.id = held.id and r.epoch = held.epoch and r.status = 'running'
  returning r.id, r.requested
$function$;
alter function app.beat_runs(uuid[],uuid[],integer[]) owner to enginex_doors;
grant execute on function app.beat_runs(uuid[],uuid[],integer[]) to enginex_worker;

CREATE OR REPLACE FUNCTION app.disable_orphan(p_tenant uuid, p_trigger uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select app.disable_orphans(g.tenant_id, g.owner) from app.triggers g where g.tenant_id = p_tenant and g.id = p_trigger
$function$;
alter function app.disable_orphan(uuid,uuid) owner to enginex_doors;
grant execute on function app.disable_orphan(uuid,uuid) to enginex_api, enginex_worker;

CREATE OR REPLACE FUNCTION app.disable_orphans(p_tenant uuid, p_owner uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with gone as (
    update app.triggers g set enabled = false, disabled_reason = 'owner_left', due_at = null, next_at = null
     where g.tenant_id = p_tenant and g.owner = p_owner and g.enabled
       and not exists (select from app.memberships m join app.role_permissions p on p.permission = 'runs:write'
                        where m.tenant_id = p_tenant and m.user_id = p_owner and m.status = 'active' and m.roles && p.roles)
    returning g.id
  )
  insert into app.audit_entries (tenant_id, actor, action, resource, details)
  select p_tenant, 'system:triggers', 'triggers.disable', 'trigger:' || gone.id, '{"reason": "owner_left"}' from gone
$function$;
alter function app.disable_orphans(uuid,uuid) owner to enginex_doors;

CREATE OR REPLACE FUNCTION app.due_approvals(p_limit integer)
 RETURNS TABLE(tenant_id uuid, approval_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
alter function app.due_approvals(integer) owner to enginex_doors;
grant execute on function app.due_approvals(integer) to enginex_worker;

CREATE OR REPLACE FUNCTION app.due_triggers(p_limit integer)
 RETURNS TABLE(tenant_id uuid, trigger_id uuid, wait_ms bigint)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with due as (
    select g.tenant_id, g.id, g.next_at, row_number() over (partition by g.tenant_id order by g.next_at, g.id) as turn
      from app.triggers g where g.next_at <= now()
  )
  (select d.tenant_id, d.id, 0::bigint from due d order by d.turn, d.next_at, d.id limit p_limit)
  union all
  (select g.tenant_id, g.id, ceil(extract(epoch from g.next_at - now()) * 1000)::bigint
     from app.triggers g where g.next_at > now() order by g.next_at limit 1)
$function$;
alter function app.due_triggers(integer) owner to enginex_doors;
grant execute on function app.due_triggers(integer) to enginex_worker;

CREATE OR REPLACE FUNCTION app.enter(p_tenant uuid, p_actor uuid, p_issued timestamp with time zone, p_permission text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_tenant text;
  v_member text;
  v_fresh boolean;
  v_granted boolean;
  v_kind text;
  v_ignored text;
begin
  select t.status, m.status, p_issued > m.tokens_not_before, m.roles && p.roles, m.kind
    into v_tenant, v_member, v_fresh, v_granted, v_kind
    from app.memberships m
    join app.tenants t on t.tenant_id = m.tenant_id
    left join app.role_permissions p on p.permission = p_permission
   where m.tenant_id = p_tenant and m.user_id = p_actor;
  if v_member is distinct from 'active' then raise exception 'not a member' using errcode = 'TN404'; end if;
  if v_tenant is distinct from 'active' then raise exception 'tenant suspended' using errcode = 'TN423'; end if;
  if v_fresh is not true then raise exception 'token stale' using errcode = 'TN401'; end if;
  if v_granted is not true then raise exception 'permission missing' using errcode = 'TN403'; end if;
  -- Assignments take plpgsql's fast path; perform would go through SPI.
  v_ignored := set_config('app.tenant_id', p_tenant::text, true);
  v_ignored := set_config('app.actor', v_kind || ':' || p_actor::text, true);
end $function$;
alter function app.enter(uuid,uuid,timestamp with time zone,text) owner to enginex_guard;
grant execute on function app.enter(uuid,uuid,timestamp with time zone,text) to enginex_api;

CREATE OR REPLACE FUNCTION app.enter_run(p_tenant uuid, p_run uuid, p_epoch integer)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_epoch integer;
  v_status text;
  v_tenant text;
  v_ignored text;
begin
  select r.epoch, r.status, t.status into v_epoch, v_status, v_tenant
    from app.runs r join app.tenants t on t.tenant_id = r.tenant_id
   where r.tenant_id = p_tenant and r.id = p_run for no key update of r;
  if v_epoch is null then raise exception 'no such run' using errcode = 'TN410'; end if;
  if v_tenant <> 'active' then raise exception 'tenant suspended' using errcode = 'TN423'; end if;
  if v_epoch is distinct from p_epoch or v_status <> 'running' then
    raise exception 'another worker has this run, or it is not running' using errcode = 'TN409';
  end if;
  v_ignored := set_config('app.tenant_id', p_tenant::text, true);
  v_ignored := set_config('app.actor', 'run:' || p_run::text, true);
end $function$;
alter function app.enter_run(uuid,uuid,integer) owner to enginex_guard;
grant execute on function app.enter_run(uuid,uuid,integer) to enginex_worker;

CREATE OR REPLACE FUNCTION app.enter_starter(p_tenant uuid, p_run uuid, p_epoch integer, p_permission text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_granted boolean;
begin
  perform app.enter_run(p_tenant, p_run, p_epoch);
  -- What a service account starts has no person behind it; it is the starter itself.
  select m.roles && p.roles into v_granted
    from app.runs r
    join app.memberships m on m.tenant_id = r.tenant_id and m.status = 'active'
     and m.user_id = coalesce(r.requested_by, substring(r.created_by from '^service-account:([0-9a-f-]{36})$')::uuid)
    join app.role_permissions p on p.permission = p_permission
     and p_permission in ('runs:read', 'runs:write', 'agents:read', 'reports:read')
   where r.tenant_id = p_tenant and r.id = p_run;
  if v_granted is not true then raise exception 'the starter of the run may not' using errcode = 'TN405'; end if;
end $function$;
alter function app.enter_starter(uuid,uuid,integer,text) owner to enginex_guard;
grant execute on function app.enter_starter(uuid,uuid,integer,text) to enginex_worker;

CREATE OR REPLACE FUNCTION app.enter_system(p_tenant uuid, p_job text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_ignored text;
begin
  if p_job is null or not exists (select from app.tenants t where t.tenant_id = p_tenant) then
    raise exception 'no such tenant' using errcode = 'TN404';
  end if;
  v_ignored := set_config('app.tenant_id', p_tenant::text, true);
  v_ignored := set_config('app.actor', 'system:' || p_job, true);
end $function$;
alter function app.enter_system(uuid,text) owner to enginex_guard;
grant execute on function app.enter_system(uuid,text) to enginex_worker;

CREATE OR REPLACE FUNCTION app.enter_trigger(p_tenant uuid, p_trigger uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_owner uuid;
  v_tenant text;
  v_granted boolean;
  v_ignored text;
begin
  select g.owner into v_owner from app.triggers g
   where g.tenant_id = p_tenant and g.id = p_trigger and g.enabled for no key update;
  if v_owner is null then raise exception 'no such trigger, or it is disabled' using errcode = 'TN410'; end if;
  select t.status, m.status = 'active' and m.roles && p.roles into v_tenant, v_granted
    from app.tenants t
    left join app.memberships m on m.tenant_id = t.tenant_id and m.user_id = v_owner
    left join app.role_permissions p on p.permission = 'runs:write'
   where t.tenant_id = p_tenant;
  if v_tenant is distinct from 'active' then raise exception 'tenant suspended' using errcode = 'TN423'; end if;
  if v_granted is not true then raise exception 'the owner has left' using errcode = 'TN424'; end if;
  v_ignored := set_config('app.tenant_id', p_tenant::text, true);
  v_ignored := set_config('app.actor', 'trigger:' || p_trigger::text, true);
end $function$;
alter function app.enter_trigger(uuid,uuid) owner to enginex_guard;
grant execute on function app.enter_trigger(uuid,uuid) to enginex_api, enginex_worker;

CREATE OR REPLACE FUNCTION app.find_organization(p_alias text)
 RETURNS TABLE(organization_id uuid, alias text, name text, status text, region text, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select d.organization_id, d.alias, d.name, t.status, d.region, d.created_at
    from app.directory d join app.tenants t on t.tenant_id = d.tenant_id where d.alias = p_alias
$function$;
alter function app.find_organization(text) owner to enginex_doors;
grant execute on function app.find_organization(text) to enginex_api;

CREATE OR REPLACE FUNCTION app.is_fresh(p_user uuid, p_issued timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select not exists (select from app.sign_outs s where s.user_id = p_user and s.tokens_not_before >= p_issued)
$function$;
alter function app.is_fresh(uuid,timestamp with time zone) owner to enginex_doors;
grant execute on function app.is_fresh(uuid,timestamp with time zone) to enginex_api;

CREATE OR REPLACE FUNCTION app.least_silence()
 RETURNS interval
 LANGUAGE sql
 IMMUTABLE
AS $function$ select interval '10 seconds' $function$;
alter function app.least_silence() owner to enginex_owner;
grant execute on function app.least_silence() to enginex_doors;

CREATE OR REPLACE FUNCTION app.list_organizations(p_before_time timestamp with time zone, p_before_id uuid, p_limit integer)
 RETURNS TABLE(organization_id uuid, alias text, name text, status text, region text, created_at timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select d.organization_id, d.alias, d.name, t.status, d.region, d.created_at
    from app.directory d join app.tenants t on t.tenant_id = d.tenant_id
   where p_before_time is null or (d.created_at, d.organization_id) < (p_before_time, p_before_id)
   order by d.created_at desc, d.organization_id desc limit least(p_limit, 101)
$function$;
alter function app.list_organizations(timestamp with time zone,uuid,integer) owner to enginex_doors;
grant execute on function app.list_organizations(timestamp with time zone,uuid,integer) to enginex_api;

CREATE OR REPLACE FUNCTION app.list_user_tenants(p_user uuid)
 RETURNS TABLE(organization_id uuid, alias text, name text, roles text[])
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select d.organization_id, d.alias, d.name, m.roles
    from app.memberships m
    join app.directory d on d.tenant_id = m.tenant_id
    join app.tenants t on t.tenant_id = m.tenant_id and t.status = 'active'
   where m.user_id = p_user and m.status = 'active'
   order by d.alias limit 200
$function$;
alter function app.list_user_tenants(uuid) owner to enginex_doors;
grant execute on function app.list_user_tenants(uuid) to enginex_api;

CREATE OR REPLACE FUNCTION app.may_answer(p_approval app.approvals, p_actor uuid, p_seat uuid, p_names text[])
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
RETURN ((CASE WHEN ((p_approval).stage = 1) THEN (p_approval).deciders ELSE (p_approval).escalated_deciders END && p_names) AND (NOT ((p_approval).not_requester AND ((p_approval).requesters && ARRAY[p_actor, p_seat]))));
alter function app.may_answer(app.approvals,uuid,uuid,text[]) owner to enginex_owner;
grant execute on function app.may_answer(app.approvals,uuid,uuid,text[]) to enginex_app;

CREATE OR REPLACE FUNCTION app.membership_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform pg_notify('enginex', new.tenant_id || ':member:' || new.user_id);
  perform app.disable_orphans(new.tenant_id, new.user_id);
  return null;
end $function$;
alter function app.membership_changed() owner to enginex_doors;

CREATE OR REPLACE FUNCTION app.mirror_membership(p_tenant uuid, p_user uuid, p_kind text, p_status text, p_roles text[], p_email text, p_name text, p_not_before timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_old app.memberships;
begin
  perform pg_advisory_xact_lock(hashtextextended(p_user::text, 0));
  select * into v_old from app.memberships m where m.tenant_id = p_tenant and m.user_id = p_user for update;
  insert into app.memberships as m (tenant_id, user_id, kind, status, roles, tokens_not_before)
  values (p_tenant, p_user, p_kind, p_status, p_roles,
          greatest(p_not_before, (select s.tokens_not_before from app.sign_outs s where s.user_id = p_user), '-infinity'))
  on conflict (tenant_id, user_id) do update
    set status = excluded.status, roles = excluded.roles, updated_at = now(),
        tokens_not_before = greatest(m.tokens_not_before, excluded.tokens_not_before);
  insert into app.users as u (tenant_id, user_id, email, name, last_seen_at)
  values (p_tenant, p_user, p_email, p_name, case when p_status = 'active' then now() end)
  on conflict (tenant_id, user_id) do update
    set email = coalesce(excluded.email, u.email), name = coalesce(excluded.name, u.name),
        last_seen_at = coalesce(excluded.last_seen_at, u.last_seen_at);
  if v_old.status is distinct from p_status or v_old.roles is distinct from p_roles then
    insert into app.audit_entries (tenant_id, actor, action, resource, details)
    values (p_tenant, 'system:identity', 'members.mirror', 'member:' || p_user,
            jsonb_build_object('before', case when v_old.user_id is not null
                                 then jsonb_build_object('status', v_old.status, 'roles', v_old.roles) end,
                               'after', jsonb_build_object('status', p_status, 'roles', p_roles)));
  end if;
end $function$;
alter function app.mirror_membership(uuid,uuid,text,text,text[],text,text,timestamp with time zone) owner to enginex_doors;
grant execute on function app.mirror_membership(uuid,uuid,text,text,text[],text,text,timestamp with time zone) to enginex_api;

CREATE OR REPLACE FUNCTION app.notify_change(topic text)
 RETURNS void
 LANGUAGE sql
AS $function$
  select pg_notify('enginex', app.tenant_id() || ':' || topic)
$function$;
alter function app.notify_change(text) owner to enginex_owner;
grant execute on function app.notify_change(text) to enginex_app, enginex_doors, enginex_guard;

CREATE OR REPLACE FUNCTION app.open_hook(p_trigger uuid)
 RETURNS TABLE(tenant_id uuid, secret bytea, secret_version integer, previous_secret bytea)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select g.tenant_id, g.secret, g.secret_version, case when g.previous_until > now() then g.previous_secret end
    from app.triggers g join app.tenants t on t.tenant_id = g.tenant_id and t.status = 'active'
   where g.id = p_trigger and g.kind = 'webhook' and g.enabled and g.secret is not null
$function$;
alter function app.open_hook(uuid) owner to enginex_doors;
grant execute on function app.open_hook(uuid) to enginex_api;

CREATE OR REPLACE FUNCTION app.open_token(p_organization uuid, p_user uuid)
 RETURNS TABLE(tenant_id uuid, region text, tenant_status text, membership_status text, roles text[])
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select d.tenant_id, d.region, t.status, m.status, m.roles
    from app.directory d
    left join app.tenants t on t.tenant_id = d.tenant_id
    left join app.memberships m on m.tenant_id = d.tenant_id and m.user_id = p_user
   where d.organization_id = p_organization
$function$;
alter function app.open_token(uuid,uuid) owner to enginex_doors;
grant execute on function app.open_token(uuid,uuid) to enginex_api;

CREATE OR REPLACE FUNCTION app.own_trigger()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.owner := split_part(app.actor(), ':', 2)::uuid;
  return new;
end $function$;
alter function app.own_trigger() owner to enginex_owner;

CREATE OR REPLACE FUNCTION app.person_behind()
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
end $function$;
alter function app.person_behind() owner to enginex_owner;
grant execute on function app.person_behind() to enginex_app;

CREATE OR REPLACE FUNCTION app.protect(target regclass, rights text DEFAULT 'select, insert, update, delete'::text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant on %s to enginex_app using (tenant_id = (select app.tenant_id())) '
                 'with check (tenant_id = (select app.tenant_id()))', target);
  execute format('grant %s on %s to enginex_app', rights, target);
  execute format('grant select, insert on %s to enginex_backup', target);
end $function$;
alter function app.protect(regclass,text) owner to enginex_owner;

CREATE OR REPLACE FUNCTION app.provision_tenant(p_organization uuid, p_alias text, p_name text, p_region text, p_actor text)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_tenant uuid;
  v_new boolean;
begin
  insert into app.directory (organization_id, alias, name, region) values (p_organization, p_alias, p_name, p_region)
  on conflict (organization_id) do nothing;
  select d.tenant_id into v_tenant from app.directory d where d.organization_id = p_organization;
  insert into app.tenants (tenant_id) values (v_tenant) on conflict do nothing;
  get diagnostics v_new = row_count;
  if v_new then
    insert into app.audit_entries (tenant_id, actor, action, resource)
    values (v_tenant, p_actor, 'organizations.create', 'organization:' || p_organization);
  end if;
  return v_tenant;
end $function$;
alter function app.provision_tenant(uuid,text,text,text,text) owner to enginex_doors;
grant execute on function app.provision_tenant(uuid,text,text,text,text) to enginex_api;

CREATE OR REPLACE FUNCTION app.record_denial(p_tenant uuid, p_actor text, p_route text, p_code text, p_count integer)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into app.denials as d (tenant_id, minute, actor, route, code, count)
  select t.tenant_id, date_trunc('minute', now()), p_actor, p_route, p_code, p_count
    from app.tenants t where t.tenant_id = p_tenant
  on conflict (tenant_id, minute, actor, route, code) do update set count = d.count + excluded.count
$function$;
alter function app.record_denial(uuid,text,text,text,integer) owner to enginex_doors;
grant execute on function app.record_denial(uuid,text,text,text,integer) to enginex_api;

CREATE OR REPLACE FUNCTION app.record_transition(p_run uuid, p_session uuid, p_seq integer, p_change jsonb, p_writes json, p_steps jsonb, p_events jsonb)
 RETURNS TABLE(status text, requested text, at timestamp with time zone)
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;
alter function app.record_transition(uuid,uuid,integer,jsonb,json,jsonb,jsonb) owner to enginex_owner;
grant execute on function app.record_transition(uuid,uuid,integer,jsonb,json,jsonb,jsonb) to enginex_app;

CREATE OR REPLACE FUNCTION app.seats_of(p_user uuid)
 RETURNS TABLE(seat_id uuid, roles text[], names text[])
 LANGUAGE sql
 STABLE ROWS 2
 SET search_path TO ''
AS $function$
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
$function$;
alter function app.seats_of(uuid) owner to enginex_owner;
grant execute on function app.seats_of(uuid) to enginex_app;

CREATE OR REPLACE FUNCTION app.set_tenant_status(p_organization uuid, p_status text, p_actor text)
 RETURNS TABLE(organization_id uuid, alias text, name text, status text, region text, created_at timestamp with time zone)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_tenant uuid;
begin
  update app.tenants t set status = p_status from app.directory d
   where d.tenant_id = t.tenant_id and d.organization_id = p_organization and t.status <> p_status
  returning t.tenant_id into v_tenant;
  if v_tenant is not null then
    insert into app.audit_entries (tenant_id, actor, action, resource)
    values (v_tenant, p_actor, case p_status when 'active' then 'organizations.reactivate' else 'organizations.suspend' end,
            'organization:' || p_organization);
  end if;
  return query
    select d.organization_id, d.alias, d.name, t.status, d.region, d.created_at
      from app.directory d join app.tenants t on t.tenant_id = d.tenant_id where d.organization_id = p_organization;
end $function$;
alter function app.set_tenant_status(uuid,text,text) owner to enginex_doors;
grant execute on function app.set_tenant_status(uuid,text,text) to enginex_api;

CREATE OR REPLACE FUNCTION app.sign_out_user(p_user uuid, p_not_before timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended(p_user::text, 0));
  insert into app.sign_outs as s (user_id, tokens_not_before) values (p_user, p_not_before)
  on conflict (user_id) do update set tokens_not_before = greatest(s.tokens_not_before, excluded.tokens_not_before);
  update app.memberships m set tokens_not_before = greatest(m.tokens_not_before, p_not_before), updated_at = now()
   where m.user_id = p_user;
end $function$;
alter function app.sign_out_user(uuid,timestamp with time zone) owner to enginex_doors;
grant execute on function app.sign_out_user(uuid,timestamp with time zone) to enginex_api;

CREATE OR REPLACE FUNCTION app.take_deliveries(p_limit integer, p_tenant_limit integer, p_lease interval)
 RETURNS TABLE(tenant_id uuid, alias text, delivery_id uuid, attempt integer)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
end $function$;
alter function app.take_deliveries(integer,integer,interval) owner to enginex_doors;
grant execute on function app.take_deliveries(integer,integer,interval) to enginex_worker;

CREATE OR REPLACE FUNCTION app.take_model_call(p_patience_ms integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_every interval;
  v_next timestamptz;
  v_wait integer;
begin
  select interval '1 minute' / t.model_calls_per_minute into v_every from app.tenants t where t.tenant_id = app.tenant_id();
  insert into app.model_rates (next_at) values ('-infinity') on conflict (tenant_id) do nothing;
  select r.next_at into v_next from app.model_rates r where r.tenant_id = app.tenant_id() for update;
  v_next := greatest(v_next, clock_timestamp() - greatest(interval '10 seconds' - v_every, interval '0'));
  v_wait := greatest(ceil(extract(epoch from v_next - clock_timestamp()) * 1000), 0);
  if v_wait <= p_patience_ms then
    update app.model_rates r set next_at = v_next + v_every where r.tenant_id = app.tenant_id();
  end if;
  return v_wait;
end $function$;
alter function app.take_model_call(integer) owner to enginex_owner;
grant execute on function app.take_model_call(integer) to enginex_app;

CREATE OR REPLACE FUNCTION app.take_runs(p_worker uuid, p_limit integer, p_silent interval)
 RETURNS TABLE(tenant_id uuid, run_id uuid, session_id uuid, epoch integer, seq integer, takeovers integer)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
end $function$;
alter function app.take_runs(uuid,integer,interval) owner to enginex_doors;
grant execute on function app.take_runs(uuid,integer,interval) to enginex_worker;

CREATE OR REPLACE FUNCTION app.tell_outside()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;
alter function app.tell_outside() owner to enginex_owner;

CREATE OR REPLACE FUNCTION app.tenant_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform pg_notify('enginex', new.tenant_id || ':tenant');
  update app.triggers g set next_at = case new.status when 'active' then g.due_at end
   where g.tenant_id = new.tenant_id and g.due_at is not null;
  return null;
end $function$;
alter function app.tenant_changed() owner to enginex_doors;

CREATE OR REPLACE FUNCTION app.tenant_id()
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
AS $function$
declare
  setting constant text := current_setting('app.tenant_id', true);
begin
  if setting is null or setting = '' then
    raise exception 'no tenant is set for this transaction' using errcode = 'TN000';
  end if;
  return setting::uuid;
end $function$;
alter function app.tenant_id() owner to enginex_owner;
grant execute on function app.tenant_id() to enginex_app, enginex_doors, enginex_guard;

CREATE OR REPLACE FUNCTION app.write_events(p_session uuid, p_run uuid, p_events jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
end $function$;
alter function app.write_events(uuid,uuid,jsonb) owner to enginex_owner;
grant execute on function app.write_events(uuid,uuid,jsonb) to enginex_app;
