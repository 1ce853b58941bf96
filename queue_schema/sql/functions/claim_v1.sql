-- claim_v1: lease the best jobs that fit what this node measured, and book their memory in the same transaction.
--
-- Caller   fleet_agent
-- p_sample {seq, devices: [{idx, free_mib, leases: [{job_id, token, mib}]}], disk_free_mib}
-- Returns  [{job_id, token, attempt, project_id, kind, params, inputs, grant, timeout_s, exclusive, checkpoint, trace}]
-- Locks    the session row KEY SHARE; the node's bookings; rows of ready, caps and lanes with SKIP LOCKED: it never waits
--          for another node
-- Errors   JQ002 bad_request, JQ003 session_lost
--
-- Order: class; within it the project that has had least (rank); within that, age over all its lanes that fit. A project's
-- turn ends when what it was given passes the rank of the next one by the quantum. Which lane is next is decided by the
-- oldest job; what is taken from it at once may be a second younger than that of the next lane, since a visit costs the
-- same for one job as for many, and submissions often mix needs. The job for which this node keeps a place goes before
-- all; others that would still run when its time comes leave it its place.
create function fleet.claim_v1(p_session uuid, p_secret text, p_request uuid, p_sample jsonb, p_want integer,
                               p_waiting boolean default false)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  -- By key, all of it: a plan made while a table was small must not read it whole when it has grown.
  set enable_seqscan = off
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_now     timestamptz := fleet.now();
  v_session fleet.sessions;
  v_node    fleet.nodes;
  v_booked  fleet.bookings;
  v_set     fleet.settings;
  v_ranking fleet.rankings;
  v_scale   double precision;
  v_room    fleet.room;
  v_kept    fleet.kept;
  v_shapes  bigint[];
  v_classes fleet.priority[];
  v_order   fleet.priority[];
  v_class   fleet.priority;
  v_left    integer;
  v_budget  integer;
  v_most    integer;
  v_gone    uuid[];              -- projects that had their turn in this class;
  v_again   uuid[];              -- those of them that may have another, with
  v_base    double precision[];  -- the rank of their lanes, and
  v_rank    double precision[];  -- the rank they have now
  v_dry     bigint[] := '{}';    -- lanes that have nothing for this claim
  v_past    bigint[] := '{}';    -- lanes whose oldest are being taken by others: look past them
  v_turn    record;
  v_next    double precision;
  v_weight  double precision;
  v_at      integer;
  v_cap     fleet.caps;
  v_spent   double precision;
  v_lane    record;
  v_run_s   double precision;
  v_shape   fleet.shapes;
  v_cost    double precision;
  v_places  text[];
  v_jobs    uuid[];
  v_count   integer;
  v_bound   boolean;
  v_long    boolean;
  t_jobs    uuid[] := '{}';      -- what was taken, one element a job: the arguments of _lease
  t_shapes  bigint[] := '{}';
  t_places  text[] := '{}';
  t_charges double precision[] := '{}';
  t_runs    double precision[] := '{}';
  t_capped  boolean[] := '{}';
begin
  v_session := fleet._session(p_session, p_secret);
  select n.* into strict v_node from fleet.nodes as n where n.node_id = v_session.node_id;
  if p_want is null or p_want < 1 then
    raise exception using errcode = 'JQ002', message = format('a claim wants at least one job, got %s', p_want),
      column = 'want', hint = 'Do not claim when there is no free slot.';
  end if;
  select s.* into strict v_set from fleet.settings as s;
  select r.* into strict v_ranking from fleet.rankings as r order by r.era desc limit 1;

  -- A look without locks: an idle node asks often and should cost next to nothing. The question whether this claim was
  -- answered already comes after it: had a first run been under way at the look, its jobs would still have been there.
  select array_agg(a.shape_id), array_agg(a.priority)
    into v_shapes, v_classes
    from fleet._asked(v_session.kinds, v_node.facts || v_node.labels, v_node.pools, v_ranking.floor) as a;
  if v_shapes is not null then
    -- A repeat that overtakes its first run waits for it here, and replays it.
    perform 1 from fleet.bookings as b where b.node_id = v_node.node_id for no key update;
  end if;
  select b.* into strict v_booked from fleet.bookings as b where b.node_id = v_node.node_id;
  if v_booked.request_id = p_request then
    return fleet._claimed(fleet._claimed_before(p_session, p_request));
  end if;
  if v_node.draining then
    return '[]';
  end if;
  if v_shapes is null or v_set.halted then
    if exists (select from fleet.devices as d
                where d.node_id = v_node.node_id and (d.sampled_at is null or d.sampled_at < v_now - interval '30 s')) then
      perform fleet._note_sample(v_node.node_id, p_sample, v_now);
    end if;
    if p_waiting then
      insert into fleet.idle_sessions (session_id, since) values (p_session, v_now) on conflict do nothing;
    end if;
    return '[]';
  end if;
  if v_ranking.at < v_now - interval '10 s' then
    perform fleet._rank();  -- the scheduler is away
    select r.* into strict v_ranking from fleet.rankings as r order by r.era desc limit 1;
  end if;

  v_room := fleet._measure(v_session, v_node, v_booked, p_sample);
  v_left := least(p_want, v_room.slots);
  v_scale := v_ranking.scale * 2 ^ (greatest(0, extract(epoch from v_now - v_ranking.at)) / v_set.fair_half_life_s);
  if v_left > 0 and v_set.reserve and exists (select from fleet.reservations as r where r.node_id = v_node.node_id) then
    v_kept := fleet._kept(v_node.node_id, p_session, v_room);
    if v_kept.job_id is not null then
      v_cap := fleet._cap(v_kept.project_id);
      v_places := fleet._places(v_room, v_kept.shape, least(1, fleet._under_cap(v_cap, v_kept.shape)));
    end if;
    if v_cap.project_id is not null and cardinality(v_places) = 1 then
      t_jobs := coalesce(fleet._take_one(v_kept.job_id, v_kept.lane_id, v_kept.order_key), '{}');
      if cardinality(t_jobs) = 1 then
        delete from fleet.reservations as r where r.job_id = v_kept.job_id;
        v_cost := fleet._charge(v_kept.shape, v_kept.run_s);
        v_cap := fleet._count_in(v_cap, v_kept.shape, 1, v_ranking.era, v_kept.low, v_cost);
        v_room := fleet._book(v_room, v_kept.shape, v_places);
        v_left := v_left - 1;
        t_shapes := array[(v_kept.shape).shape_id];
        t_places := v_places;
        t_charges := array[v_cost];
        t_runs := array[v_kept.run_s];
        t_capped := array[num_nonnulls(v_cap.max_running, v_cap.max_vram_mib) > 0];
        v_kept := null;
      end if;
    end if;
  end if;

  select array_agg(a.shape_id), array_agg(a.priority)
    into v_shapes, v_classes
    from unnest(v_shapes, v_classes) as a (shape_id, priority)
   where a.shape_id = any(fleet._roomy(v_room, v_shapes));
  v_order := array(select distinct c from unnest(v_classes) as c order by c desc);
  if v_ranking.low_first and 'low' = any(v_order) and cardinality(v_order) > 1 then
    v_order := 'low'::fleet.priority || v_order;
  end if;

  <<classes>>
  for i in 1..cardinality(v_order) loop
    v_class := v_order[i];
    -- Class low comes first only for its minimum share: with one job.
    v_budget := case when v_class = 'low' and i < cardinality(v_order) then least(v_left, 1) else v_left end;
    v_left := v_left - v_budget;
    v_gone := '{}'; v_again := '{}'; v_base := '{}'; v_rank := '{}';

    <<turns>>
    while v_budget > 0 loop
      -- Whose turn is it? The smallest rank's, of those that had none yet and those that had.
      select l.project_id, l.rank as base, l.rank
        into v_turn
        from unnest(v_shapes, v_classes) as f (shape_id, priority)
       cross join lateral (select l.project_id, l.rank
                             from fleet.lanes as l
                            where l.active and not l.paused
                              and l.shape_id = f.shape_id and l.priority = f.priority and l.rank >= v_ranking.floor
                              and not l.project_id = any(v_gone) and not l.lane_id = any(v_dry)
                            order by l.rank, l.project_id
                            limit 1) as l
       where f.priority = v_class
       order by l.rank, l.project_id
       limit 1;
      select r.at into v_at from unnest(v_rank) with ordinality as r (rank, at) order by r.rank limit 1;
      if v_rank[v_at] < coalesce(v_turn.rank, 'infinity') then
        select v_again[v_at] as project_id, v_base[v_at] as base, v_rank[v_at] as rank into v_turn;
        v_rank[v_at] := 'infinity';
      end if;
      exit turns when v_turn.project_id is null;
      v_gone := v_gone || v_turn.project_id;
      v_cap := fleet._cap(v_turn.project_id);
      continue turns when v_cap.project_id is null;
      v_spent := 0;
      v_weight := null;

      <<lanes>>
      while v_budget > 0 loop
        -- The lane of this project whose head is the oldest. No head is before its head_key, which a few lanes share.
        select l.*, h.order_key as head, lead(h.order_key) over (order by h.order_key) as bound, count(*) over () as lanes
          into v_lane
          from (select l.*
                  from unnest(v_shapes, v_classes) as f (shape_id, priority)
                 cross join lateral (select l.lane_id, l.shape_id, l.need_id, l.head_key
                                       from fleet.lanes as l
                                      where l.active and not l.paused
                                        and l.shape_id = f.shape_id and l.priority = f.priority
                                        and l.rank = v_turn.base and l.project_id = v_turn.project_id
                                        and not l.lane_id = any(v_dry)
                                      order by l.head_key
                                      limit 16) as l
                 where f.priority = v_class
                 order by l.head_key
                 limit 16) as l
          left join lateral (select r.order_key
                               from fleet.ready as r
                              where r.lane_id = l.lane_id and r.order_key >= l.head_key
                              order by r.order_key
                              limit 1) as h on true
         order by h.order_key
         limit 1;
        exit lanes when v_lane.lane_id is null;
        if v_lane.head is null then
          perform fleet._retire(v_lane.lane_id, v_now);
          v_dry := v_dry || v_lane.lane_id;
          continue lanes;
        end if;
        select s.* into strict v_shape from fleet.shapes as s where s.shape_id = v_lane.shape_id;
        select n.run_s into v_run_s from fleet.needs as n where n.need_id = v_lane.need_id;

        -- How many of it: as the caps allow, as the turn allows, as there is room for.
        v_most := least(v_budget, fleet._under_cap(v_cap, v_shape));
        v_cost := fleet._charge(v_shape, v_run_s);
        if v_spent + v_most * v_cost > v_set.fair_quantum then
          if v_weight is null then
            select p.weight into strict v_weight from fleet.projects as p where p.project_id = v_turn.project_id;
            v_next := least((select min(l.rank)
                               from unnest(v_shapes, v_classes) as f (shape_id, priority)
                              cross join lateral (select l.rank
                                                    from fleet.lanes as l
                                                   where l.active and not l.paused
                                                     and l.shape_id = f.shape_id and l.priority = f.priority
                                                     and l.rank >= v_ranking.floor
                                                     and not l.project_id = any(v_gone) and not l.lane_id = any(v_dry)
                                                   order by l.rank
                                                   limit 1) as l
                              where f.priority = v_class),
                            (select min(r) from unnest(v_rank) as r), 'infinity');
          end if;
          if v_next < 'infinity' then
            v_most := least(v_most, greatest((v_spent = 0)::integer,
              floor(least(1e6, ((v_next - v_turn.rank) * v_weight / v_scale + v_set.fair_quantum - v_spent) / v_cost))::integer));
            if v_most < 1 then
              v_again := v_again || v_turn.project_id;
              v_base := v_base || v_turn.base;
              v_rank := v_rank || v_turn.rank + v_spent * v_scale / v_weight;
            end if;
          end if;
        end if;
        exit lanes when v_most < 1;
        v_long := v_kept.job_id is not null
                  and coalesce(v_now + make_interval(secs => v_run_s) > v_kept.begins_at, true);
        v_places := fleet._places(case when v_long then fleet._least(v_room, v_kept.rest) else v_room end, v_shape, v_most);
        if cardinality(v_places) = 0 then
          v_dry := v_dry || v_lane.lane_id;
          continue lanes;
        end if;

        v_most := cardinality(v_places);
        v_bound := v_lane.bound is not null and not v_lane.lane_id = any(v_past);
        v_jobs := fleet._take(v_lane.lane_id, v_lane.head, case when v_bound then v_lane.bound + 1000000 else 9223372036854775807 end,
                              v_most);
        v_count := coalesce(cardinality(v_jobs), 0);
        if v_count > 0 then
          v_places := v_places[:v_count];
          v_room := fleet._book(v_room, v_shape, v_places);
          if v_long then
            v_kept.rest := fleet._book(v_kept.rest, v_shape, v_places);
          end if;
          v_cap := fleet._count_in(v_cap, v_shape, v_count, v_ranking.era, v_class = 'low', v_count * v_cost);
          v_spent := v_spent + v_count * v_cost;
          v_budget := v_budget - v_count;
          t_jobs := t_jobs || v_jobs;
          t_shapes := t_shapes || array_fill(v_shape.shape_id, array[v_count]);
          t_places := t_places || v_places;
          t_charges := t_charges || array_fill(v_cost, array[v_count]);
          t_runs := t_runs || array_fill(v_run_s, array[v_count]);
          t_capped := t_capped || array_fill(num_nonnulls(v_cap.max_running, v_cap.max_vram_mib) > 0, array[v_count]);
        end if;
        if v_bound and v_count = 0 then
          v_past := v_past || v_lane.lane_id;  -- others are taking all up to the bound
        elsif not v_bound and v_count < v_most then
          perform fleet._retire(v_lane.lane_id, v_now);
          v_dry := v_dry || v_lane.lane_id;
        elsif random() * 2000 < v_count or v_lane.lanes = 16 then
          perform fleet._advance(v_lane.lane_id);
        end if;
      end loop lanes;
    end loop turns;
    v_left := v_left + v_budget;
  end loop classes;

  if cardinality(t_jobs) = 0 then
    if p_waiting then
      insert into fleet.idle_sessions (session_id, since) values (p_session, v_now) on conflict do nothing;
    end if;
    return '[]';
  end if;
  delete from fleet.idle_sessions as i where i.session_id = p_session;
  return fleet._lease(p_session, v_node, p_request, (p_sample ->> 'seq')::bigint, v_room.idx, t_jobs, t_shapes, t_places,
                      t_charges, t_runs, t_capped);
end
$$;
