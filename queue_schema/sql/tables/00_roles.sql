-- Roles. Nobody logs in as an owner: fleet_owner has the tables, fleet_exec the functions, the others are
-- capabilities that a login is a member of. Roles belong to the whole server, so they may be there already.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['fleet_owner', 'fleet_exec', 'fleet_agent', 'fleet_api', 'fleet_scheduler',
                                'fleet_admin', 'fleet_reader']
  loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception when duplicate_object or unique_violation then
        null;  -- another database of this server was migrated at the same moment
      end;
    end if;
  end loop;
  -- Who migrates need not be a superuser: CREATEROLE and the database will do. It then hands what it made to these two.
  foreach v_role in array array['fleet_owner', 'fleet_exec']
  loop
    if not pg_catalog.pg_has_role(current_user, v_role, 'usage') then
      execute format('grant %I to %I', v_role, current_user);
    end if;
  end loop;
end
$$;
create schema fleet;
comment on schema fleet is 'Argosy: the queue, the machines and the history. Start with: select * from fleet.v_queue;';
