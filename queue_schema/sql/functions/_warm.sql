-- _warm_key: one name for what a runner at rest can do.
create function fleet._warm_key(p_project uuid, p_kind text, p_model text)
  returns text
  language sql
  immutable
  return p_project::text || '/' || p_kind || '/' || p_model;

-- _warm_keys: what rests on a node, by its sample; null: nothing.
create function fleet._warm_keys(p_sample jsonb)
  returns text[]
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select array_agg(distinct fleet._warm_key(w.project_id, w.kind, w.model))
    from jsonb_to_recordset(p_sample -> 'warm') as w (project_id uuid, kind text, model text)
$$;

-- _warm_lanes: of these lanes, those whose next job could go on with a runner that rests on the node, once for each such
-- runner; 64 runners at most.
--
-- p_used   runners that jobs go on with already
-- runner   counts the runners of the sample
-- devices  on which it is
create function fleet._warm_lanes(p_sample jsonb, p_lanes bigint[], p_used integer[])
  returns table (lane_id bigint, runner integer, devices text)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select l.lane_id, w.at::integer, (array(select e.idx::integer from jsonb_array_elements_text(w.rest -> 'devices') as e (idx)))::text
    from fleet.lanes as l
    join fleet.needs as n on n.need_id = l.need_id
    join jsonb_array_elements(p_sample -> 'warm') with ordinality as w (rest, at)
      on w.at <= 64 and not w.at = any(p_used)
     and n.project_id = (w.rest ->> 'project_id')::uuid and n.kind = w.rest ->> 'kind' and n.model_key = w.rest ->> 'model'
   where l.lane_id = any(p_lanes)
$$;

-- _warm_places: where jobs of a lane would go on with runners that rest, up to p_most of them; as _places, and which runners.
--
-- p_lanes, p_runners, p_devices  as _warm_lanes has them, those that were used left out
create function fleet._warm_places(p_room fleet.room, p_shape fleet.shapes, p_lane bigint, p_lanes bigint[], p_runners integer[],
                                   p_devices text[], p_most integer, out places text[], out runners integer[])
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_room fleet.room := p_room;
  v_only fleet.room;
  v_on   integer[];
  v_one  integer[];
begin
  places := '{}';
  runners := '{}';
  for i in 1..cardinality(p_lanes) loop
    exit when cardinality(places) >= least(p_most, (p_room).slots);
    continue when p_lanes[i] <> p_lane;
    v_on := p_devices[i]::integer[];
    continue when cardinality(v_on) <> p_shape.gpus;
    -- The room as it would be if there were only these devices.
    v_only := v_room;
    for k in 1..cardinality(v_only.idx) loop
      v_only.takes[k] := v_only.takes[k] and v_only.idx[k] = any(v_on);
    end loop;
    v_one := fleet._place(v_only, p_shape);
    continue when v_one is null;
    places := places || v_one::text;
    runners := runners || p_runners[i];
    v_room := fleet._book(v_room, p_shape, array[v_one::text]);
  end loop;
end
$$;
