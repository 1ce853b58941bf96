-- _lease: write down what a claim took, and answer it. One element of each array is one job.
--
-- p_shapes the shape of each; p_places positions in the room, as texts; p_charges GiB x seconds; p_runs expected seconds
--
-- Its commit does not wait for the disk. If the server crashes in that moment the jobs are ready again and their tokens mean
-- nothing: the agent learns it at its next beat and ends its runners, as with any lost lease. What it settled before was
-- written after the claim, so the claim was on disk too (docs/adr/0006). Only an exclusive job must not run twice at once.
create function fleet._lease(p_session uuid, p_node fleet.nodes, p_request uuid, p_seq bigint, p_room_idx integer[],
                             p_jobs uuid[], p_shapes bigint[], p_places text[], p_charges double precision[],
                             p_runs double precision[], p_capped boolean[])
  returns json
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now    timestamptz := fleet.now();
  v_event  bigint := fleet.event_id();
  v_answer json;
  v_waits  boolean;
begin
  with seed as materialized (
    -- Tokens are hashes of one random seed and their place: no less a secret, and the system is asked once.
    select uuid_send(gen_random_uuid()) as bytes
  ),
  lease as materialized (
    -- The one look at the jobs: for the leases, the history and the answer.
    select t.place, t.job_id, encode(substring(sha256(e.bytes || int8send(t.place)) for 16), 'hex')::uuid as token,
           case when t.places = '{}' then '{}' else fleet._idx(p_room_idx, t.places::integer[]) end as devices,
           s.vram_mib, s.ram_mib, s.cpu_milli, s.disk_mib, t.charge, t.run_s, t.capped, j.project_id, j.attempts + 1 as attempt,
           j.kind, j.params, j.inputs, j.timeout_s, j.exclusive, j.trace, j.preemptible and j.priority = 'low' as preemptible
      from unnest(p_jobs, p_shapes, p_places, p_charges, p_runs, p_capped) with ordinality
           as t (job_id, shape_id, places, charge, run_s, capped, place)
     cross join seed as e
      join fleet.shapes as s on s.shape_id = t.shape_id
      join fleet.jobs as j on j.job_id = t.job_id
  ),
  leased as (
    insert into fleet.leases (job_id, token, session_id, node_id, project_id, request_id, attempt, devices, vram_mib, ram_mib,
                              cpu_milli, disk_mib, claimed_at, deadline, ends_at, charged, capped,
                              preemptible, claimed_event)
    select l.job_id, l.token, p_session, p_node.node_id, l.project_id, p_request, l.attempt, l.devices, l.vram_mib,
           l.ram_mib, l.cpu_milli, l.disk_mib, v_now, v_now + make_interval(secs => l.timeout_s),
           v_now + make_interval(secs => least(l.timeout_s, coalesce(l.run_s, l.timeout_s))), l.charge, l.capped, l.preemptible,
           v_event
      from lease as l
  ),
  booked as (
    select l.idx, sum(l.mib)::integer as mib
      from (select d.idx, l.vram_mib as mib from lease as l cross join lateral unnest(l.devices) as d (idx)
             union all
            select -1, l.ram_mib from lease as l
             union all
            select b.idx, b.mib from fleet.bookings as o cross join lateral unnest(o.idx, o.mib) as b (idx, mib)
             where o.node_id = p_node.node_id) as l
     group by l.idx
  ),
  kept as (
    update fleet.bookings as b
       set held = b.held + (select count(*) from lease),
           cpu_milli = b.cpu_milli + (select sum(l.cpu_milli) from lease as l),
           disk_mib = b.disk_mib + (select sum(l.disk_mib) from lease as l),
           idx = coalesce((select array_agg(k.idx) from booked as k where k.mib > 0), '{}'),
           mib = coalesce((select array_agg(k.mib) from booked as k where k.mib > 0), '{}'),
           sample_seq = p_seq,
           request_id = p_request
     where b.node_id = p_node.node_id
  )
  select json_agg(fleet._answer(l.job_id, l.token, l.attempt, l.project_id, l.kind, l.params, l.inputs, l.timeout_s, l.exclusive,
                                l.trace, l.devices, l.vram_mib, l.ram_mib, l.cpu_milli, l.disk_mib) order by l.place),
         bool_or(l.exclusive)
    into v_answer, v_waits
    from lease as l;
  if v_waits then
    perform fleet._durably();
  else
    perform set_config('synchronous_commit', 'off', true);
  end if;
  return v_answer;
end
$$;
