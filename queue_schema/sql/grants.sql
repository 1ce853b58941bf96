-- Who owns what, and who may call what. Part of the same transaction that made everything.
do $$
declare
  v_name   text;
  v_public text[] := array['state_of'];
  v_upkeep text[] := array['make_partitions_v1', 'prune_v1'];  -- make and drop tables: only their owner may
begin
  execute 'grant usage, create on schema fleet to fleet_owner';  -- whose things are in it, must be allowed to make some
  for v_name in select format('%I.%I', n.nspname, c.relname)
                  from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
                 where n.nspname = 'fleet' and c.relkind in ('r', 'p')
                 order by c.relispartition
  loop
    execute format('alter table %s owner to fleet_owner', v_name);
  end loop;
  for v_name in select format('%I.%I', n.nspname, c.relname)
                  from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
                 where n.nspname = 'fleet' and c.relkind = 'v'
  loop
    execute format('alter view %s owner to fleet_owner', v_name);
  end loop;
  for v_name in select format('%I.%I', n.nspname, c.relname)
                  from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
                 where n.nspname = 'fleet' and c.relkind = 'S'
                   and not exists (select from pg_catalog.pg_depend as d
                                    where d.objid = c.oid and d.deptype in ('a', 'i'))
  loop
    execute format('alter sequence %s owner to fleet_owner', v_name);
  end loop;
  execute 'alter schema fleet owner to fleet_owner';
  execute 'grant usage, create on schema fleet to fleet_exec';
  for v_name in select p.oid::regprocedure::text
                  from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
                 where n.nspname = 'fleet'
  loop
    execute format('revoke all on function %s from public', v_name);
    if split_part(split_part(v_name, '.', 2), '(', 1) = any(v_upkeep) then
      execute format('alter function %s owner to fleet_owner', v_name);
    else
      execute format('alter function %s owner to fleet_exec', v_name);
    end if;
  end loop;
  execute 'revoke create on schema fleet from fleet_exec';
end
$$;

grant select, insert, update, delete on all tables in schema fleet to fleet_exec;
grant usage on all sequences in schema fleet to fleet_exec;
grant execute on all functions in schema fleet to fleet_owner;

grant usage on schema fleet to fleet_agent, fleet_api, fleet_scheduler, fleet_admin, fleet_reader;
grant execute on function
  fleet.join_v1, fleet.leave_v1, fleet.claim_v1, fleet.heartbeat_v1, fleet.health_v1, fleet.report_v1, fleet.checkpoint_v1,
  fleet.complete_v1, fleet.fail_v1, fleet.release_v1, fleet.wake_v1, fleet.erasures_v1, fleet.erased_v1
  to fleet_agent;
grant execute on function
  fleet.submit_v1, fleet.cancel_v1, fleet.retry_v1, fleet.pause_v1, fleet.drain_v1, fleet.put_blob_v1, fleet.grant_v1,
  fleet.authenticate_v1, fleet.wake_v1,
  fleet.create_schedule_v1, fleet.enable_schedule_v1, fleet.delete_schedule_v1,
  fleet.halt_v1, fleet.quarantine_v1, fleet.bulk_v1, fleet.policy_v1,
  fleet.amend_v1, fleet.why_v1, fleet.eta_v1, fleet.fit_v1,
  fleet.reserve_blob_v1, fleet.erase_v1, fleet.waive_erasure_v1, fleet.remove_blobs_v1, fleet.blobs_removed_v1
  to fleet_api;
grant execute on function
  fleet.reap_v1, fleet.promote_v1, fleet.rank_v1, fleet.reserve_v1, fleet.learn_v1, fleet.prune_v1, fleet.make_partitions_v1, fleet.due_webhooks_v1, fleet.webhook_done_v1,
  fleet.wake_v1, fleet.due_schedules_v1, fleet.tick_v1, fleet.forecast_v1, fleet.erase_on_v1
  to fleet_scheduler;
grant execute on function
  fleet.create_key_v1, fleet.list_keys_v1, fleet.revoke_key_v1, fleet.rotate_key_v1, fleet.label_node_v1, fleet.drain_v1, fleet.configure_v1,
  fleet.project_v1, fleet.halt_v1, fleet.quarantine_v1, fleet.wake_v1, fleet.policy_v1, fleet.waive_erasure_v1
  to fleet_admin;

-- People and the API read views, never tables.
do $$
declare
  v_view text;
begin
  for v_view in select format('fleet.%I', v.viewname) from pg_catalog.pg_views as v where v.schemaname = 'fleet' loop
    execute format('grant select on %s to fleet_reader', v_view);
  end loop;
end
$$;
grant execute on function fleet.state_of, fleet.now, fleet._held to fleet_reader;
-- At psql, whoever may read may ask; nothing of the fleet is written.
grant execute on function fleet.why_v1, fleet.eta_v1 to fleet_reader;
grant fleet_reader to fleet_api, fleet_admin, fleet_scheduler;
