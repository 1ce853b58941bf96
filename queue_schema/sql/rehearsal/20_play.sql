-- _play: let the fleet on the stage run on, from the moment it was set until p_until, until p_most jobs have started, or
-- until none is left to start. Once for each setting of the stage, or undone in between.
--
-- Returns  every attempt that ran: {job_id, started_at, ends_at, node_id}; started_at is null of what ran before
--
-- Events are ends of attempts and times that come; at each, what ended is settled and the nodes that may find something
-- look, by the real functions. How long an attempt takes is drawn from what attempts of its need took. Nothing fails.
create function rehearsal._play(p_until timestamptz, p_most integer)
  returns rehearsal.outcomes[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
  -- To plan what reserve asks, thousands of times in a forecast, took longer than to run it.
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_now     timestamptz := rehearsal.now();
  v_next    timestamptz;
  v_nodes   integer := (select count(*) from rehearsal.sessions as s where s.ended_at is null);
  v_hungry  boolean := true;     -- any node may find something, not only those where an attempt ended
  v_look    uuid[];
  v_session uuid;
  v_started integer := 0;
  v_jobs    uuid[];
  v_done    uuid[];
  v_back    uuid[];
  v_due     uuid[];
  v_late    boolean;
  v_kept_at timestamptz := '-infinity';
begin
  perform rehearsal._draw_ends(array(select l.job_id from rehearsal.leases as l), v_now);

  loop
    v_look := array(select s.session_id
                      from rehearsal.sessions as s
                      join rehearsal.bookings as b on b.node_id = s.node_id and b.held < s.slots
                     where s.ended_at is null and (v_hungry or s.session_id = any(v_look))
                     order by random());
    foreach v_session in array v_look loop
      v_jobs := rehearsal._look(v_session);
      if cardinality(v_jobs) > 0 then
        perform rehearsal._draw_ends(v_jobs, v_now);
        v_started := v_started + cardinality(v_jobs);
      end if;
    end loop;
    -- With nothing left to start, the rest is known: the ends were drawn at the starts.
    exit when v_started >= p_most
              or not exists (select from rehearsal.ready)
                 and not exists (select from rehearsal.waiting)
                 and not exists (select from rehearsal.ends as e where e.gives_way);
    -- The scheduler does it each second; here every fifteen, which is little of a wait that needs a place, and only where it
    -- does not take long: it was a third of a play at every five.
    if v_nodes <= 200 and v_now >= v_kept_at + interval '15 s' then
      v_kept_at := v_now;
      perform rehearsal.reserve_v1();
      update rehearsal.ends as e
         set ends_at = v_now + interval '2 s', gives_way = true
        from rehearsal.leases as l
       where l.job_id = e.job_id and l.command = 'preempt' and not e.gives_way;
    end if;

    v_next := least((select e.ends_at from rehearsal.ends as e order by e.ends_at limit 1),
                    (select min(w.run_at) from rehearsal.waiting as w where w.waits_for = 0));
    exit when v_next is null or v_next > p_until;
    v_now := greatest(v_now, v_next);
    perform set_config('rehearsal.now', extract(epoch from v_now)::text, true);

    with ended as (
      delete from rehearsal.ends as e where e.ends_at <= v_now returning e.job_id, e.gives_way
    )
    select array_agg(e.job_id) filter (where not e.gives_way), array_agg(e.job_id) filter (where e.gives_way)
      into v_done, v_back
      from ended as e;
    v_look := array(select distinct l.session_id from rehearsal.leases as l where l.job_id = any(v_done || v_back));
    v_late := exists (select from rehearsal.start_by as x where x.start_by <= v_now);
    if v_late then
      perform rehearsal.promote_v1(1000);
    end if;
    v_hungry := v_late
                or v_back is not null
                or exists (select from rehearsal.dependencies as d where d.after_job_id = any(v_done))
                or exists (select from rehearsal.caps);
    perform rehearsal._end(v_done, 'succeeded');
    perform rehearsal._end(v_back, 'released');
    v_due := array(select w.job_id from rehearsal.waiting as w where w.waits_for = 0 and w.run_at <= v_now);
    if cardinality(v_due) > 0 then
      perform rehearsal._enqueue(v_due);
      v_hungry := true;
    end if;
  end loop;
  return array(select o from rehearsal.outcomes as o);
end
$$;

-- _plays: several plays of what is on the stage, each from the same beginning.
--
-- p_starts jobs started in all of them, about; never fewer than one play
-- p_most   jobs started in each, at most
create function rehearsal._plays(p_starts integer, p_most integer)
  returns rehearsal.outcomes[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_from   text := current_setting('rehearsal.now');
  v_queued integer := (select count(*) from rehearsal.ready) + (select count(*) from rehearsal.waiting);
  v_played rehearsal.outcomes[] := '{}';
begin
  for i in 1..greatest(1, least(9, p_starts / greatest(1, v_queued))) loop
    begin
      v_played := v_played || rehearsal._play(rehearsal.now() + interval '7 days', p_most);
      raise exception using errcode = 'JQ999';
    exception when sqlstate 'JQ999' then
      perform set_config('rehearsal.now', v_from, true);
    end;
  end loop;
  return v_played;
end
$$;

-- _end: these attempts end, all in the same way.
create function rehearsal._end(p_jobs uuid[], p_verdict text)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  if p_jobs is not null then
    perform rehearsal._settle(null, (select jsonb_agg(jsonb_build_object('job_id', l.job_id, 'token', l.token))
                                       from rehearsal.leases as l where l.job_id = any(p_jobs)), p_verdict, 'reaper');
  end if;
end
$$;

-- _draw_ends: when attempts will end: those that just started, or those that run already and have taken some of their time.
create function rehearsal._draw_ends(p_jobs uuid[], p_now timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with drawn as (
    select l.job_id, l.node_id, l.devices, l.claimed_at,
           least(l.claimed_at + make_interval(secs => r.run_s), greatest(l.deadline, p_now)) as ends_at
      from rehearsal.leases as l
      join rehearsal.jobs as j on j.job_id = l.job_id
      join rehearsal.lanes as x on x.lane_id = j.lane_id
      join rehearsal.needs as n on n.need_id = x.need_id
     cross join lateral rehearsal._draw(n.recent_run_s, j.kind, extract(epoch from p_now - l.claimed_at)::double precision) as r (run_s)
     where l.job_id = any(p_jobs)
  ),
  ends as (
    insert into rehearsal.ends (job_id, ends_at) select d.job_id, d.ends_at from drawn as d
  )
  insert into rehearsal.outcomes (job_id, started_at, ends_at, node_id, devices)
  select d.job_id, case when d.claimed_at >= p_now then d.claimed_at end, d.ends_at, d.node_id, d.devices from drawn as d
$$;

-- _draw: how long an attempt takes in all, given that it has taken p_so_far_s: one of the times its need has seen; of its
-- kind, while the need is new; a minute, while nobody knows anything, which is also what a claim is charged then.
create function rehearsal._draw(p_run_s double precision[], p_kind text, p_so_far_s double precision)
  returns double precision
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (select t.run_s
       from unnest(case when p_run_s <> '{}' then p_run_s
                        else (select k.run_s from rehearsal.kind_runs as k where k.kind = p_kind) end) as t (run_s)
      where t.run_s > p_so_far_s
      order by random()
      limit 1),
    greatest(60, p_so_far_s * 1.5))
$$;
