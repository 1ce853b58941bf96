-- _place: positions (in the arrays of the room) of the devices a job of this shape would get: the fullest that
-- still fit, so that small jobs leave big holes whole. '{}' when it needs none; null when it does not fit.
create function fleet._place(p_room fleet.room, p_shape fleet.shapes)
  returns integer[]
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_ram   integer := cardinality((p_room).idx);
  v_found integer[];
begin
  if p_shape.cpu_milli > (p_room).cpu_milli or p_shape.disk_mib > (p_room).disk_mib or p_shape.ram_mib > (p_room).claimable[v_ram] then
    return null;
  end if;
  if p_shape.gpus = 0 then
    return '{}';
  end if;
  v_found := array(
    select i.at
      from generate_series(1, v_ram) as i (at)
     where (p_room).takes[i.at]
       and (p_shape.device = 'any' or p_shape.device = (p_room).kind[i.at])
       and (p_room).claimable[i.at] >= p_shape.vram_mib + case when i.at = v_ram then p_shape.ram_mib else 0 end
     order by (p_room).claimable[i.at], i.at
     limit p_shape.gpus);
  return case when cardinality(v_found) = p_shape.gpus then v_found end;
end
$$;

-- _places: where up to p_most jobs of this shape would go, one after the other; as texts of arrays.
create function fleet._places(p_room fleet.room, p_shape fleet.shapes, p_most integer)
  returns text[]
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_room   fleet.room := p_room;
  v_ram    integer := cardinality((p_room).idx);
  v_most   integer := least(p_most, (p_room).slots);
  v_places text[] := '{}';
  v_one    integer[];
begin
  if p_shape.gpus = 0 then
    -- None needs a device: as many as the scarcest of the rest allows.
    v_most := least(v_most,
                    case when p_shape.cpu_milli > 0 then (p_room).cpu_milli / p_shape.cpu_milli end,
                    case when p_shape.ram_mib > 0 then (p_room).claimable[v_ram] / p_shape.ram_mib end,
                    case when p_shape.disk_mib > 0 then (p_room).disk_mib / p_shape.disk_mib end);
    return array_fill('{}'::text, array[greatest(v_most, 0)]);
  end if;
  while cardinality(v_places) < v_most loop
    v_one := fleet._place(v_room, p_shape);
    exit when v_one is null;
    v_places := v_places || v_one::text;
    v_room := fleet._book(v_room, p_shape, array[v_one::text]);
  end loop;
  return v_places;
end
$$;

-- _book: the room that is left when jobs of a shape are placed there.
create function fleet._book(p_room fleet.room, p_shape fleet.shapes, p_places text[])
  returns fleet.room
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_room  fleet.room := p_room;
  v_ram   integer := cardinality((p_room).idx);
  v_count integer := cardinality(p_places);
  v_place text;
  v_at    integer;
begin
  if p_shape.gpus > 0 then
    foreach v_place in array p_places loop
      foreach v_at in array v_place::integer[] loop
        v_room.claimable[v_at] := v_room.claimable[v_at] - p_shape.vram_mib;
      end loop;
    end loop;
  end if;
  v_room.claimable[v_ram] := v_room.claimable[v_ram] - p_shape.ram_mib * v_count;
  v_room.cpu_milli := v_room.cpu_milli - p_shape.cpu_milli * v_count;
  v_room.disk_mib := v_room.disk_mib - p_shape.disk_mib * v_count;
  v_room.slots := v_room.slots - v_count;
  return v_room;
end
$$;

-- _least: the room that is in both of two views of one node.
create function fleet._least(p_one fleet.room, p_other fleet.room)
  returns fleet.room
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_room fleet.room := p_one;
begin
  v_room.slots := least((p_one).slots, (p_other).slots);
  v_room.cpu_milli := least((p_one).cpu_milli, (p_other).cpu_milli);
  v_room.disk_mib := least((p_one).disk_mib, (p_other).disk_mib);
  v_room.claimable := array(select least(o.mib, t.mib)
                              from unnest((p_one).claimable) with ordinality as o (mib, at)
                              join unnest((p_other).claimable) with ordinality as t (mib, at) using (at)
                             order by at);
  return v_room;
end
$$;

-- _idx: the devices' own indexes for positions in the room.
create function fleet._idx(p_idx integer[], p_places integer[])
  returns integer[]
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(p_idx[p.at] order by p_idx[p.at]), '{}') from unnest(p_places) as p (at)
$$;
