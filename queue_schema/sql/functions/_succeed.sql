-- _succeed: end attempts as successes: the way most go, and so a short one. As _settle otherwise, which calls it.
create function fleet._succeed(p_session uuid, p_items jsonb, p_by text)
  returns json
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now     timestamptz := fleet.now();
  v_ids     uuid[] := array(select i.job_id from jsonb_to_recordset(p_items) as i (job_id uuid));
  v_jobs    uuid[];
  v_at      tid[];
  v_held    uuid[];
  v_tokens  uuid[];
  v_hooked  uuid[];
  v_capped  fleet.cap_returns[];
  v_told    boolean;
  v_kept    boolean;
  v_failing boolean;
  v_freed   fleet.booking[];
  v_event   bigint;
  v_leads   boolean;
  v_answer  json;
begin
  select array_agg(j.job_id), array_agg(j.at)
    into v_jobs, v_at
    from (select j.job_id, j.ctid as at from fleet.jobs as j where j.job_id = any(v_ids) order by j.job_id for no key update) as j;
  v_event := fleet.event_id();

  with item as materialized (
    select i.job_id, i.token, fleet._mib(i.peak_mib) as peak_mib, i."values", i.place
      from rows from (jsonb_to_recordset(p_items) as (job_id uuid, token uuid, peak_mib numeric, "values" jsonb)) with ordinality
             as i (job_id, token, peak_mib, "values", place)
  ),
  -- Most jobs tell nothing on their way: then nothing is looked up for each of them.
  told as materialized (
    select exists (select from fleet.progress as g where g.job_id = any(v_ids)) as any
  ),
  taken as materialized (
    delete from fleet.leases as l
     using item as i
     -- Each table is looked into by these keys, whatever it looked like when the plan was made: with the join alone, a plan
     -- that was made while little ran walks all leases there are or, under an old snapshot, were.
     where l.job_id = any(v_ids)
       and l.job_id = i.job_id
       and l.token = i.token
       and (p_session is null or l.session_id = p_session)
    returning l.*, i.peak_mib, i."values", i.place
  ),
  history as (
    insert into fleet.attempts (job_id, project_id, attempt, token, session_id, node_id, devices, vram_mib, ram_mib,
                                started_at, ended_at, outcome, settled_by, peak_mib, claimed_event, ended_event, progress)
    select t.job_id, t.project_id, t.attempt, t.token, t.session_id, t.node_id, t.devices, t.vram_mib, t.ram_mib,
           t.claimed_at, v_now, 'succeeded', p_by, t.peak_mib, t.claimed_event, v_event,
           case when g.job_id is not null then fleet._told(g) end
      from taken as t
      left join lateral (select g.*
                           from fleet.progress as g
                          where (select o.any from told as o) and g.job_id = t.job_id and g.token = t.token
                          limit 1) as g on true
  ),
  written as materialized (
    update fleet.jobs as j
       set attempts = t.attempt, releases = 0, outcome = 'succeeded', ended_at = v_now, cause = null, error = null,
           result = coalesce(t."values", '{}')
      from taken as t
      join unnest(v_jobs, v_at) as x (job_id, at) on x.job_id = t.job_id
     where j.ctid = x.at  -- where they were locked: none has moved since
    returning j.job_id, j.lane_id, j.priority = 'low' as low, j.webhook is not null as hooked, t.project_id, t.peak_mib, t.capped,
              t.charged, extract(epoch from v_now - t.claimed_at)::double precision as run_s,
              fleet._footprint(cardinality(t.devices), t.vram_mib, t.ram_mib, t.cpu_milli) as footprint,
              cardinality(t.devices) * t.vram_mib::bigint as vram_mib
  ),
  counted as (
    -- What was charged at the claim becomes what was used.
    insert into fleet.charges (era, project_id, low, amount)
    select (select r.era from fleet.rankings as r order by r.era desc limit 1), w.project_id, w.low,
           sum(w.footprint * w.run_s - w.charged)
      from written as w
     group by w.project_id, w.low
  ),
  observed as (
    insert into fleet.observations (lane_id, at, runs, run_s, peak_mib)
    select w.lane_id, v_now, count(*), (array_agg(w.run_s))[:8],
           (array_agg(w.peak_mib order by w.peak_mib desc) filter (where w.peak_mib is not null))[:8]
      from written as w
     group by w.lane_id
  ),
  freed as (
    select t.node_id, t.devices, t.vram_mib, count(*) as held, sum(t.ram_mib) as ram_mib, sum(t.cpu_milli) as cpu_milli,
           sum(t.disk_mib) as disk_mib
      from taken as t
     group by t.node_id, t.devices, t.vram_mib
  )
  -- Text, as in _answer. The token is what the caller sent: a uuid, which needs no escape. History outlives jobs by up to a
  -- day, so that one that was settled before may have no state any more.
  select ('[' || string_agg(concat(
           '{"job_id":"', i.job_id, '","token":"', i.token,
           case when t.token is not null then '","outcome":"settled","state":"succeeded"}'
                when fleet._settled_before(i.job_id, i.token)
                then concat('","outcome":"already_settled","state":', coalesce(to_json(fleet.state_of(i.job_id))::text, 'null'), '}')
                else '","outcome":"lease_lost"}' end), ',' order by i.place) || ']')::json,
         array_agg(t.job_id) filter (where t.token is not null), array_agg(t.token) filter (where t.token is not null),
         (select array_agg(row(f.node_id, f.devices, f.vram_mib, f.held, f.ram_mib, f.cpu_milli, f.disk_mib)::fleet.booking
                           order by f.node_id) from freed as f),
         (select array_agg(w.job_id) from written as w where w.hooked),
         (select array_agg(row(w.project_id, 1, w.vram_mib)::fleet.cap_returns) from written as w where w.capped),
         exists (select from fleet.dependencies as d where d.after_job_id = any(v_ids) and not d.satisfied)
    into v_answer, v_held, v_tokens, v_freed, v_hooked, v_capped, v_leads
    from item as i
    left join taken as t on t.place = i.place;
  if v_held is null then
    return coalesce(v_answer, '[]');
  end if;

  -- What is done from here on is done with those that held: a stale item publishes and judges nothing. Few settles do any of
  -- it: a table that the statement above writes is made ready for writing whether or not anything comes of it. And it is looked
  -- for only now, when no report and no checkpoint can come in between any more.
  select exists (select from fleet.progress as g where g.job_id = any(v_held)),
         exists (select from fleet.checkpoints as c where c.job_id = any(v_held))
         or exists (select from fleet.artifacts as a where a.job_id = any(v_held)),
         exists (select from fleet.node_health as h where h.node_id = v_freed[1].node_id and h.failing <> '{}')
    into v_told, v_kept, v_failing;
  if v_capped is not null then
    insert into fleet.cap_returns (project_id, running, vram_mib)
    select c.project_id, sum(c.running), sum(c.vram_mib) from unnest(v_capped) as c group by c.project_id;
  end if;
  if v_told then
    delete from fleet.progress as g where g.job_id = any(v_held);
  end if;
  if v_kept or p_items @? '$[*].artifacts[*]' then
    perform fleet._publish(v_held, v_tokens, p_items);
  end if;
  if v_leads then
    perform fleet._resolve(v_held);
  end if;
  if v_hooked is not null then
    perform fleet._announce(v_hooked);
  end if;
  if v_failing and p_by = 'agent' then
    -- A success wipes the slate of its node (I8).
    update fleet.node_health as h set failing = '{}' where h.node_id = v_freed[1].node_id;
  end if;
  perform fleet._unbook(v_freed);
  return v_answer;
end
$$;

-- _told: how far an attempt is, as its history keeps it. An expression, so that it is inlined: a look-up of its own for each
-- attempt was a third of a settle of 500.
create function fleet._told(p_progress fleet.progress)
  returns jsonb
  language sql
  immutable
  return jsonb_build_object('step', (p_progress).step, 'total', (p_progress).total, 'message', (p_progress).message,
                            'metrics', (p_progress).metrics, 'metrics_step', (p_progress).metrics_step, 'at', (p_progress).at);
