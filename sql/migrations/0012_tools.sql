-- What an organization's agents may use besides their own tools: MCP servers and skills.
create table app.mcp_servers (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  name text not null,
  description text not null,
  transport text not null check (transport in ('streamable_http', 'stdio')),
  url text,
  -- Texts with places for credentials; no secret stands here.
  headers json not null,
  -- The name of a program that the operator allows; what it is called with is not the tenant's to say.
  command text,
  allowed_tools json not null,
  timeout_ms integer not null,
  -- Counts the changes of the configuration: connections and what was discovered belong to one version.
  version integer not null default 1,
  tools json,
  discovered_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  created_by text not null default app.actor(),
  primary key (tenant_id, id),
  unique (tenant_id, name),
  check ((transport = 'streamable_http') = (url is not null)),
  check ((transport = 'stdio') = (command is not null))
);
create index on app.mcp_servers (tenant_id, created_at desc, id desc);
select app.protect('app.mcp_servers', 'select, delete');
grant insert (name, description, transport, url, headers, command, allowed_tools, timeout_ms) on app.mcp_servers
  to enginex_app;
grant update (description, transport, url, headers, command, allowed_tools, timeout_ms, version, tools, discovered_at)
  on app.mcp_servers to enginex_app;

create table app.skills (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  name text not null,
  description text not null,
  -- SKILL.md as it was uploaded.
  text text not null,
  created_at timestamptz(3) not null default now(),
  created_by text not null default app.actor(),
  primary key (tenant_id, id),
  unique (tenant_id, name)
);
create index on app.skills (tenant_id, created_at desc, id desc);
select app.protect('app.skills', 'select, delete');
grant insert (name, description, text) on app.skills to enginex_app;
grant update (description, text) on app.skills to enginex_app;
