-- _measure: room on the node, from what was sampled and what is booked.
--
-- p_slots, p_cpu_milli  what the session may run at once, and what its node has
-- Locks    nothing: the caller holds the node's row of bookings, so that claims of one node follow each other
-- Errors   JQ002 bad_request: the sample is older than one that was used, or is not one
--
-- Per device:  claimable = least(free - sum(max(0, booked - realised)), total - sum(booked)) - headroom
-- over the leases of its node; one missing from the sample counts as unrealised. `total - sum(booked)` never decides
-- while samples are honest; it keeps a wrong one from overbooking (I3). Only leases that the sample names are read, by
-- their key: sum(max(0, booked - realised)) = sum(booked) - sum over these of min(booked, realised).
create function fleet._measure(p_session uuid, p_slots integer, p_cpu_milli integer, p_booked fleet.bookings, p_sample jsonb)
  returns fleet.room
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now  timestamptz := fleet.now();
  v_room fleet.room;
  v_seq  bigint := (p_sample ->> 'seq')::bigint;
  v_old  boolean;
  v_bad  boolean;
  v_one  boolean;
  v_idx  integer[];
  v_real integer[];
begin
  if v_seq is null or v_seq <= p_booked.sample_seq then
    raise exception using errcode = 'JQ002', column = 'sample.seq',
      message = format('sample %s is not newer than %s, which was used', v_seq, p_booked.sample_seq),
      hint = 'Measure again, then claim.';
  end if;
  if jsonb_typeof(p_sample -> 'warm') <> 'array' then
    raise exception using errcode = 'JQ002', column = 'sample.warm', message = 'sample.warm is not a list',
      hint = 'Name each runner at rest: {project_id, kind, model, devices}; leave it out when there is none.';
  end if;
  if p_sample @? '$.devices[*].leases[*]' then
    select array_agg(r.idx), array_agg(r.mib)
      into v_idx, v_real
      from (select y.idx, sum(least(y.mib, case when y.idx = any(l.devices) then l.vram_mib else 0 end
                                           + case when y.idx = -1 then l.ram_mib else 0 end))::integer as mib
              from (select x.idx, z.job_id, z.token, sum(z.mib) as mib
                      from jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, leases jsonb)
                     cross join lateral jsonb_to_recordset(x.leases) as z (job_id uuid, token uuid, mib integer)
                     group by x.idx, z.job_id, z.token) as y
              join fleet.leases as l on l.job_id = y.job_id and l.token = y.token and l.session_id = p_session
             group by y.idx) as r;
  end if;
  select array_agg(c.idx order by c.idx = -1, c.idx), array_agg(c.kind order by c.idx = -1, c.idx),
         array_agg(c.takes_vram order by c.idx = -1, c.idx), array_agg(c.claimable order by c.idx = -1, c.idx),
         bool_or(c.old), bool_or(c.free_mib is null),
         exists (select from fleet.node_health as h where h.node_id = p_booked.node_id and cardinality(h.failing) >= 3)
    into v_room.idx, v_room.kind, v_room.takes, v_room.claimable, v_old, v_bad, v_one
    from (select d.idx, d.kind, d.takes_vram, x.free_mib, d.sampled_at is null or d.sampled_at < v_now - interval '5 s' as old,
                 least(x.free_mib - b.mib + coalesce(v_real[array_position(v_idx, d.idx)], 0), d.total_mib - b.mib)
                 - d.headroom_mib as claimable
            from fleet.devices as d
            join jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer) on x.idx = d.idx
           cross join lateral (select coalesce(p_booked.mib[array_position(p_booked.idx, d.idx)], 0) as mib) as b
           where d.node_id = p_booked.node_id) as c;
  for i in 2..coalesce(cardinality(v_room.idx), 0) loop
    v_bad := v_bad or v_room.idx[i] = v_room.idx[i - 1];
  end loop;
  if v_bad or (p_sample ->> 'disk_free_mib') is null then
    raise exception using errcode = 'JQ002', column = 'sample.devices',
      message = 'a sample names each device once, with its free memory, and the free disk',
      hint = 'Leave a device out when it cannot be measured.';
  end if;
  if not coalesce(-1 = any(v_room.idx), false) then
    raise exception using errcode = 'JQ002', column = 'sample.devices', message = 'the sample lacks the host''s memory (idx -1)',
      hint = 'Measure every device that was declared; leave out only what is sick.';
  end if;

  v_room.cpu_milli := p_cpu_milli - p_booked.cpu_milli;
  v_room.disk_mib := (p_sample ->> 'disk_free_mib')::integer - p_booked.disk_mib;
  -- Three different jobs failed here in a row: one at a time until one succeeds (I8).
  v_room.slots := case when v_one then least(p_slots, 1) else p_slots end - p_booked.held;
  if v_old then
    perform fleet._note_sample(p_booked.node_id, p_sample, v_now);
  end if;
  return v_room;
end
$$;

-- _note_sample: keep what was measured, for people, and for questions and places, which have no sample of their own. A sick
-- device says that nothing is free on it, which keeps all of them away.
create function fleet._note_sample(p_node bigint, p_sample jsonb, p_now timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update fleet.devices as d
     set free_mib = x.free_mib, sampled_at = p_now, fault = x.fault,
         fault_since = case when x.fault is not null then coalesce(d.fault_since, p_now) end
    from jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer, fault text)
   where d.node_id = p_node
     and d.idx = x.idx
     and x.free_mib is not null
$$;

-- _booked: the bookings of a node whose room became this much smaller.
create function fleet._booked(p_booked fleet.bookings, p_before fleet.room, p_room fleet.room)
  returns fleet.bookings
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_booked fleet.bookings := p_booked;
  v_at     integer;
begin
  v_booked.held := v_booked.held + (p_before).slots - (p_room).slots;
  v_booked.cpu_milli := v_booked.cpu_milli + (p_before).cpu_milli - (p_room).cpu_milli;
  v_booked.disk_mib := v_booked.disk_mib + (p_before).disk_mib - (p_room).disk_mib;
  for i in 1..cardinality((p_room).idx) loop
    if (p_room).claimable[i] <> (p_before).claimable[i] then
      v_at := coalesce(array_position(v_booked.idx, (p_room).idx[i]), cardinality(v_booked.idx) + 1);
      v_booked.idx[v_at] := (p_room).idx[i];
      v_booked.mib[v_at] := coalesce(v_booked.mib[v_at], 0) + (p_before).claimable[i] - (p_room).claimable[i];
    end if;
  end loop;
  return v_booked;
end
$$;
