-- Secrets of the organization, the models that serve it, and what they cost it.

-- The secret is sealed by the vault (src/providers/vault.ts) for this tenant, name and version; no key of it is here.
create table app.credentials (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  id uuid not null default uuidv7(),
  name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
  type text not null check (type in ('api_key', 'basic_auth', 'bearer_token', 'oauth2', 'custom')),
  -- Counts up with each replacement.
  version integer not null default 1,
  key_names text[] not null,
  secret bytea not null check (length(secret) <= 300000),
  -- host, or host:port: where the secret may be sent.
  allowed_hosts text[] not null,
  expires_at timestamptz(3),
  created_at timestamptz(3) not null default now(),
  created_by text not null default app.actor(),
  updated_at timestamptz(3) not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, name)
);
create index on app.credentials (tenant_id, created_at desc, id desc);
select app.protect('app.credentials', 'select, delete');
grant insert (name, type, key_names, secret, allowed_hosts, expires_at) on app.credentials to enginex_app;
grant update (type, version, key_names, secret, allowed_hosts, expires_at, updated_at) on app.credentials to enginex_app;

-- Which model serves which purpose. A purpose without a row is served by "default", and that by the deployment's model.
create table app.model_settings (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  purpose text not null check (purpose ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
  provider text not null check (provider in ('openai', 'anthropic', 'openai_compatible')),
  model text not null check (length(model) between 1 and 200),
  base_url text,
  -- By name, as packages and tools name it; and which of its keys.
  credential text,
  credential_key text,
  temperature real check (temperature between 0 and 2),
  max_tokens integer not null check (max_tokens between 1 and 1000000),
  timeout_ms integer not null check (timeout_ms between 1000 and 600000),
  -- Per million tokens, in the organization's own currency; null when nothing is to be reckoned.
  input_price numeric(20, 8) check (input_price >= 0),
  output_price numeric(20, 8) check (output_price >= 0),
  -- Other purposes, asked in this order when the model does not answer.
  fallbacks text[] not null,
  created_at timestamptz(3) not null default now(),
  created_by text not null default app.actor(),
  updated_at timestamptz(3) not null default now(),
  primary key (tenant_id, purpose),
  check ((credential is null) = (credential_key is null)),
  check (provider <> 'openai_compatible' or base_url is not null)
);
select app.protect('app.model_settings', 'select, delete');
grant insert (purpose, provider, model, base_url, credential, credential_key, temperature, max_tokens, timeout_ms,
              input_price, output_price, fallbacks),
      update (provider, model, base_url, credential, credential_key, temperature, max_tokens, timeout_ms, input_price,
              output_price, fallbacks, updated_at)
   on app.model_settings to enginex_app;

-- What models were asked for, written with the transition that has their answer: a call that is repeated after a
-- takeover counts once, as often as its answer was recorded.
create table app.model_calls (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  run_id uuid not null,
  call text not null,
  -- 0 is the model that was meant, 1 its first fallback.
  position smallint not null check (position between 0 and 9),
  step integer not null,
  attempt integer not null,
  node_id text not null,
  -- turn, judge, choose or score.
  kind text not null,
  -- Of the settings that served it; null for the deployment's model.
  purpose text,
  provider text not null,
  model text not null,
  -- How often the server was asked: once more for each retry, and for an answer that had to be mended.
  requests integer not null,
  input_tokens bigint not null check (input_tokens >= 0),
  output_tokens bigint not null check (output_tokens >= 0),
  cost numeric(30, 12),
  duration_ms bigint not null,
  finish text,
  error_code text,
  created_at timestamptz(3) not null default now(),
  primary key (tenant_id, run_id, call, position),
  foreign key (tenant_id, run_id) references app.runs (tenant_id, id),
  check ((finish is null) <> (error_code is null))
);
create index on app.model_calls (tenant_id, created_at);
select app.protect('app.model_calls', 'select');
grant insert (run_id, call, position, step, attempt, node_id, kind, purpose, provider, model, requests, input_tokens,
              output_tokens, cost, duration_ms, finish, error_code) on app.model_calls to enginex_app;

-- How fast a tenant may call models, whichever worker does. What was not used in ten seconds is lost.
alter table app.tenants add column model_calls_per_minute integer not null default 300
  check (model_calls_per_minute between 1 and 1000000);
create table app.model_rates (
  tenant_id uuid not null default app.tenant_id() references app.tenants,
  -- When the next call may go out; before now, as much as may go out at once.
  next_at timestamptz not null default now(),
  primary key (tenant_id)
);
select app.protect('app.model_rates', 'select');
grant insert (next_at), update (next_at) on app.model_rates to enginex_app;

-- Takes the right to one call of a model, to be used in this many milliseconds. When that is more than p_patience_ms
-- nothing was taken: ask again later. Invoker's rights: row level security decides whose right it is.
create function app.take_model_call(p_patience_ms integer) returns integer
language plpgsql volatile set search_path = '' as $$
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
end $$;
grant execute on function app.take_model_call to enginex_app;
