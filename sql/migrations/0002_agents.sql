-- The catalog: named agents, and their immutable versions.
create table app.agents (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  name text not null,
  description text not null default '',
  status text not null default 'active' check (status in ('active', 'archived')),
  active_version_id uuid,
  created_at timestamptz(3) not null default now(),
  created_by text not null default app.actor(),
  primary key (tenant_id, id),
  unique (tenant_id, name)
);
create index on app.agents (tenant_id, created_at desc, id desc);
select app.protect('app.agents', 'select, insert, update');

create table app.agent_versions (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  agent_id uuid not null,
  version text not null,
  digest text not null,
  bytes integer not null,
  -- json, not jsonb: people read forms and tables in the order in which the author wrote their fields.
  manifest json not null,
  created_at timestamptz(3) not null default now(),
  created_by text not null default app.actor(),
  primary key (tenant_id, id),
  unique (tenant_id, agent_id, version),
  -- What agents and sessions refer to, so that they cannot name a version of another agent.
  unique (tenant_id, agent_id, id),
  foreign key (tenant_id, agent_id) references app.agents (tenant_id, id)
);
create index on app.agent_versions (tenant_id, agent_id, created_at desc, id desc);
-- No update: a version is what it was on the day it was uploaded.
select app.protect('app.agent_versions', 'select, insert');

alter table app.agents add foreign key (tenant_id, id, active_version_id)
  references app.agent_versions (tenant_id, agent_id, id);
