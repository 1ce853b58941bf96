-- forecast_v1: say of every job in sight when it will start and finish, by playing the fleet through on the stage.
--
-- Caller   fleet_scheduler, every now and then; fleet_api through eta_v1
-- p_max_age_s a forecast that is younger than this will do, if it knows the jobs of p_wanted
-- Returns  {made_at, jobs, fresh}: fresh is false when an older one did
-- Locks    the turn of rehearsals: one at a time, and here others wait for it, since it is what they wait for
--
-- The plays give a middle; how far to trust it is learned from how far off the first forecasts of earlier jobs were, in
-- the same range of waits: their quantiles, applied to the log of the wait, make p50 and p90 (split conformal prediction:
-- Papadopoulos et al., 2002). What no play can know, such as work that is not submitted yet, is in there.
create function fleet.forecast_v1(p_max_age_s double precision, p_wanted uuid[] default '{}')
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  c_sight  constant integer := 600;  -- jobs that are forecast, about
  c_starts constant integer := 300;  -- played in all, when fewer than that wait: what a forecast may cost, at some milliseconds each
  v_now    timestamptz;
  v_made   timestamptz;
  v_played rehearsal.outcomes[];
begin
  perform from fleet.turns as t where t.name = 'rehearse' for update;
  v_now := fleet.now();
  v_made := (select max(f.made_at) from fleet.forecasts as f);
  if v_made > v_now - make_interval(secs => p_max_age_s)
     and not exists (select from unnest(p_wanted) as w (job_id)
                      where not exists (select from fleet.forecasts as f where f.job_id = w.job_id)) then
    return jsonb_build_object('made_at', v_made, 'jobs', 0, 'fresh', false);
  end if;
  perform fleet._judge_forecasts(v_now);
  perform rehearsal._set_stage(v_now, c_sight, p_wanted);
  v_played := rehearsal._plays(c_starts, c_sight);
  perform fleet._tell(v_now, v_played);
  return jsonb_build_object('made_at', v_now, 'jobs', (select count(*) from fleet.forecasts as f where f.made_at = v_now),
                            'fresh', true);
end
$$;

-- _calibrated: what plays say of each job, in the middle (seconds from now) and as bounds.
create function fleet._calibrated(p_now timestamptz, p_played rehearsal.outcomes[])
  returns table (job_id uuid, start_s double precision, finish_s double precision, start_p50 timestamptz, start_p90 timestamptz,
                 finish_p50 timestamptz, finish_p90 timestamptz)
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with middle as materialized (
    select o.job_id,
           percentile_cont(0.5) within group (order by extract(epoch from o.started_at - p_now)::double precision) as start_s,
           percentile_cont(0.5) within group (order by extract(epoch from o.ends_at - p_now)::double precision) as finish_s
      from unnest(p_played) as o
     group by o.job_id
  ),
  widths as materialized (
    select w.what, w.class, fleet._off(w.what, w.class, 0.5) as off_50, fleet._off(w.what, w.class, 0.9) as off_90
      from (select m.what, fleet._wait_class(m.said_s) as class
              from (select 'start' as what, start_s as said_s from middle union select 'finish', finish_s from middle) as m
             where m.said_s is not null
             group by 1, 2) as w
  ),
  said as (
    select m.job_id, m.start_s, m.finish_s,
           fleet._in(p_now, m.start_s, s.off_50) as start_p50, fleet._in(p_now, m.start_s, s.off_90) as start_p90,
           fleet._in(p_now, m.finish_s, f.off_50) as finish_p50, fleet._in(p_now, m.finish_s, f.off_90) as finish_p90
      from middle as m
      left join widths as s on s.what = 'start' and s.class = fleet._wait_class(m.start_s)
      left join widths as f on f.what = 'finish' and f.class = fleet._wait_class(m.finish_s)
  )
  select s.job_id, s.start_s, s.finish_s, s.start_p50, s.start_p90,
         greatest(s.finish_p50, s.start_p50), greatest(s.finish_p90, s.start_p90, s.finish_p50)
    from said as s
$$;

-- _tell: write down what the plays said.
create function fleet._tell(p_now timestamptz, p_played rehearsal.outcomes[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into fleet.forecasts as f (job_id, project_id, made_at, start_p50, start_p90, finish_p50, finish_p90,
                                    first_at, first_start_s, first_start_p50, first_start_p90, first_finish_s, first_finish_p90)
  select c.job_id, j.project_id, p_now, c.start_p50, c.start_p90, c.finish_p50, c.finish_p90,
         p_now, c.start_s, c.start_p50, c.start_p90, c.finish_s, c.finish_p90
    from fleet._calibrated(p_now, p_played) as c
    join fleet.jobs as j on j.job_id = c.job_id
   order by c.job_id
      on conflict (job_id) do update
     set made_at = excluded.made_at, start_p50 = excluded.start_p50, start_p90 = excluded.start_p90,
         finish_p50 = excluded.finish_p50, finish_p90 = excluded.finish_p90
$$;

-- _judge_forecasts: jobs that have started, or ended, since they were forecast: how far off was what was said at first?
create function fleet._judge_forecasts(p_now timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with known as materialized (
    select f.*, j.outcome, j.ended_at, l.job_id is not null as runs,
           coalesce(f.started_at, l.claimed_at,
                    case when j.attempts > 0
                         then (select min(a.started_at) from fleet.attempts as a
                                where a.job_id = f.job_id and a.ended_at >= f.first_at) end) as began_at
      from fleet.forecasts as f
      left join fleet.jobs as j on j.job_id = f.job_id
      left join fleet.leases as l on l.job_id = f.job_id
  ),
  judged as (
    insert into fleet.forecast_scores (at, what, said_s, off, held)
    select p_now, 'start', k.first_start_s,
           ln((greatest(0, extract(epoch from k.began_at - k.first_at)::double precision) + 5) / (greatest(0, k.first_start_s) + 5)),
           k.began_at <= k.first_start_p90
      from known as k
     where k.started_at is null and k.began_at is not null and k.first_start_s is not null
     union all
    select p_now, 'finish', k.first_finish_s,
           ln((greatest(0, extract(epoch from k.ended_at - k.first_at)::double precision) + 5) / (greatest(0, k.first_finish_s) + 5)),
           k.ended_at <= k.first_finish_p90
      from known as k
     where k.outcome = 'succeeded' and k.first_finish_s is not null
  ),
  over as (
    delete from fleet.forecasts as f using known as k where f.job_id = k.job_id and (k.outcome is not null or k.project_id is null)
  ),
  begun as (
    update fleet.forecasts as f
       set started_at = k.began_at, start_p50 = null, start_p90 = null
      from known as k
     where f.job_id = k.job_id and k.outcome is null and k.began_at is not null and f.started_at is null
  )
  delete from fleet.forecast_scores as s
   where s.score_id < (select max(x.score_id) - 4000 from fleet.forecast_scores as x)
$$;

-- _off: by how much (log) forecasts in this range of waits are exceeded by no more than 1 - p_share of jobs. Jobs that are
-- later already than was said count as they stand. A range with fewer than 30 to learn from learns from the others, but
-- not from the jobs that start at once, which are nearly always right; and ten guesses stand in until there are more.
create function fleet._off(p_what text, p_class integer, p_share double precision)
  returns double precision
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with latest as materialized (
    select s.off, fleet._wait_class(s.said_s) as class, s.score_id
      from fleet.forecast_scores as s
     where s.what = p_what
     order by s.score_id desc
     limit 1000
  ),
  known as materialized (
    select l.off, l.class
      from (select l.*, row_number() over (partition by l.class order by l.score_id desc) as place from latest as l) as l
     where l.place <= 200
     union all
    select o.off, o.class
      from (select ln((extract(epoch from fleet.now() - f.first_at)::double precision + 5) / (greatest(0, f.first_start_s) + 5)) as off,
                   fleet._wait_class(f.first_start_s) as class
              from fleet.forecasts as f
             where p_what = 'start' and f.started_at is null and f.first_start_s is not null) as o
     where o.off > 0
  ),
  pool as (
    select k.off from known as k where k.class = p_class
     union all
    select k.off from known as k
     where k.class <> p_class and k.class > 0 and p_class > 0
       and (select count(*) from known as n where n.class = p_class) < 30
     union all
    select g.off from unnest(array[-0.5, -0.3, -0.2, -0.1, 0, 0, 0.1, 0.3, 0.7, 0.9]) as g (off)
  )
  select percentile_cont(p_share) within group (order by p.off) from pool as p
$$;

-- _wait_class: waits that are forecast about equally well.
create function fleet._wait_class(p_s double precision)
  returns integer
  language sql
  immutable
  return width_bucket(p_s, array[15, 120, 600, 3600]::double precision[]);

-- _in: so many seconds from now, when forecasts are off by so much (log).
create function fleet._in(p_now timestamptz, p_s double precision, p_off double precision)
  returns timestamptz
  language sql
  immutable
  return p_now + make_interval(secs => greatest(0, (greatest(0, p_s) + 5) * exp(p_off) - 5));
