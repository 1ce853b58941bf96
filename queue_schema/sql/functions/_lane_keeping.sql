-- _retire: these lanes were found dry; make them idle, unless somebody is adding to them, or they have only just become
-- active (one that gets a job a moment would be written twice for each).
--
-- Locks    the lanes FOR UPDATE, SKIP LOCKED: whoever is adding a job to one holds it KEY SHARE
create function fleet._retire(p_lanes bigint[], p_now timestamptz)
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_lanes bigint[] := array(select l.lane_id
                              from fleet.lanes as l
                             where l.lane_id = any(p_lanes) and l.active and l.active_at < p_now - interval '1 s'
                               for update skip locked);
begin
  if v_lanes <> '{}' then
    -- Looked at again under the locks: a job may have come before them.
    update fleet.lanes as l
       set active = false
     where l.lane_id = any(v_lanes)
       and not exists (select from fleet.ready as r where r.lane_id = l.lane_id and r.order_key >= l.head_key);
  end if;
end
$$;

-- _advance: move the heads of lanes to their oldest jobs, behind all that is gone.
--
-- Returns  whether any moved
-- Locks    the lanes FOR UPDATE, SKIP LOCKED, as _retire
create function fleet._advance(p_lanes bigint[])
  returns boolean
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- Only what is behind is locked: those who add to a lane wait for it.
  v_lanes bigint[] := array(select l.lane_id
                              from fleet.lanes as l
                             where l.lane_id = any(p_lanes)
                               and l.head_key < (select r.order_key
                                                   from fleet.ready as r
                                                  where r.lane_id = l.lane_id and r.order_key >= l.head_key
                                                  order by r.order_key
                                                  limit 1)
                               for update skip locked);
begin
  update fleet.lanes as l
     set head_key = h.order_key
    from unnest(v_lanes) as v (lane_id)
   cross join lateral (select x.head_key from fleet.lanes as x where x.lane_id = v.lane_id limit 1) as x
   cross join lateral (select r.order_key
                         from fleet.ready as r
                        where r.lane_id = v.lane_id and r.order_key >= x.head_key
                        order by r.order_key
                        limit 1) as h
   where l.lane_id = v.lane_id
     and l.head_key < h.order_key;
  return found;
end
$$;
