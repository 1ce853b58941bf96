-- When autovacuum looks after the tables that claims, settles and heartbeats name.
--
-- Each vacuum and each analyze of a table makes every connection plan anew what names it: some 8 ms of CPU for the statements
-- of an agent, in hundreds of connections within the same seconds. At its defaults, once a minute and table, that kept the
-- server of ten thousand nodes busy for a third of each minute (docs/adr/0010). Nothing here gains from it so often: statements
-- go by key whatever the statistics say, a claim begins behind what is dead (lanes.head_key, rankings.floor), and what is updated
-- in place is pruned on its page. So each group waits until there is something to win back, even in a fleet of ten thousand.
do $$
declare
  v_table text;
begin
  -- Updated in place, on no index: a page prunes itself.
  foreach v_table in array array['bookings', 'session_beats', 'devices', 'needs', 'shares', 'caps', 'node_health'] loop
    execute format('alter table fleet.%I set (autovacuum_vacuum_scale_factor = 100, autovacuum_vacuum_threshold = 10000,'
                   ' autovacuum_analyze_scale_factor = 100, autovacuum_analyze_threshold = 10000)', v_table);
  end loop;
  -- Rows that come and go, read by key from where they live: at most some 100 MB of what is dead.
  foreach v_table in array array['ready', 'leases', 'progress', 'charges', 'observations', 'cap_returns', 'idle_sessions',
                                 'waiting', 'rankings', 'reservations'] loop
    execute format('alter table fleet.%I set (autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 500000,'
                   ' autovacuum_vacuum_insert_threshold = 500000, autovacuum_analyze_threshold = 1000000,'
                   ' autovacuum_vacuum_cost_delay = 0)', v_table);
  end loop;
  -- Each ranking moves the active ones in their index, so that thousands of them need it every few minutes.
  alter table fleet.lanes set (autovacuum_vacuum_scale_factor = 2, autovacuum_vacuum_threshold = 20000,
                               autovacuum_analyze_scale_factor = 2, autovacuum_analyze_threshold = 20000);
  -- Tables that grow. What people ask of them needs statistics: make_partitions_v1 sees to those, once a day.
  foreach v_table in array array['jobs', 'nodes', 'sessions', 'artifacts', 'checkpoints', 'dependencies', 'attempts_default'] loop
    execute format('alter table fleet.%I set (autovacuum_vacuum_threshold = 500000, autovacuum_vacuum_insert_threshold = 500000,'
                   ' autovacuum_analyze_threshold = 1000000)', v_table);
  end loop;
end
$$;
