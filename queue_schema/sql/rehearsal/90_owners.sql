-- Who owns the stage: fleet_exec, whose functions set it, play on it and clear it. Nobody else may touch it.
do $$
declare
  v_name text;
begin
  execute 'grant usage, create on schema rehearsal to fleet_exec';  -- whose things are made here, must be allowed to
  for v_name in select format('%I.%I', n.nspname, c.relname)
                  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
                 where n.nspname = 'rehearsal' and c.relkind = 'r'
  loop
    execute format('alter table %s owner to fleet_exec', v_name);
  end loop;
  execute 'alter sequence rehearsal.ids owner to fleet_exec';
  for v_name in select p.oid::regprocedure::text from pg_proc as p where p.pronamespace = 'rehearsal'::regnamespace
  loop
    execute format('revoke all on function %s from public', v_name);
    execute format('alter function %s owner to fleet_exec', v_name);
  end loop;
  execute 'alter schema rehearsal owner to fleet_exec';
end
$$;
