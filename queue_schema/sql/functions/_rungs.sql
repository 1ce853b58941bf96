-- The ladder: an attempt that ran out of memory near its booking raises its need for the fleet, and goes up a rung.

-- _rungs: what an agent's out_of_memory means, for each of these attempts that holds its lease.
--
-- Locks    the needs that will be raised and those that learn with them, ascending: before the caller locks its jobs
--
-- A peak far under the booking says that others took the memory. One that was not measured is taken for near.
create function fleet._rungs(p_session uuid, p_items jsonb)
  returns fleet.rung[]
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_rungs fleet.rung[];
begin
  select array_agg(row(i.job_id, i.token, a.need_id, m.memory, p.mib, b.mib, f.far, b.from_mib,
                       case when not f.far and least(u.mib, t.mib) > b.from_mib then least(u.mib, t.mib) end,
                       t.mib)::fleet.rung)
    into v_rungs
    from jsonb_to_recordset(p_items) as i (job_id uuid, token uuid, cause text, peak_mib numeric, memory text)
    join fleet.leases as l on l.job_id = i.job_id and l.token = i.token and (p_session is null or l.session_id = p_session)
    join fleet.jobs as j on j.job_id = l.job_id
    join fleet.lanes as a on a.lane_id = j.lane_id
    join fleet.shapes as s on s.shape_id = a.shape_id
    join fleet.settings as x on x.one
   cross join lateral (select case when l.devices = '{}' or i.memory = 'ram' and not -1 = any(l.devices) then 'ram'
                                   else 'vram' end as memory,
                              case when -1 = any(l.devices) then l.ram_mib else 0 end as beside) as m
   cross join lateral (select case m.memory when 'ram' then l.ram_mib else l.vram_mib end as from_mib,
                              case m.memory when 'ram' then l.ram_mib else l.vram_mib + m.beside end as mib) as b
   cross join lateral (select fleet._mib(i.peak_mib) as mib) as p
   cross join lateral (select coalesce(p.mib < x.oom_near * b.mib, false) as far) as f
   cross join lateral (select fleet._quantised(greatest(b.from_mib * 1.5, (p.mib - m.beside) * 1.25)) as mib) as u
   cross join lateral (select fleet._top_mib(s, m.memory) as mib) as t
   where i.cause = 'out_of_memory';
  perform fleet._hold_needs(array(select r.need_id from unnest(v_rungs) as r where r.to_mib is not null));
  return v_rungs;
end
$$;

-- _raise: the needs of these attempts are raised, at once and for the fleet: what is queued follows.
--
-- Locks    lanes, ascending; _rungs has locked the needs
create function fleet._raise(p_rungs fleet.rung[], p_now timestamptz)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_rung  fleet.rung;
  v_needs bigint[];
begin
  foreach v_rung in array p_rungs loop
    v_needs := fleet._learning_with(array[v_rung.need_id]);
    update fleet.needs as n
       set raised_mib = case when v_rung.memory = 'vram' then greatest(n.raised_mib, v_rung.to_mib) else n.raised_mib end,
           raised_ram_mib = case when v_rung.memory = 'ram' then greatest(n.raised_ram_mib, v_rung.to_mib)
                                 else n.raised_ram_mib end,
           raised_until = p_now + make_interval(secs => s.raise_s),
           outgrown = true
      from fleet.settings as s
     where n.need_id = any(v_needs);
    insert into fleet.job_events (job_id, project_id, at, event, detail)
    select j.job_id, j.project_id, p_now, 'raised',
           jsonb_strip_nulls(jsonb_build_object('memory', v_rung.memory, 'from_mib', v_rung.from_mib, 'to_mib', v_rung.to_mib,
                                                'peak_mib', v_rung.peak_mib))
      from fleet.jobs as j
     where j.job_id = v_rung.job_id;
  end loop;
  perform fleet._fit_needs(fleet._learning_with(array(select r.need_id from unnest(p_rungs) as r)));
end
$$;
