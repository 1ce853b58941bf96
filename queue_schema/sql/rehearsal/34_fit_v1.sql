-- fit_v1: if these jobs were submitted now, which would start, where, and when? Nothing is submitted.
--
-- Caller   fleet_api
-- p_jobs   as submit_v1 takes them; what they wait for and their files are not looked at
-- Returns  [{ref, starts: now | later | never, node, devices, start: {p50, p90}, finish: {p50, p90}, causes}] in the order of
--          p_jobs; node and devices of those that start now; causes, as why_v1 gives them, of those that do not
-- Locks    the turn of rehearsals; nothing of the fleet
-- Errors   as submit_v1
create function fleet.fit_v1(p_project uuid, p_jobs jsonb, p_key uuid default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  c_starts constant integer := 600;
  v_now    timestamptz;
  v_jobs   uuid[];
  v_played rehearsal.outcomes[];
begin
  if jsonb_typeof(p_jobs) is distinct from 'array' or jsonb_array_length(p_jobs) not between 1 and 100 then
    raise exception using errcode = 'JQ002', message = 'fit takes a list of 1 to 100 jobs', column = 'jobs',
      hint = 'Ask for fewer at once.';
  end if;
  perform fleet._check_objects(p_jobs);
  perform from fleet.turns as t where t.name = 'rehearse' for update;
  v_now := fleet.now();
  perform rehearsal._set_stage(v_now, c_starts);
  insert into rehearsal.api_keys select k.* from fleet.api_keys as k where k.key_id = p_key;
  v_jobs := array(select (s.one ->> 'job_id')::uuid
                    from json_array_elements(rehearsal.submit_v1(
                           p_project,
                           (select jsonb_agg(e.one - '{after,inputs,run_at,webhook}'::text[] order by e.place)
                              from jsonb_array_elements(p_jobs) with ordinality as e (one, place)), p_key))
                         with ordinality as s (one, place)
                   order by s.place);
  v_played := rehearsal._plays(c_starts, c_starts);
  return (
    select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
             'ref', p_jobs -> (w.place::integer - 1) ->> 'ref',
             'starts', case when g.job_id is not null then 'now' when c.start_p50 is not null then 'later' else 'never' end,
             'node', n.node, 'devices', to_jsonb(g.devices),
             'start', case when c.start_p50 is not null then jsonb_build_object('p50', c.start_p50, 'p90', c.start_p90) end,
             'finish', case when c.start_p50 is not null then jsonb_build_object('p50', c.finish_p50, 'p90', c.finish_p90) end,
             'causes', case when g.job_id is null then b.causes end)) order by w.place)
      from unnest(v_jobs) with ordinality as w (job_id, place)
      left join fleet._calibrated(v_now, v_played) as c on c.job_id = w.job_id
      left join lateral (select o.job_id, o.node_id, o.devices
                           from unnest(v_played) as o
                          where o.job_id = w.job_id and o.started_at <= v_now
                          limit 1) as g on true
      left join fleet.nodes as n on n.node_id = g.node_id
      left join lateral (select rehearsal._holds(w.job_id, m.causes) || m.causes as causes from rehearsal._best_node(w.job_id) as m) as b
        on g.job_id is null);
end
$$;
