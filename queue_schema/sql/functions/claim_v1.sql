-- claim_v1: lease the best jobs that fit what this node measured, and book their memory in the same transaction.
--
-- Caller   fleet_agent
-- p_sample {seq, devices: [{idx, free_mib, leases: [{job_id, token, mib}]}], disk_free_mib,
--           warm: [{project_id, kind, model, devices}]}: runners at rest, whose memory counts as free
-- Returns  [{job_id, token, attempt, project_id, kind, params, inputs, grant, timeout_s, exclusive}], and model, preemptible,
--          checkpoint, trace where there is one
-- Locks    the session row KEY SHARE; the node's bookings; rows of ready, caps and lanes with SKIP LOCKED: it never waits
--          for another node
-- Errors   JQ002 bad_request, JQ003 session_lost
--
-- Order: class; within it the project that has had least (rank); within that, age over all its lanes that fit. A project's
-- turn ends when what it was given passes the rank of the next one by the quantum. Which lane is next is decided by the
-- oldest job; what is taken from it at once may be a second younger than that of the next lane, since a visit costs the
-- same for one job as for many, and submissions often mix needs. Where a runner rests that has the model of a lane loaded,
-- one job of it counts as older by warm_patience_s, and goes to the devices of that runner. The job for which this node keeps a
-- place goes before all; others that would still run when its time comes leave it its place. Urgent work alone does not wait
-- for the place of another class.
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
  v_self    record;              -- who asks, and what holds for the whole fleet
  v_booked  fleet.bookings;
  v_ranking fleet.rankings;
  v_room    fleet.room;
  v_before  fleet.room;
  v_roomy   fleet.room;          -- what of it the next job may have
  v_kept    fleet.kept;
  v_shapes  bigint[];
  v_classes fleet.priority[];
  v_order   fleet.priority[];
  v_class   fleet.priority;
  v_left    integer;
  v_budget  integer;
  v_most    integer;
  v_past    double precision;    -- the rank of the last project to have a first turn in this class, and
  v_gone    uuid;                -- which it was: all before it had theirs
  v_again   uuid[];              -- those of them that may have another, with
  v_base    double precision[];  -- the rank of their lanes, and
  v_rank    double precision[];  -- the rank they have now
  v_dry     bigint[] := '{}';    -- lanes that have nothing for this claim
  v_empty   bigint[] := '{}';    -- those of them in which no job was found
  v_turn    record;
  v_next    double precision;
  v_scale   double precision;
  v_weight  double precision;
  v_at      integer;
  v_cap     fleet.caps;
  v_mine    fleet.caps;          -- what of it the next job may have
  v_capped  boolean;             -- whether there is any cap on it
  v_over    bigint[];            -- shapes of which the caps allow no more in this turn
  v_spent   double precision;
  l_lane    bigint[];            -- the lanes of the project whose turn it is,
  l_head    bigint[];            -- the age of the oldest job of each; null: nothing more for this claim,
  l_shape   fleet.shapes[];
  l_run_s   double precision[];
  l_pull    bigint[];            -- by how much its next job counts as older, since its model is loaded here
  w_lane    bigint[];            -- those of these lanes whose model rests here, once for each runner, with
  w_runner  integer[];           -- its number and
  w_devices text[];              -- where it is
  w_next    integer[];           -- runners that the next jobs may go on with
  w_used    integer[] := '{}';   -- those that jobs go on with already
  v_warm    boolean := p_sample ? 'warm';
  v_stale   boolean;             -- whether it is to be asked again which of these lanes are warm
  v_pull    bigint;
  v_key     bigint;
  v_first   bigint;
  v_took    record;
  v_shape   fleet.shapes;
  v_cost    double precision;
  v_places  text[];
  v_jobs    uuid[];
  v_count   integer;
  v_bound   bigint;
  v_long    boolean;             -- whether the next job would still run when the time of the kept place comes
  v_passes  boolean;             -- whether urgent work may use the kept place, and goes first
  v_all     uuid[] := '{}';      -- all jobs taken, and
  v_taken   fleet.taken[] := '{}';  -- the same by visits
begin
  select s.kinds, s.slots, s.joined_at, n.node_id, n.facts || n.labels as labels, n.pools, n.draining, n.cpu_milli, t.halted,
         t.reserve, t.fair_quantum, t.fair_half_life_s, t.warm_patience_s, r as ranking,
         exists (select from fleet.reservations as k where k.node_id = n.node_id) as keeps
    into v_self
    from fleet.sessions as s
    join fleet.nodes as n on n.node_id = s.node_id
    join fleet.settings as t on t.one
   cross join lateral (select r.* from fleet.rankings as r order by r.era desc limit 1) as r
   where s.session_id = p_session
     and s.secret_hash = sha256(convert_to(p_secret, 'UTF8'))
     and s.ended_at is null
     for key share of s;
  if not found then
    perform fleet._session(p_session, p_secret);  -- says what is wrong
  end if;
  if p_want is null or p_want < 1 then
    raise exception using errcode = 'JQ002', message = format('a claim wants at least one job, got %s', p_want),
      column = 'want', hint = 'Do not claim when there is no free slot.';
  end if;
  v_ranking := v_self.ranking;

  -- A look without locks: an idle node asks often and should cost next to nothing. The question whether this claim was
  -- answered already comes after it: had a first run been under way at the look, its jobs would still have been there.
  select array_agg(a.shape_id), array_agg(a.priority)
    into v_shapes, v_classes
    from fleet._asked(v_self.kinds, v_self.labels, v_self.pools, v_ranking.floor) as a;
  if v_shapes is null then
    select b.* into strict v_booked from fleet.bookings as b where b.node_id = v_self.node_id;
  else
    -- A repeat that overtakes its first run waits for it here, and replays it.
    select b.* into strict v_booked from fleet.bookings as b where b.node_id = v_self.node_id for no key update;
  end if;
  if v_booked.request_id = p_request then
    return fleet._claimed(fleet._claimed_before(p_session, p_request));
  end if;
  if v_self.draining then
    return '[]';
  end if;
  if v_shapes is null or v_self.halted then
    if exists (select from fleet.devices as d
                where d.node_id = v_self.node_id and (d.sampled_at is null or d.sampled_at < v_now - interval '30 s')) then
      perform fleet._note_sample(v_self.node_id, p_sample, v_now);
    end if;
    if p_waiting then
      perform fleet._sleep(p_session, v_self.joined_at, p_sample);
    end if;
    return '[]';
  end if;
  if v_ranking.at < v_now - interval '10 s' then
    perform fleet._rank();  -- the scheduler is away
    select r.* into strict v_ranking from fleet.rankings as r order by r.era desc limit 1;
  end if;

  v_before := fleet._measure(p_session, v_self.slots, v_self.cpu_milli, v_booked, p_sample);
  v_room := v_before;
  v_left := least(p_want, v_room.slots);
  if v_left > 0 and v_self.keeps and v_self.reserve then
    v_kept := fleet._kept(v_self.node_id, p_session, v_room);
    v_passes := v_kept.priority < 'urgent';
  end if;

  select array_agg(a.shape_id), array_agg(a.priority), array_agg(distinct a.priority order by a.priority desc)
    into v_shapes, v_classes, v_order
    from fleet._roomy(v_room, v_shapes, v_classes) as a;
  if v_ranking.low_first and cardinality(v_order) > 1 and 'low' = any(v_order) then
    v_order := 'low'::fleet.priority || v_order;
  end if;

  if v_warm then
    v_pull := 1 + v_self.warm_patience_s * 1000000;  -- without any patience it still goes where the runner is
  end if;

  <<classes>>
  for i in 1..coalesce(cardinality(v_order), 0) loop
    v_class := v_order[i];
    if v_kept.job_id is not null and v_left > 0
       and not (v_passes and v_kept.priority <> v_class and 'urgent' = any(v_order[i:])) then
      v_cap := fleet._cap(v_kept.project_id);
      v_capped := num_nonnulls(v_cap.max_running, v_cap.max_vram_mib) > 0;
      v_mine := fleet._cap_for(v_cap, v_kept.priority, v_kept.order_key);
      v_places := fleet._places(v_room, v_kept.shape, least(1, fleet._under_cap(v_mine, v_kept.shape)));
      if v_cap.project_id is not null and cardinality(v_places) = 1 then
        v_jobs := fleet._take_one(v_kept.job_id, v_kept.lane_id, v_kept.order_key);
        if v_jobs is not null then
          -- Unless a round is at it, which is not waited for: the next one deletes it.
          delete from fleet.reservations as r
           where r.job_id in (select x.job_id from fleet.reservations as x where x.job_id = v_kept.job_id for update skip locked);
          if v_capped then
            v_cap := fleet._count_in(v_cap, v_kept.shape, v_jobs);
          end if;
          v_room := fleet._book(v_room, v_kept.shape, v_places);
          v_left := v_left - 1;
          v_taken := v_taken || row(v_jobs, v_places, v_kept.shape, fleet._charge(v_kept.shape, v_kept.run_s), v_kept.run_s,
                                    v_kept.project_id, v_kept.priority = 'low', v_capped)::fleet.taken;
          v_all := v_all || v_jobs;
          v_kept := null;
        end if;
      end if;
    end if;
    -- Class low comes first only for its minimum share: with one job.
    v_budget := case when v_class = 'low' and i < cardinality(v_order) then least(v_left, 1) else v_left end;
    v_left := v_left - v_budget;
    v_past := v_ranking.floor; v_gone := '00000000-0000-0000-0000-000000000000'; v_again := '{}'; v_base := '{}'; v_rank := '{}';

    <<turns>>
    while v_budget > 0 loop
      -- Whose turn is it? The smallest rank's, of those that had none yet and those that had.
      select t.project_id, t.rank as base, t.rank into v_turn
        from fleet._next_turn(v_shapes, v_classes, v_class, v_past, v_gone) as t;
      if v_again <> '{}' then
        select r.at into v_at from unnest(v_rank) with ordinality as r (rank, at) order by r.rank limit 1;
        if v_rank[v_at] < coalesce(v_turn.rank, 'infinity') then
          select v_again[v_at] as project_id, v_base[v_at] as base, v_rank[v_at] as rank into v_turn;
          v_rank[v_at] := 'infinity';
        end if;
      end if;
      exit turns when v_turn.project_id is null;
      if (v_turn.base, v_turn.project_id) > (v_past, v_gone) then
        v_past := v_turn.base; v_gone := v_turn.project_id;
      end if;
      v_cap := fleet._cap(v_turn.project_id);
      continue turns when v_cap.project_id is null;
      v_capped := num_nonnulls(v_cap.max_running, v_cap.max_vram_mib) > 0;
      v_over := '{}'; v_spent := 0; v_weight := null;

      <<loads>>
      loop
        -- The lanes of this project, each with its oldest job. No job is before the head_key, which a few lanes share.
        select array_agg(l.lane_id), array_agg(h.order_key), array_agg(row(s.*)::fleet.shapes), array_agg(n.run_s)
          into l_lane, l_head, l_shape, l_run_s
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
                 where f.priority = v_class and not f.shape_id = any(v_over)
                 order by l.head_key
                 limit 16) as l
         -- With a limit, so that it is looked up by key: a plan made while a table was small would read it whole for a join.
         cross join lateral (select s.* from fleet.shapes as s where s.shape_id = l.shape_id limit 1) as s
         cross join lateral (select n.run_s from fleet.needs as n where n.need_id = l.need_id limit 1) as n
          left join lateral (select r.order_key
                               from fleet.ready as r
                              where r.lane_id = l.lane_id and r.order_key >= l.head_key
                              order by r.order_key
                              limit 1) as h on true;
        exit loads when l_lane is null;
        for k in 1..cardinality(l_lane) loop
          if l_head[k] is null then
            v_dry := v_dry || l_lane[k];
            v_empty := v_empty || l_lane[k];
          end if;
        end loop;
        l_pull := array_fill(0::bigint, array[cardinality(l_lane)]);
        v_stale := v_warm;

        <<lanes>>
        while v_budget > 0 loop
          if v_stale then
            select coalesce(array_agg(w.lane_id order by w.runner), '{}'), array_agg(w.runner order by w.runner),
                   array_agg(w.devices order by w.runner)
              into w_lane, w_runner, w_devices
              from fleet._warm_lanes(p_sample, l_lane, w_used) as w;
            for k in 1..cardinality(l_lane) loop
              l_pull[k] := case when l_lane[k] = any(w_lane) then v_pull else 0 end;
            end loop;
            v_stale := false;
          end if;
          -- The lane whose head is the oldest, and the head after that.
          v_at := null; v_first := null; v_bound := null;
          for k in 1..cardinality(l_lane) loop
            v_key := l_head[k] - case when v_cap.kept_class is null then l_pull[k] else 0 end;
            if v_key < v_first or v_at is null and v_key is not null then
              v_bound := v_first;
              v_first := v_key;
              v_at := k;
            elsif v_key < v_bound or v_bound is null then
              v_bound := v_key;
            end if;
          end loop;
          exit lanes when v_at is null;
          v_shape := l_shape[v_at];

          -- How many of it: as the caps allow, as the turn allows, as there is room for.
          v_most := v_budget;
          if v_capped then
            v_mine := fleet._cap_for(v_cap, v_class, l_head[v_at]);
            v_most := least(v_budget, fleet._under_cap(v_mine, v_shape));
            -- Lanes with a head_key far behind may hide that of the job it is kept for.
            continue loads when v_most < 1 and v_cap.kept_class is not null and cardinality(l_lane) = 16 and fleet._advance(l_lane);
            if v_most < 1 and coalesce(v_mine.running < v_mine.max_running, true) then
              -- Its cap on VRAM. A job that will be within it keeps its turn before younger ones that want of it; one that
              -- never can holds up nobody. All such shapes at once: a lane at a time would be a walk over all of them.
              v_over := array(select s.shape_id from fleet.shapes as s
                               where s.shape_id = any(v_shapes) and s.gpus * s.vram_mib
                                     > case when v_shape.gpus * v_shape.vram_mib > v_cap.max_vram_mib then v_cap.max_vram_mib else 0 end);
              continue loads;
            end if;
          end if;
          v_cost := fleet._charge(v_shape, l_run_s[v_at]);
          if v_spent + v_most * v_cost > v_self.fair_quantum then
            if v_weight is null then
              select p.weight into strict v_weight from fleet.projects as p where p.project_id = v_turn.project_id;
              v_scale := fleet._scale_at(v_ranking, v_now, v_self.fair_half_life_s);
              v_next := least((select t.rank from fleet._next_turn(v_shapes, v_classes, v_class, v_past, v_gone) as t),
                              (select min(r) from unnest(v_rank) as r), 'infinity');
            end if;
            if v_next < 'infinity' then
              v_most := least(v_most, greatest((v_spent = 0)::integer,
                floor(greatest(0, least(1e6, ((v_next - v_turn.rank) * v_weight / v_scale + v_self.fair_quantum - v_spent) / v_cost)))::integer));
              if v_most < 1 then
                v_again := v_again || v_turn.project_id;
                v_base := v_base || v_turn.base;
                v_rank := v_rank || v_turn.rank + v_spent * v_scale / v_weight;
              end if;
            end if;
          end if;
          exit loads when v_most < 1;
          v_long := v_kept.job_id is not null
                    and coalesce(v_now + make_interval(secs => l_run_s[v_at]) > v_kept.begins_at, true);
          v_roomy := case when v_long and not (v_passes and v_class = 'urgent') then fleet._least(v_room, v_kept.rest) else v_room end;
          if l_pull[v_at] > 0 then
            select w.places, w.runners
              into v_places, w_next
              from fleet._warm_places(v_roomy, v_shape, l_lane[v_at], w_lane, w_runner, w_devices, v_most) as w;
            v_bound := v_bound + l_pull[v_at];
            l_pull[v_at] := 0;  -- there is no room on any of them; or until it is known which are left
            continue lanes when cardinality(v_places) = 0;
          else
            v_places := fleet._places(v_roomy, v_shape, v_most);
            w_next := null;
          end if;
          if cardinality(v_places) = 0 then
            if not v_long or cardinality(fleet._places(v_room, v_shape, 1)) = 0 then
              -- No more of this shape, whoever's: there is never more room later in a claim.
              select array_agg(f.shape_id), array_agg(f.priority)
                into v_shapes, v_classes
                from unnest(v_shapes, v_classes) as f (shape_id, priority)
               where f.shape_id <> v_shape.shape_id;
            end if;
            v_dry := v_dry || l_lane[v_at];
            l_head[v_at] := null;
            continue lanes;
          end if;

          v_took := fleet._take(l_lane[v_at], l_head[v_at],
                                least(coalesce(v_bound + 1000000, 9223372036854775807),
                                      case when v_class = v_cap.kept_class and l_head[v_at] <= v_cap.kept_key then v_cap.kept_key end),
                                cardinality(v_places));
          v_count := coalesce(cardinality(v_took.jobs), 0);
          if v_count > 0 then
            v_places := v_places[:v_count];
            v_room := fleet._book(v_room, v_shape, v_places);
            if v_long then
              v_kept.rest := fleet._book(v_kept.rest, v_shape, v_places);
            end if;
            if v_capped then
              v_cap := fleet._count_in(v_cap, v_shape, v_took.jobs);
            end if;
            v_spent := v_spent + v_count * v_cost;
            v_budget := v_budget - v_count;
            v_all := v_all || v_took.jobs;
            v_taken := v_taken || row(v_took.jobs, v_places, v_shape, v_cost, l_run_s[v_at], v_turn.project_id, v_class = 'low',
                                      v_capped)::fleet.taken;
          end if;
          if w_next is not null then
            w_used := w_used || w_next[:v_count];
            v_stale := true;
          end if;
          l_head[v_at] := v_took.next;
          if v_took.next is null then
            v_dry := v_dry || l_lane[v_at];
            v_empty := v_empty || l_lane[v_at];
          elsif random() * 1000 < v_count or cardinality(l_lane) = 16 then
            perform fleet._advance(array[l_lane[v_at]]);
          end if;
        end loop lanes;
        exit loads when v_budget = 0 or cardinality(l_lane) < 16;
      end loop loads;
    end loop turns;
    v_left := v_left + v_budget;
  end loop classes;

  if v_empty <> '{}' then
    perform fleet._retire(v_empty, v_now);
  end if;
  if v_taken = '{}' then
    if p_waiting then
      perform fleet._sleep(p_session, v_self.joined_at, p_sample);
    end if;
    return '[]';
  end if;
  return fleet._lease(p_session, p_request, (p_sample ->> 'seq')::bigint, fleet._booked(v_booked, v_before, v_room), v_room.idx,
                      v_ranking.era, v_all, v_taken);
end
$$;
