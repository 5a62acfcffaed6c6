-- Signing out everywhere holds for whoever has no membership yet, and for what is done outside of any tenant as well:
-- a person's stolen token must not open the platform, nor a tenant that has not seen the person before.
create table app.sign_outs (
  user_id uuid primary key,
  tokens_not_before timestamptz(3) not null
);
grant select, insert, update on app.sign_outs to enginex_doors;

grant create on schema app to enginex_doors;

-- Whether a token is younger than the person's last sign-out. For what is done outside of any tenant.
create function app.is_fresh(p_user uuid, p_issued timestamptz) returns boolean
language sql stable security definer set search_path = '' as $$
  select not exists (select from app.sign_outs s where s.user_id = p_user and s.tokens_not_before >= p_issued)
$$;
grant execute on function app.is_fresh to enginex_app;
alter function app.is_fresh owner to enginex_doors;

set role enginex_doors;

-- Signing out and becoming a member wait for one another, so that neither overlooks the other.
create or replace function app.sign_out_user(p_user uuid, p_not_before timestamptz) returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(p_user::text, 0));
  insert into app.sign_outs as s (user_id, tokens_not_before) values (p_user, p_not_before)
  on conflict (user_id) do update set tokens_not_before = greatest(s.tokens_not_before, excluded.tokens_not_before);
  update app.memberships m set tokens_not_before = greatest(m.tokens_not_before, p_not_before), updated_at = now()
   where m.user_id = p_user;
end $$;

create or replace function app.mirror_membership(p_tenant uuid, p_user uuid, p_kind text, p_status text, p_roles text[],
                                      p_email text, p_name text, p_not_before timestamptz) returns void
language plpgsql volatile security definer set search_path = '' as $$
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
end $$;
reset role;
revoke create on schema app from enginex_doors;
