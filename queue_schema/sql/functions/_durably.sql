-- _durably: what this transaction decides is on disk before it is answered, whatever synchronous_commit says; unless the
-- fleet was told that it may lose its last moments in a crash of the server (settings.durable).
create function fleet._durably()
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('synchronous_commit') = 'off' and (select s.durable from fleet.settings as s) then
    perform set_config('synchronous_commit', 'on', true);
  end if;
end
$$;
