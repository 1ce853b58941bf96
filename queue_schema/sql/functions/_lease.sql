-- _lease: write down what a claim took, and answer it.
--
-- p_jobs   all of them, as p_taken has them visit by visit
-- p_booked what the node has booked with it, p_idx the devices of the room in their order, p_era the ranking in force
--
-- Its commit does not wait for the disk. If the server crashes in that moment the jobs are ready again and their tokens mean
-- nothing: the agent learns it at its next beat and ends its runners, as with any lost lease. What it settled before was
-- written after the claim, so the claim was on disk too (docs/adr/0006). Only an exclusive job must not run twice at once.
create function fleet._lease(p_session uuid, p_request uuid, p_seq bigint, p_booked fleet.bookings, p_idx integer[], p_era bigint,
                             p_jobs uuid[], p_taken fleet.taken[])
  returns json
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
  set enable_nestloop = off  -- two lists of five hundred are joined here, of which the planner thinks that they are short
as $$
declare
  v_now    timestamptz := fleet.now();
  v_event  bigint := fleet.event_id();
  v_answer json;
  v_waits  boolean;
  v_async  text;
begin
  update fleet.bookings as b
     set held = p_booked.held, cpu_milli = p_booked.cpu_milli, disk_mib = p_booked.disk_mib, idx = p_booked.idx, mib = p_booked.mib,
         sample_seq = p_seq, request_id = p_request
   where b.node_id = p_booked.node_id;

  with seed as materialized (
    -- Tokens are hashes of one random seed and their place: no less a secret, and the system is asked once.
    select uuid_send(gen_random_uuid()) as bytes
  ),
  lease as materialized (
    -- The one look at the jobs: for the leases and the answer.
    select v.visit, t.place, t.job_id,
           encode(substring(sha256(e.bytes || int8send(v.visit) || int8send(t.place)) for 16), 'hex')::uuid as token,
           case when t.places = '{}' then '{}' else fleet._idx(p_idx, t.places::integer[]) end as devices,
           (v.shape).vram_mib, (v.shape).ram_mib, (v.shape).cpu_milli, (v.shape).disk_mib, v.charge, v.run_s, v.capped,
           j.project_id, j.attempts + 1 as attempt, j.kind, j.params, j.inputs, j.timeout_s, j.exclusive, j.trace, j.model_key,
           j.preemptible and j.priority = 'low' as preemptible
      from seed as e
     cross join unnest(p_taken) with ordinality as v (jobs, places, shape, charge, run_s, project_id, low, capped, visit)
     cross join lateral unnest(v.jobs, v.places) with ordinality as t (job_id, places, place)
      -- All keys at once: jobs of one time stand side by side in the index, which is so walked once.
      join (select j.* from fleet.jobs as j where j.job_id = any(p_jobs)) as j on j.job_id = t.job_id
  ),
  leased as (
    insert into fleet.leases (job_id, token, session_id, node_id, project_id, request_id, attempt, devices, vram_mib, ram_mib,
                              cpu_milli, disk_mib, claimed_at, deadline, ends_at, charged, capped,
                              preemptible, claimed_event)
    select l.job_id, l.token, p_session, p_booked.node_id, l.project_id, p_request, l.attempt, l.devices, l.vram_mib,
           l.ram_mib, l.cpu_milli, l.disk_mib, v_now, v_now + make_interval(secs => l.timeout_s),
           v_now + make_interval(secs => least(l.timeout_s, coalesce(l.run_s, l.timeout_s))), l.charge, l.capped, l.preemptible,
           v_event
      from lease as l
  ),
  charged as (
    insert into fleet.charges (era, project_id, low, amount)
    select p_era, v.project_id, v.low, sum(v.charge * cardinality(v.jobs)) from unnest(p_taken) as v group by v.project_id, v.low
  )
  select ('[' || string_agg(fleet._answer(l.job_id, l.token, l.attempt, l.project_id, l.kind, l.params, l.inputs, l.timeout_s, l.exclusive,
                                          l.trace, l.devices, l.vram_mib, l.ram_mib, l.cpu_milli, l.disk_mib, l.model_key,
                                          l.preemptible), ',' order by l.visit, l.place) || ']')::json,
         bool_or(l.exclusive)
    into v_answer, v_waits
    from lease as l;
  -- Who works is not in it, and a DELETE that finds nothing costs more than a look.
  if exists (select from fleet.idle_sessions as i where i.session_id = p_session) then
    delete from fleet.idle_sessions as i where i.session_id = p_session;
  end if;
  if v_waits then
    perform fleet._durably();
  else
    -- Set by an expression: PERFORM would be a statement more.
    v_async := set_config('synchronous_commit', 'off', true);
  end if;
  return v_answer;
end
$$;
