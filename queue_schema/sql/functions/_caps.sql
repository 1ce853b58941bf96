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
  return fleet._kept_still(v_cap);
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

-- _cap_for: what a job of this class and age may have of the caps of its project: not what is kept for one before it.
create function fleet._cap_for(p_cap fleet.caps, p_class fleet.priority, p_key bigint)
  returns fleet.caps
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_cap fleet.caps := p_cap;
begin
  if p_class < (p_cap).kept_class or p_class = (p_cap).kept_class and p_key > (p_cap).kept_key then
    v_cap.running := v_cap.running + 1;
    v_cap.vram_mib := v_cap.vram_mib + v_cap.kept_mib;
  end if;
  return v_cap;
end
$$;

-- _kept_still: nothing is kept any more for a job that is gone, may not be claimed, or can never have it; nor when the scheduler
-- has long not said that it still is to be.
create function fleet._kept_still(p_cap fleet.caps)
  returns fleet.caps
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_cap fleet.caps := p_cap;
begin
  if (p_cap).kept_class is not null
     and ((p_cap).kept_until < fleet.now()
          or (p_cap).kept_mib > (p_cap).max_vram_mib
          or not exists (select from fleet.jobs as j
                           join fleet.ready as r on (r.lane_id, r.order_key, r.job_id) = (j.lane_id, j.order_key, j.job_id)
                           join fleet.lanes as l on l.lane_id = j.lane_id and not l.paused
                           join fleet.kinds as k on k.kind = j.kind and not k.quarantined
                          where j.job_id = (p_cap).kept_job
                            and (j.priority, j.order_key) = ((p_cap).kept_class, (p_cap).kept_key))) then
    v_cap.kept_class := null;
  end if;
  return v_cap;
end
$$;

-- _cap_now: the caps of a project, with what was given back and no claim has taken up yet; null: it has none. For who looks
-- without the lock.
create function fleet._cap_now(p_project uuid)
  returns fleet.caps
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select fleet._kept_still(row(c.project_id, c.max_running, c.max_vram_mib, c.running - coalesce(b.running, 0),
                               c.vram_mib - coalesce(b.vram_mib, 0), c.kept_job, c.kept_class, c.kept_key, c.kept_mib, c.kept_until)
                           ::fleet.caps)
    from fleet.caps as c
   cross join lateral (select sum(r.running) as running, sum(r.vram_mib) as vram_mib
                         from fleet.cap_returns as r where r.project_id = c.project_id) as b
   where c.project_id = p_project
$$;

-- _count_in: jobs of a shape were taken by a project with caps; the row is locked.
create function fleet._count_in(p_cap fleet.caps, p_shape fleet.shapes, p_jobs uuid[])
  returns fleet.caps
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update fleet.caps as c
     set running = c.running + cardinality(p_jobs),
         vram_mib = c.vram_mib + cardinality(p_jobs) * p_shape.gpus * p_shape.vram_mib::bigint,
         kept_class = case when not p_cap.kept_job = any(p_jobs) then p_cap.kept_class end
   where c.project_id = p_cap.project_id
  returning c.*
$$;

-- _keep_caps: for each project with caps, keep the first of its jobs that could start and that its own smaller work could pass
-- for ever: a place on a node would be of no use to it while younger ones take all that their project may have.
--
-- Only while it waits for its cap, or for the place that a node keeps for it. What does neither waits for something else, perhaps
-- for ever, and so would its project. For a minute what was so is believed to be so: memory that a job gave back looks like an
-- outsider's until the next sample, and a job comes to its place a little late.
--
-- p_since  only jobs that have stood ready since before
-- Locks    rows of caps that change, SKIP LOCKED
create function fleet._keep_caps(p_now timestamptz, p_since timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with lane as materialized (
    -- What could be claimed, and what is claimed as fast as it comes: that is seldom seen ready.
    select l.lane_id, l.project_id, l.priority, l.shape_id, l.head_key, l.active, c as cap
      from fleet.lanes as l
      join fleet.caps as c on c.project_id = l.project_id
      join fleet.shapes as s on s.shape_id = l.shape_id
      join fleet.kinds as k on k.kind = s.kind and not k.quarantined
     where (l.active or l.active_at > p_since - interval '1 min')
       and not l.paused
       and coalesce(s.gpus * s.vram_mib <= c.max_vram_mib, true)
  ),
  old as materialized (
    select l.lane_id, l.project_id, h.order_key, h.job_id
      from lane as l
     cross join lateral (select r.order_key, r.job_id
                           from fleet.ready as r
                          where r.lane_id = l.lane_id and r.order_key >= l.head_key
                          order by r.order_key, r.job_id
                          limit 1) as h
     where l.active
       and h.order_key < extract(epoch from p_since) * 1000000
       and l.project_id in (select x.project_id from lane as x group by x.project_id having count(distinct x.shape_id) > 1)
  ),
  served as materialized (
    select x.shape_id
      from unnest(fleet._served(array(select distinct l.shape_id from lane as l where l.project_id in (select o.project_id from old as o)),
                                p_now, false)) as x (shape_id)
  ),
  mixed as materialized (
    select l.project_id, fleet._smallest(array_agg(l.shape_id)) as smallest, fleet._cap_now(l.project_id) as cap
      from lane as l
      join served as x on x.shape_id = l.shape_id
     where l.project_id in (select o.project_id from old as o)
     group by l.project_id
  ),
  waits as materialized (
    select l.project_id, l.priority, l.shape_id, h.order_key, h.job_id, s.gpus * s.vram_mib::bigint as mib,
           fleet._under_cap(m.cap, s) < 1 as wants
      from old as h
      join lane as l on l.lane_id = h.lane_id
      join served as x on x.shape_id = l.shape_id
      join mixed as m on m.project_id = l.project_id
      join fleet.shapes as s on s.shape_id = l.shape_id
     where fleet._passable(s, m.smallest)
       and ((l.cap).max_running is not null or s.gpus * s.vram_mib > 0)
       and (l.priority > 'low' or (select fleet._low_waits_for_nobody()))
  ),
  roomy as materialized (
    select x.shape_id
      from unnest(fleet._served(array(select distinct w.shape_id from waits as w where w.wants), p_now, true)) as x (shape_id)
  ),
  able as (
    select w.*, w.wants and w.shape_id in (select o.shape_id from roomy as o)
                or exists (select from fleet.reservations as r where r.job_id = w.job_id and r.begins_at > p_now - interval '1 min')
                as sure
      from waits as w
  ),
  first as (
    select distinct on (a.project_id) a.*
      from able as a
      join fleet.caps as c on c.project_id = a.project_id
     where a.sure or a.job_id = c.kept_job and c.kept_until > p_now
     order by a.project_id, a.priority desc, a.order_key, a.job_id
  ),
  changed as (
    select c.project_id, f.job_id, f.priority, f.order_key, f.mib,
           case when f.sure then p_now + interval '1 min' when f.job_id is not null then c.kept_until end as until
      from fleet.caps as c
      left join first as f on f.project_id = c.project_id
     where (c.kept_job, c.kept_class, c.kept_key, c.kept_mib) is distinct from (f.job_id, f.priority, f.order_key, f.mib)
        or f.sure and c.kept_until < p_now + interval '45 s'
       for update of c skip locked
  )
  update fleet.caps as c
     set kept_job = x.job_id, kept_class = x.priority, kept_key = x.order_key, kept_mib = x.mib, kept_until = x.until
    from changed as x
   where c.project_id = x.project_id
$$;

-- _keep_no_caps: nothing is kept of any cap.
--
-- Locks    rows of caps that change, SKIP LOCKED
create function fleet._keep_no_caps()
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update fleet.caps as c
     set kept_job = null, kept_class = null, kept_key = null, kept_mib = null, kept_until = null
   where c.project_id in (select x.project_id from fleet.caps as x where x.kept_job is not null for update skip locked)
$$;
