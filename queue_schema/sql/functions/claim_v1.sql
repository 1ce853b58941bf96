-- claim_v1: lease the best jobs that fit what this node measured, and book their memory in the same transaction.
--
-- Caller   fleet_agent
-- p_sample {seq, devices: [{idx, free_mib, leases: [{token, mib}]}], disk_free_mib}
-- Returns  [{job_id, token, attempt, project_id, kind, params, inputs, grant, timeout_s, exclusive, checkpoint, trace}]
-- Locks    the session row KEY SHARE; the node's device rows; rows of ready with SKIP LOCKED: never waits for another node
-- Errors   JQ002 bad_request, JQ003 session_lost
--
-- Per device:  claimable = least(free - sum(max(0, booked - realised)), total - sum(booked)) - headroom
-- over its leases; one missing from the sample counts as unrealised. `total - sum(booked)` never decides while
-- samples are honest; it keeps a wrong one from overbooking (I3).
--
-- Order: class, then rank, then age over all lanes that fit. One lane is taken at a time, as far as its jobs are
-- older than the head of the next lane, so that the order holds across lanes without locking more than is taken.
create function fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer,
                               p_waiting boolean default false)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now     timestamptz := fleet.now();
  v_session fleet.sessions;
  v_node    fleet.nodes;
  v_room    fleet.room;
  v_next    fleet.room;
  v_left    integer;
  v_lane    record;
  v_dry     bigint[] := '{}';
  v_held    bigint[] := '{}';
  v_places  text[];
  v_one     integer[];
  v_jobs    uuid[];
begin
  v_session := fleet._session(p_session, p_secret);
  select n.* into strict v_node from fleet.nodes as n where n.node_id = v_session.node_id;
  if p_want is null or p_want < 1 then
    raise exception using errcode = 'JQ002', message = format('a claim wants at least one job, got %s', p_want),
      column = 'want', hint = 'Do not claim when there is no free slot.';
  end if;
  -- Under the lock, so that a repeat that overtakes its first run waits for it, and replays it.
  perform 1 from fleet.devices as d where d.node_id = v_node.node_id order by d.idx for no key update;
  if exists (select from fleet.leases as l where l.session_id = p_session and l.request_id = p_request) then
    return fleet._claimed(p_session, p_request);
  end if;
  if v_node.draining then
    return '[]';
  end if;

  v_room := fleet._measure(v_session, v_node, p_sample);
  v_left := least(p_want, v_room.slots);
  while v_left > 0 loop
    -- The best lane that fits now, and the head of the next best of the same class and rank.
    select f.*, lead(f.head) over w as next_head, lead(f.priority) over w as next_priority, lead(f.rank) over w as next_rank
      into v_lane
      from (select l.lane_id, l.priority, l.rank, h.order_key as head,
                   s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device
              from fleet.lanes as l
              join fleet.needs as n on n.need_id = l.need_id
              join fleet.shapes as s on s.shape_id = n.shape_id
              join fleet.projects as p on p.project_id = l.project_id
             cross join lateral (select r.order_key
                                   from fleet.ready as r
                                  where r.lane_id = l.lane_id
                                  order by r.order_key
                                  limit 1) as h
             where l.active
               and not l.paused
               and not l.lane_id = any(v_dry)
               and n.kind = any(v_session.kinds)
               and (p.trusted_pools is null or p.trusted_pools && v_node.pools)
               and (s.labels = '{}' or (v_node.facts || v_node.labels) @> s.labels)
               and fleet._place(v_room, s.gpus, s.vram_mib, s.cpu_milli, s.ram_mib, s.disk_mib, s.device) is not null) as f
    window w as (order by f.priority desc, f.rank, f.head)
     order by f.priority desc, f.rank, f.head
     limit 1;
    exit when not found;

    -- How many of its shape fit, and where each would go.
    v_next := v_room;
    v_places := '{}';
    while cardinality(v_places) < v_left loop
      v_one := fleet._place(v_next, v_lane.gpus, v_lane.vram_mib, v_lane.cpu_milli, v_lane.ram_mib, v_lane.disk_mib,
                            v_lane.device);
      exit when v_one is null;
      v_places := v_places || v_one::text;
      v_next := fleet._book(v_next, v_one, v_lane.vram_mib, v_lane.cpu_milli, v_lane.ram_mib, v_lane.disk_mib);
    end loop;

    with picked as (
      select r.lane_id, r.order_key, r.job_id
        from fleet.ready as r
       where r.lane_id = v_lane.lane_id
         and (v_lane.lane_id = any(v_held) or v_lane.next_head is null or v_lane.next_priority <> v_lane.priority or v_lane.next_rank <> v_lane.rank
              or r.order_key <= v_lane.next_head)
       order by r.order_key, r.job_id
       limit cardinality(v_places)
         for update skip locked
    ),
    taken as (
      delete from fleet.ready as r
       using picked as p
       where (r.lane_id, r.order_key, r.job_id) = (p.lane_id, p.order_key, p.job_id)
      returning r.order_key, r.job_id
    )
    select array_agg(t.job_id order by t.order_key, t.job_id) into v_jobs from taken as t;

    if v_jobs is null then
      -- All we looked at is being taken by others: look past the bound, then leave the lane.
      if v_lane.lane_id = any(v_held) or v_lane.next_head is null then
        v_dry := v_dry || v_lane.lane_id;
      else
        v_held := v_held || v_lane.lane_id;
      end if;
      continue;
    end if;
    insert into fleet.leases (job_id, token, session_id, node_id, project_id, request_id, attempt, devices, vram_mib, ram_mib,
                              cpu_milli, disk_mib, claimed_at, deadline)
    select j.job_id, gen_random_uuid(), p_session, v_node.node_id, j.project_id, p_request, j.attempts + 1,
           fleet._idx(v_room, v_places[t.place]::integer[]), v_lane.vram_mib, v_lane.ram_mib, v_lane.cpu_milli,
           v_lane.disk_mib, v_now, v_now + make_interval(secs => j.timeout_s)
      from unnest(v_jobs) with ordinality as t (job_id, place)
      join fleet.jobs as j on j.job_id = t.job_id;
    for i in 1..cardinality(v_jobs) loop
      v_room := fleet._book(v_room, v_places[i]::integer[], v_lane.vram_mib, v_lane.cpu_milli, v_lane.ram_mib,
                            v_lane.disk_mib);
    end loop;
    v_left := v_left - cardinality(v_jobs);
  end loop;

  if exists (select from fleet.leases as l where l.session_id = p_session and l.request_id = p_request) then
    perform set_config('synchronous_commit', 'on', true);
    insert into fleet.job_events (job_id, project_id, at, event, detail)
    select l.job_id, l.project_id, v_now, 'claimed', jsonb_build_object('attempt', l.attempt, 'node', v_node.node,
                                                                        'devices', l.devices)
      from fleet.leases as l
     where l.session_id = p_session and l.request_id = p_request;
    update fleet.devices as d set sample_seq = v_room.seq where d.node_id = v_node.node_id and d.idx = -1;
    delete from fleet.idle_sessions as i where i.session_id = p_session;
  elsif p_waiting then
    insert into fleet.idle_sessions (session_id, since) values (p_session, v_now) on conflict do nothing;
  end if;
  return fleet._claimed(p_session, p_request);
end
$$;
