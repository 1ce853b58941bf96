-- rank_v1: add up what was charged since the last ranking, and order the active lanes by it.
--
-- Caller   fleet_scheduler; a claim, when the last ranking is old
-- Returns  how many lanes got another rank: 0 also when another ranking is under way
-- Locks    its turn (one ranking at a time, nobody waits for it); lanes with SKIP LOCKED
--
-- Old use decays without being touched: instead of making it smaller each round, new use is entered at a greater scale
-- (forward decay: Cormode et al., ICDE 2009), so that only the lanes of projects that were charged are written.
create function fleet.rank_v1()
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return to_jsonb(coalesce(fleet._rank(), 0));
end
$$;

-- _rank: the ranking itself; a claim does it when the last one is old.
--
-- Charges are read by their era: without enable_seqscan off, and without statistics, they may be read whole.
create function fleet._rank()
  returns integer
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off
as $$
declare
  v_now   timestamptz := fleet.now();
  v_set   fleet.settings;
  v_last  fleet.rankings;
  v_scale double precision;
  v_count integer;
  v_low   boolean;
begin
  perform from fleet.turns as t where t.name = 'rank' for update skip locked;
  if not found then
    return null;
  end if;
  select s.* into strict v_set from fleet.settings as s;
  select r.* into strict v_last from fleet.rankings as r order by r.era desc limit 1;
  v_scale := fleet._scale_at(v_last, v_now, v_set.fair_half_life_s);
  if v_scale > 1e100 then
    -- Once in many half-lives: back to small numbers, all at once. What has all but decayed is nothing: divided again and
    -- again it would leave what a number can be, and with that every ranking, and every claim, would fail.
    update fleet.shares as s
       set usage     = case when s.usage > v_scale * 1e-30 then s.usage / v_scale else 0 end,
           low_usage = case when s.low_usage > v_scale * 1e-30 then s.low_usage / v_scale else 0 end;
    v_scale := 1;
  end if;

  with eaten as (
    -- The last eras alone, so that the dead charges an old snapshot keeps are not walked; all of them now and then.
    delete from fleet.charges as c
     where c.era >= case when v_last.era % 60 = 0 then 0 else v_last.era - 20 end
    returning c.project_id, c.low, c.amount
  ),
  added as (
    select e.project_id, sum(e.amount) * v_scale as usage, coalesce(sum(e.amount) filter (where e.low), 0) * v_scale as low_usage
      from eaten as e
     group by e.project_id
  )
  insert into fleet.shares as s (project_id, usage, low_usage)
  select a.project_id, greatest(0, a.usage), greatest(0, a.low_usage) from added as a order by a.project_id
      on conflict (project_id) do update
     set usage = greatest(0, s.usage + excluded.usage), low_usage = greatest(0, s.low_usage + excluded.low_usage);

  with wrong as (
    select l.lane_id, coalesce(s.usage, 0) / p.weight as rank
      from fleet.lanes as l
      join fleet.projects as p on p.project_id = l.project_id
      left join fleet.shares as s on s.project_id = l.project_id
     where l.active
       and l.rank <> coalesce(s.usage, 0) / p.weight
       for no key update of l skip locked
  )
  update fleet.lanes as l set rank = w.rank from wrong as w where l.lane_id = w.lane_id;
  get diagnostics v_count = row_count;

  v_low := (select coalesce(sum(s.low_usage) < v_set.low_share * sum(s.usage), false) from fleet.shares as s);
  insert into fleet.rankings (at, floor, scale, low_first)
  select v_now, coalesce(min(l.rank), 0), v_scale, v_low
    from fleet.lanes as l
   where l.active;
  delete from fleet.rankings as r where r.era < v_last.era - 100;
  return v_count;
end
$$;

-- _scale_at: rank per GiB x second charged some time after a ranking. After three hundred half-lives old use is nothing
-- anyway; a fleet that was off for six weeks would come to numbers that do not exist.
create function fleet._scale_at(p_last fleet.rankings, p_now timestamptz, p_half_life_s double precision)
  returns double precision
  language sql
  immutable
  return (p_last).scale * 2 ^ least(300, greatest(0, extract(epoch from p_now - (p_last).at)) / p_half_life_s);

-- _rank_of: the rank of a project's lane that becomes active.
create function fleet._rank_of(p_project uuid)
  returns double precision
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select greatest((select r.floor from fleet.rankings as r order by r.era desc limit 1),
                  (select s.usage / p.weight
                     from fleet.shares as s
                     join fleet.projects as p on p.project_id = s.project_id
                    where s.project_id = p_project))
$$;
