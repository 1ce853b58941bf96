-- make_partitions_v1: the daily partitions of the history, from today to p_days_ahead; with them, statistics of what grows.
--
-- Caller   fleet_scheduler
-- Returns  how many were made
--
-- A day whose rows already stand in the default partition cannot get its own any more: it is left there.
create function fleet.make_partitions_v1(p_days_ahead integer)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '1s'
as $$
declare
  v_today date := (fleet.now() at time zone 'UTC')::date;
  v_day   date;
  v_table text;
  v_made  integer := 0;
begin
  perform from fleet.turns as t where t.name = 'partitions' for update;
  for v_day in select generate_series(v_today, v_today + p_days_ahead, interval '1 day')::date loop
    foreach v_table in array array['attempts', 'job_events', 'logs'] loop
      if to_regclass(format('fleet.%I', v_table || to_char(v_day, '_YYYYMMDD'))) is null then
        begin
          -- Of the vacuum policy of what grows (tables/11_vacuum.sql): a partition does not inherit it.
          execute format('create table fleet.%I partition of fleet.%I for values from (%L) to (%L)'
                         ' with (autovacuum_vacuum_insert_threshold = 500000, autovacuum_analyze_threshold = 1000000)',
                         v_table || to_char(v_day, '_YYYYMMDD'), v_table, v_day::text || ' 00:00:00+00',
                         (v_day + 1)::text || ' 00:00:00+00');
          v_made := v_made + 1;
        exception
          when check_violation then
            null;  -- its rows are in the default partition already
          when lock_not_available then
            return to_jsonb(v_made);  -- somebody reads the history: the next round tries again
        end;
      end if;
    end loop;
  end loop;
  if v_made > 0 and exists (select from fleet.jobs) then
    -- Once a day: plans are made anew now in any case (tables/11_vacuum.sql).
    begin
      analyze fleet.jobs, fleet.nodes, fleet.sessions, fleet.artifacts, fleet.dependencies, fleet.attempts;
    exception when lock_not_available then
      null;  -- autovacuum is at one of them: it brings the same, or tomorrow does
    end;
  end if;
  return to_jsonb(v_made);
end
$$;

-- prune_v1: drop history partitions and delete ended jobs older than p_keep_days; forget what has no more use.
--
-- Caller   fleet_scheduler
-- Returns  {partitions, jobs, idempotency, sessions, files}
-- Locks    the history tables, for a moment; given up after a second rather than waited for (I13)
create function fleet.prune_v1(p_keep_days integer, p_limit integer)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '1s'
as $$
declare
  v_now     timestamptz := fleet.now();
  v_cutoff  timestamptz := v_now - make_interval(days => p_keep_days);
  v_part    record;
  v_parts   integer := 0;
  v_jobs    uuid[];
  v_keys    integer;
  v_session integer;
  v_files   integer;
begin
  v_jobs := array(select j.job_id
                    from fleet.jobs as j
                   where j.ended_at < v_cutoff
                     and not exists (select from fleet.dependencies as d join fleet.jobs as x on x.job_id = d.job_id
                                      where d.after_job_id = j.job_id and x.outcome is null)
                   order by j.job_id
                   limit p_limit
                     for update skip locked);
  delete from fleet.artifacts as a where a.job_id = any(v_jobs);
  delete from fleet.checkpoints as c where c.job_id = any(v_jobs);
  delete from fleet.dependencies as d where d.job_id = any(v_jobs);
  delete from fleet.webhook_deliveries as w where w.job_id = any(v_jobs);
  delete from fleet.start_by as x where x.job_id = any(v_jobs);
  delete from fleet.jobs as j where j.job_id = any(v_jobs);
  v_files := fleet._expire_blobs(v_cutoff, p_limit);

  delete from fleet.idempotency as i
   where (i.project_id, i.key) in (select x.project_id, x.key from fleet.idempotency as x
                                    where x.created_at < v_now - interval '1 day' limit p_limit);
  get diagnostics v_keys = row_count;
  delete from fleet.session_beats as b
   using fleet.sessions as s
   where s.session_id = b.session_id and s.ended_at < v_now - interval '1 hour';
  delete from fleet.sessions as s where s.ended_at < v_cutoff;
  get diagnostics v_session = row_count;

  -- Last, since it keeps claims out (ACCESS EXCLUSIVE on the parent) until the commit that follows at once.
  for v_part in
    select c.relname
      from pg_inherits as i
      join pg_class as c on c.oid = i.inhrelid
      join pg_class as p on p.oid = i.inhparent
      join pg_namespace as n on n.oid = p.relnamespace
     where n.nspname = 'fleet'
       and p.relname in ('attempts', 'job_events', 'logs')
       and c.relname ~ '_[0-9]{8}$'
       and to_date(right(c.relname, 8), 'YYYYMMDD') < (v_cutoff at time zone 'UTC')::date
  loop
    begin
      execute format('drop table fleet.%I', v_part.relname);
      v_parts := v_parts + 1;
    exception when lock_not_available then
      exit;  -- somebody reads the history: the next round tries again
    end;
  end loop;
  return jsonb_build_object('partitions', v_parts, 'jobs', coalesce(cardinality(v_jobs), 0), 'idempotency', v_keys,
                            'sessions', v_session, 'files', v_files);
end
$$;

-- _expire_blobs: files that were stored before then, and that no job and no schedule names, leave; those that never showed (old
-- checkpoints, outputs of attempts that failed) after a day.
--
-- Returns  how many
create function fleet._expire_blobs(p_before timestamptz, p_limit integer)
  returns integer
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_files integer;
begin
  with old as materialized (
    select b.project_id, b.sha256
      from fleet.blobs as b
     where b.created_at < case when b.visible then p_before else greatest(p_before, fleet.now() - interval '1 day') end
       and b.leaving_at is null
       and (b.visible or not exists (select from fleet.leases as l where l.job_id = b.made_by))
       and not exists (select from fleet.artifacts as a where (a.project_id, a.sha256) = (b.project_id, b.sha256))
       and not exists (select from fleet.checkpoints as c where (c.project_id, c.sha256) = (b.project_id, b.sha256))
  ),
  named as (
    select j.project_id, i.sha256
      from fleet.jobs as j
     cross join lateral fleet._named_files(j.inputs) as i
     where exists (select from old)
     union all
    select s.project_id, i.sha256
      from fleet.schedules as s
     cross join lateral jsonb_array_elements(s.jobs) as j
     cross join lateral fleet._named_files(j -> 'inputs') as i
  ),
  going as (
    select o.project_id, o.sha256 from old as o
     where not exists (select from named as n where (n.project_id, n.sha256) = (o.project_id, o.sha256))
     limit p_limit
  )
  update fleet.blobs as b
     set visible = false, leaving_at = fleet.now()
    from going as g
   where (b.project_id, b.sha256) = (g.project_id, g.sha256);
  get diagnostics v_files = row_count;
  return v_files;
end
$$;
