-- What a claim may still hand out on one node; arrays run over its measured devices, host memory last.
create type fleet.room as (
  seq       bigint,
  slots     integer,
  cpu_milli integer,
  disk_mib  integer,
  idx       integer[],
  kind      text[],
  takes     boolean[],
  claimable integer[]
);

-- _measure: room on the node, from what was sampled and what is booked.
--
-- Locks    nothing: the caller holds the node's device rows, so that claims of one node follow each other
-- Errors   JQ002 bad_request: the sample is older than one that was used, or is not one
create function fleet._measure(p_session fleet.sessions, p_node fleet.nodes, p_sample jsonb)
  returns fleet.room
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now  timestamptz := fleet.now();
  v_room fleet.room;
  v_last bigint;
  v_held integer;
begin
  select d.sample_seq into v_last from fleet.devices as d where d.node_id = p_node.node_id and d.idx = -1;
  v_room.seq := (p_sample ->> 'seq')::bigint;
  if v_room.seq is null or v_room.seq <= v_last then
    raise exception using errcode = 'JQ002', column = 'sample.seq',
      message = format('sample %s is not newer than %s, which was used', v_room.seq, v_last),
      hint = 'Measure again, then claim.';
  end if;

  if (p_sample ->> 'disk_free_mib') is null
     or exists (select from jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer)
                 group by x.idx having count(*) > 1 or bool_or(x.free_mib is null or x.idx is null)) then
    raise exception using errcode = 'JQ002', column = 'sample.devices',
      message = 'a sample names each device once, with its free memory, and the free disk',
      hint = 'Leave a device out when it cannot be measured.';
  end if;
  select array_agg(c.idx order by c.idx = -1, c.idx), array_agg(c.kind order by c.idx = -1, c.idx),
         array_agg(c.takes_vram order by c.idx = -1, c.idx), array_agg(c.claimable order by c.idx = -1, c.idx)
    into v_room.idx, v_room.kind, v_room.takes, v_room.claimable
    from (select d.idx, d.kind, d.takes_vram,
                 least(x.free_mib - coalesce(sum(greatest(0, b.booked - coalesce(r.mib, 0))), 0),
                       d.total_mib - coalesce(sum(b.booked), 0))::integer - d.headroom_mib as claimable
            from fleet.devices as d
            join jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer, leases jsonb) on x.idx = d.idx
            left join lateral (select l.token,
                                      case when d.idx = any(l.devices) then l.vram_mib else 0 end
                                      + case when d.kind = 'ram' then l.ram_mib else 0 end as booked
                                 from fleet.leases as l
                                where l.session_id = p_session.session_id) as b on b.booked > 0
            left join lateral (select sum(y.mib) as mib
                                 from jsonb_to_recordset(x.leases) as y (token uuid, mib integer)
                                where y.token = b.token) as r on true
           where d.node_id = p_node.node_id
           group by d.idx, d.kind, d.takes_vram, d.total_mib, d.headroom_mib, x.free_mib) as c;
  if not coalesce(-1 = any(v_room.idx), false) then
    raise exception using errcode = 'JQ002', column = 'sample.devices', message = 'the sample lacks the host''s memory (idx -1)',
      hint = 'Measure every device that was declared; leave out only what is sick.';
  end if;

  select count(*), p_node.cpu_milli - coalesce(sum(l.cpu_milli), 0),
         (p_sample ->> 'disk_free_mib')::integer - coalesce(sum(l.disk_mib), 0)
    into v_held, v_room.cpu_milli, v_room.disk_mib
    from fleet.leases as l
   where l.session_id = p_session.session_id;
  v_room.slots := p_session.slots - v_held;
  -- Three different jobs failed here in a row: one at a time until one succeeds (I8).
  if exists (select from fleet.node_health as h where h.node_id = p_node.node_id and cardinality(h.failing) >= 3) then
    v_room.slots := least(v_room.slots, 1 - v_held);
  end if;

  update fleet.devices as d
     set free_mib = x.free_mib, sampled_at = v_now
    from jsonb_to_recordset(p_sample -> 'devices') as x (idx integer, free_mib integer)
   where d.node_id = p_node.node_id
     and d.idx = x.idx
     and (d.sampled_at is null or d.sampled_at < v_now - interval '5 s');
  return v_room;
end
$$;

-- _place: positions (in the arrays of the room) of the devices a job of this shape would get: the fullest that
-- still fit, so that small jobs leave big holes whole. '{}' when it needs none; null when it does not fit.
create function fleet._place(p_room fleet.room, p_gpus integer, p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer,
                             p_disk_mib integer, p_device text)
  returns integer[]
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ram   integer := cardinality((p_room).idx);
  v_found integer[];
begin
  if p_cpu_milli > (p_room).cpu_milli or p_disk_mib > (p_room).disk_mib or p_ram_mib > (p_room).claimable[v_ram] then
    return null;
  end if;
  if p_gpus = 0 then
    return '{}';
  end if;
  v_found := array(
    select i.at
      from generate_series(1, v_ram) as i (at)
     where (p_room).takes[i.at]
       and (p_device = 'any' or p_device = (p_room).kind[i.at])
       and (p_room).claimable[i.at] >= p_vram_mib + case when i.at = v_ram then p_ram_mib else 0 end
     order by (p_room).claimable[i.at], i.at
     limit p_gpus);
  return case when cardinality(v_found) = p_gpus then v_found end;
end
$$;

-- _book: the room that is left when a job is placed there.
create function fleet._book(p_room fleet.room, p_places integer[], p_vram_mib integer, p_cpu_milli integer, p_ram_mib integer,
                            p_disk_mib integer)
  returns fleet.room
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_room fleet.room := p_room;
  v_ram  integer := cardinality((p_room).idx);
  v_at   integer;
begin
  foreach v_at in array p_places loop
    v_room.claimable[v_at] := v_room.claimable[v_at] - p_vram_mib;
  end loop;
  v_room.claimable[v_ram] := v_room.claimable[v_ram] - p_ram_mib;
  v_room.cpu_milli := v_room.cpu_milli - p_cpu_milli;
  v_room.disk_mib := v_room.disk_mib - p_disk_mib;
  v_room.slots := v_room.slots - 1;
  return v_room;
end
$$;

-- _idx: the devices' own indexes for positions in the room.
create function fleet._idx(p_room fleet.room, p_places integer[])
  returns integer[]
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg((p_room).idx[p.at] order by (p_room).idx[p.at]), '{}') from unnest(p_places) as p (at)
$$;

-- _claimed: the answer of a claim, from its leases.
create function fleet._claimed(p_session uuid, p_request uuid)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
           'job_id', l.job_id, 'token', l.token, 'attempt', l.attempt, 'project_id', l.project_id, 'kind', j.kind,
           'params', j.params, 'timeout_s', j.timeout_s, 'exclusive', j.exclusive, 'trace', j.trace,
           'grant', jsonb_build_object('devices', l.devices, 'vram_mib', l.vram_mib, 'ram_mib', l.ram_mib,
                                       'cpu_milli', l.cpu_milli, 'disk_mib', l.disk_mib),
           'inputs', case when j.inputs is null then '[]' else fleet._resolved_inputs(j.project_id, j.inputs) end,
           'checkpoint', case when c.job_id is not null
                              then jsonb_build_object('sha256', c.sha256, 'size', c.size, 'step', c.step) end)
           order by j.priority desc, j.order_key), '[]')
    from fleet.leases as l
    join fleet.jobs as j on j.job_id = l.job_id
    left join fleet.checkpoints as c on c.job_id = l.job_id
   where l.session_id = p_session
     and l.request_id = p_request
$$;

-- _resolved_inputs: each input with the file behind it; sha256 is null when the job it comes from has no such output.
create function fleet._resolved_inputs(p_project uuid, p_inputs jsonb)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
           'name', n.name,
           'sha256', coalesce(a.sha256, b.sha256),
           'size', coalesce(a.size, b.size),
           'source', case when n.input ? 'job' then format('output %s of job %s', n.input ->> 'output', n.input ->> 'job')
                         else 'file ' || (n.input ->> 'sha256') end) order by n.name), '[]')
    from jsonb_each(p_inputs) as n (name, input)
    left join fleet.artifacts as a
      on a.job_id = (n.input ->> 'job')::uuid and a.name = n.input ->> 'output' and a.project_id = p_project
    left join fleet.blobs as b on b.project_id = p_project and b.sha256 = n.input ->> 'sha256'
$$;
