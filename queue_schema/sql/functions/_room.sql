-- _measure: room on the node, from what was sampled and what is booked.
--
-- Locks    nothing: the caller holds the node's row of bookings, so that claims of one node follow each other
-- Errors   JQ002 bad_request: the sample is older than one that was used, or is not one
--
-- Per device:  claimable = least(free - sum(max(0, booked - realised)), total - sum(booked)) - headroom
-- over the leases of its node; one missing from the sample counts as unrealised. `total - sum(booked)` never decides
-- while samples are honest; it keeps a wrong one from overbooking (I3). Only leases that the sample names are read, by
-- their key: sum(max(0, booked - realised)) = sum(booked) - sum over these of min(booked, realised).
create function fleet._measure(p_session fleet.sessions, p_node fleet.nodes, p_booked fleet.bookings, p_sample jsonb)
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
begin
  if v_seq is null or v_seq <= p_booked.sample_seq then
    raise exception using errcode = 'JQ002', column = 'sample.seq',
      message = format('sample %s is not newer than %s, which was used', v_seq, p_booked.sample_seq),
      hint = 'Measure again, then claim.';
  end if;
  select array_agg(c.idx order by c.idx = -1, c.idx), array_agg(c.kind order by c.idx = -1, c.idx),
         array_agg(c.takes_vram order by c.idx = -1, c.idx), array_agg(c.claimable order by c.idx = -1, c.idx),
         bool_or(c.old), bool_or(c.free_mib is null) or count(*) > count(distinct c.idx)
    into v_room.idx, v_room.kind, v_room.takes, v_room.claimable, v_old, v_bad
    from (select d.idx, d.kind, d.takes_vram, x.free_mib, d.sampled_at is null or d.sampled_at < v_now - interval '5 s' as old,
                 least(x.free_mib - coalesce(b.mib, 0) + coalesce(r.mib, 0), d.total_mib - coalesce(b.mib, 0))::integer
                 - d.headroom_mib as claimable
            from fleet.devices as d
            join jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer, leases jsonb) on x.idx = d.idx
            left join unnest(p_booked.idx, p_booked.mib) as b (idx, mib) on b.idx = d.idx
            left join lateral (select sum(least(y.mib, case when d.idx = any(l.devices) then l.vram_mib else 0 end
                                                       + case when d.idx = -1 then l.ram_mib else 0 end)) as mib
                                 from (select z.job_id, z.token, sum(z.mib) as mib
                                         from jsonb_to_recordset(x.leases) as z (job_id uuid, token uuid, mib integer)
                                        group by z.job_id, z.token) as y
                                 join fleet.leases as l
                                   on l.job_id = y.job_id and l.token = y.token and l.session_id = p_session.session_id) as r
                 on x.leases <> '[]'
           where d.node_id = p_node.node_id) as c;
  if v_bad or (p_sample ->> 'disk_free_mib') is null then
    raise exception using errcode = 'JQ002', column = 'sample.devices',
      message = 'a sample names each device once, with its free memory, and the free disk',
      hint = 'Leave a device out when it cannot be measured.';
  end if;
  if not coalesce(-1 = any(v_room.idx), false) then
    raise exception using errcode = 'JQ002', column = 'sample.devices', message = 'the sample lacks the host''s memory (idx -1)',
      hint = 'Measure every device that was declared; leave out only what is sick.';
  end if;

  v_room.cpu_milli := p_node.cpu_milli - p_booked.cpu_milli;
  v_room.disk_mib := (p_sample ->> 'disk_free_mib')::integer - p_booked.disk_mib;
  v_room.slots := p_session.slots - p_booked.held;
  -- Three different jobs failed here in a row: one at a time until one succeeds (I8).
  if exists (select from fleet.node_health as h where h.node_id = p_node.node_id and cardinality(h.failing) >= 3) then
    v_room.slots := least(v_room.slots, 1 - p_booked.held);
  end if;

  if v_old then
    perform fleet._note_sample(p_node.node_id, p_sample, v_now);
  end if;
  return v_room;
end
$$;

-- _note_sample: keep what was measured, for people, and for questions and places, which have no sample of their own.
create function fleet._note_sample(p_node bigint, p_sample jsonb, p_now timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update fleet.devices as d
     set free_mib = x.free_mib, sampled_at = p_now
    from jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer)
   where d.node_id = p_node
     and d.idx = x.idx
     and x.free_mib is not null
$$;
