-- _kept: the place this node keeps, if any. All null when it keeps none, or when the job could not have it anyway: it was
-- kept before somebody paused the lane, say, or took the node out of the pools that the project trusts, or its project came
-- to its caps.
--
-- The rest is the room there will be then (what is claimable now and what leases will have given back by then) less the
-- place: a job that ends before may use all that is free now, a longer one must fit in the rest too (backfill).
create function fleet._kept(p_node bigint, p_session uuid, p_room fleet.room)
  returns fleet.kept
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept  fleet.kept;
  v_then  fleet.room := p_room;
  v_back  record;
  v_place text[];
begin
  select r.job_id, r.begins_at, j.project_id, j.lane_id, j.order_key, j.priority, n.run_s
    into v_kept.job_id, v_kept.begins_at, v_kept.project_id, v_kept.lane_id, v_kept.order_key, v_kept.priority, v_kept.run_s
    from fleet.reservations as r
    join fleet.jobs as j on j.job_id = r.job_id
    join fleet.lanes as l on l.lane_id = j.lane_id and not l.paused
    join fleet.needs as n on n.need_id = l.need_id
    join fleet.kinds as k on k.kind = n.kind and not k.quarantined
    join fleet.shapes as p on p.shape_id = l.shape_id
    join fleet.sessions as s on s.session_id = p_session and p.kind = any(s.kinds)
    join fleet.nodes as o on o.node_id = r.node_id and fleet._suits(p, o.facts || o.labels, o.pools)
    join fleet.ready as y on (y.lane_id, y.order_key, y.job_id) = (j.lane_id, j.order_key, j.job_id)
   where r.node_id = p_node
     and coalesce(fleet._under_cap(fleet._cap_for(fleet._cap_now(j.project_id), j.priority, j.order_key), p) > 0, true)
   order by j.priority desc, r.made_at
   limit 1;
  if not found then
    return null;
  end if;
  v_kept.shape := (select s from fleet.lanes as l join fleet.shapes as s on s.shape_id = l.shape_id
                    where l.lane_id = v_kept.lane_id);

  select count(*) as held, coalesce(sum(l.cpu_milli), 0) as cpu_milli, coalesce(sum(l.disk_mib), 0) as disk_mib
    into v_back
    from fleet.leases as l
   where l.session_id = p_session and l.ends_at <= v_kept.begins_at;
  v_then.slots := v_then.slots + v_back.held;
  v_then.cpu_milli := v_then.cpu_milli + v_back.cpu_milli;
  v_then.disk_mib := v_then.disk_mib + v_back.disk_mib;
  v_then.claimable := array(
    select d.mib + coalesce((select sum(case when d.idx = any(l.devices) then l.vram_mib else 0 end
                                        + case when d.idx = -1 then l.ram_mib else 0 end)
                               from fleet.leases as l
                              where l.session_id = p_session and l.ends_at <= v_kept.begins_at), 0)::integer
      from unnest((p_room).claimable, (p_room).idx) with ordinality as d (mib, idx, at)
     order by d.at);
  v_place := fleet._places(v_then, v_kept.shape, 1);
  if cardinality(v_place) = 0 then
    return null;
  end if;
  v_kept.rest := fleet._book(v_then, v_kept.shape, v_place);
  return v_kept;
end
$$;
