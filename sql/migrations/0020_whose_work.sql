-- Who says what a trigger starts answers for it: whoever changes what its sessions get, or has its secret made anew,
-- becomes its owner, like whoever adopts it. Else they could ask in somebody else's name what they then decide themselves.
drop trigger adopted on app.triggers;
create trigger adopted before update on app.triggers for each row
  when (old.owner is distinct from new.owner
        or old.entry_point is distinct from new.entry_point
        or old.input::text is distinct from new.input::text
        or old.payload_key is distinct from new.payload_key
        or old.secret_version is distinct from new.secret_version)
  execute function app.own_trigger();

-- An answer in a place ends with the membership of whoever gave it; then somebody else may answer in that place. One
-- answer of each place counts, which is seen to under the lock of the approval.
drop index app.approval_decisions_tenant_id_approval_id_stage_payload_has_idx1;
