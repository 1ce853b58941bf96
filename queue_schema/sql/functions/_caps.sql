-- _cap: what a project may still have. With caps, the row stays locked until the claim commits, and nothing comes back
-- (project_id is null) while another claim works for the project. Without, a row that allows everything.
--
-- Locks    the row of caps, SKIP LOCKED
create function fleet._cap(p_project uuid)
  returns fleet.caps
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_cap  fleet.caps;
  v_back record;
begin
  if not exists (select from fleet.caps as c where c.project_id = p_project) then
    v_cap.project_id := p_project;
    return v_cap;
  end if;
  select c.* into v_cap from fleet.caps as c where c.project_id = p_project for no key update skip locked;
  if not found then
    return null;
  end if;
  with back as (
    delete from fleet.cap_returns as r where r.project_id = p_project returning r.running, r.vram_mib
  )
  select sum(b.running) as running, sum(b.vram_mib) as vram_mib into v_back from back as b;
  if v_back.running is not null then
    update fleet.caps as c
       set running = c.running - v_back.running, vram_mib = c.vram_mib - v_back.vram_mib
     where c.project_id = p_project
    returning c.* into v_cap;
  end if;
  return v_cap;
end
$$;

-- _under_cap: how many more jobs of a shape the caps allow; null: any number.
create function fleet._under_cap(p_cap fleet.caps, p_shape fleet.shapes)
  returns integer
  language sql
  immutable
  return least(p_cap.max_running - p_cap.running,
               case when p_cap.max_vram_mib is not null and p_shape.gpus * p_shape.vram_mib > 0
                    then least(2147483647,
                               greatest(0, (p_cap.max_vram_mib - p_cap.vram_mib) / (p_shape.gpus * p_shape.vram_mib))) end)::integer;

-- _cap_now: the caps of a project, with what was given back and no claim has taken up yet; null: it has none. For who looks
-- without the lock.
create function fleet._cap_now(p_project uuid)
  returns fleet.caps
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select row(c.project_id, c.max_running, c.max_vram_mib, c.running - coalesce(b.running, 0), c.vram_mib - coalesce(b.vram_mib, 0))
         ::fleet.caps
    from fleet.caps as c
   cross join lateral (select sum(r.running) as running, sum(r.vram_mib) as vram_mib
                         from fleet.cap_returns as r where r.project_id = c.project_id) as b
   where c.project_id = p_project
$$;

-- _count_in: jobs of a shape were taken by a project with caps; the row is locked.
create function fleet._count_in(p_cap fleet.caps, p_shape fleet.shapes, p_count integer)
  returns fleet.caps
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update fleet.caps as c
     set running = c.running + p_count, vram_mib = c.vram_mib + p_count * p_shape.gpus * p_shape.vram_mib::bigint
   where c.project_id = p_cap.project_id
  returning c.*
$$;
