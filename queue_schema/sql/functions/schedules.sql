-- create_schedule_v1: submit these jobs at each tick of a cron expression.
--
-- Caller   fleet_api
-- p_schedule {name, cron, timezone, jobs, missed, enabled}; p_next its first tick, which queue_schema.cron computed
-- Returns  {schedule_id, created}: false when exactly this schedule is there already
-- Locks    as submit_v1, which is tried out and undone
-- Errors   JQ002 bad_request, JQ005 not_found, JQ006 conflict: another schedule has the name, or as submit_v1
create function fleet.create_schedule_v1(p_project uuid, p_schedule jsonb, p_next timestamptz, p_key uuid default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_new fleet.schedules;
  v_old fleet.schedules;
  v_bad record;
begin
  v_new := jsonb_populate_record(null::fleet.schedules, p_schedule);
  if v_new.name is null or v_new.name !~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' then
    raise exception using errcode = 'JQ002', message = format('%s is no name', coalesce(v_new.name, 'null')), column = 'name',
      hint = 'Letters, digits, dots, dashes; 63 at most.';
  end if;
  if v_new.missed is null or v_new.missed not in ('run_once', 'skip') then
    raise exception using errcode = 'JQ002', message = 'missed ticks are run once or skipped', column = 'missed',
      hint = 'run_once or skip.';
  end if;
  if jsonb_typeof(v_new.jobs) is distinct from 'array' or jsonb_array_length(v_new.jobs) not between 1 and 100 then
    raise exception using errcode = 'JQ002', message = 'a schedule submits 1 to 100 jobs', column = 'jobs',
      hint = 'Let one job submit the others.';
  end if;
  select e.place - 1 as at, f.field
    into v_bad
    from jsonb_array_elements(v_new.jobs) with ordinality as e (job, place)
   cross join unnest(array['run_at', 'start_by']) as f (field)
   where jsonb_typeof(e.job -> f.field) <> 'null'
   limit 1;
  if found then
    raise exception using errcode = 'JQ002', column = format('jobs[%s].%s', v_bad.at, v_bad.field),
      message = 'a job that is submitted again and again has no one time', hint = 'Leave it out; the cron expression says when.';
  end if;
  -- The best check of a submission is the submission itself.
  begin
    perform fleet.submit_v1(p_project, v_new.jobs, p_key);
    raise exception using errcode = 'AR001', message = 'undo';
  exception when sqlstate 'AR001' then
    null;
  end;

  insert into fleet.schedules (project_id, name, cron, timezone, jobs, missed, enabled, next_tick, key_id, created_at)
  values (p_project, v_new.name, v_new.cron, v_new.timezone, v_new.jobs, v_new.missed, coalesce(v_new.enabled, true),
          p_next, p_key, fleet.now())
      on conflict (project_id, name) do nothing
  returning * into v_old;
  if found then
    return jsonb_build_object('schedule_id', v_old.schedule_id, 'created', true);
  end if;
  select s.* into strict v_old from fleet.schedules as s where s.project_id = p_project and s.name = v_new.name;
  if (v_old.cron, v_old.timezone, v_old.jobs, v_old.missed) <> (v_new.cron, v_new.timezone, v_new.jobs, v_new.missed) then
    raise exception using errcode = 'JQ006', column = 'name',
      message = format('another schedule of this project is called %s', v_new.name), hint = 'Delete it first, or choose another name.';
  end if;
  return jsonb_build_object('schedule_id', v_old.schedule_id, 'created', false);
end
$$;

-- enable_schedule_v1: pause a schedule, or let it go on with its next future tick.
--
-- Caller   fleet_api
-- p_next   the first tick from now on; ticks while it was paused were not missed, they were not wanted
-- Returns  whether this changed anything
-- Locks    the schedule row: a tick in flight is waited for
-- Errors   JQ005 not_found
create function fleet.enable_schedule_v1(p_project uuid, p_name text, p_enabled boolean, p_next timestamptz default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  update fleet.schedules as s
     set enabled = p_enabled, next_tick = case when p_enabled then coalesce(p_next, s.next_tick) else s.next_tick end
   where s.project_id = p_project and s.name = p_name and s.enabled <> p_enabled;
  if found then
    return 'true';
  end if;
  if not exists (select from fleet.schedules as s where s.project_id = p_project and s.name = p_name) then
    raise exception using errcode = 'JQ005', message = format('there is no schedule %s in this project', p_name),
      column = 'name', hint = 'List schedules to find its name.';
  end if;
  return 'false';
end
$$;

-- delete_schedule_v1: forget a schedule; what it submitted stays.
--
-- Caller   fleet_api
-- Returns  whether there was one
create function fleet.delete_schedule_v1(p_project uuid, p_name text)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  delete from fleet.schedules as s where s.project_id = p_project and s.name = p_name;
  return to_jsonb(found);
end
$$;

-- due_schedules_v1: schedules whose tick has come, the longest overdue first.
--
-- Caller   fleet_scheduler
-- Returns  [{schedule_id, name, cron, timezone, tick, now}]
create function fleet.due_schedules_v1(p_limit integer)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := fleet.now();
begin
  return (select coalesce(jsonb_agg(jsonb_build_object('schedule_id', s.schedule_id, 'name', s.name, 'cron', s.cron,
                                                       'timezone', s.timezone, 'tick', s.next_tick, 'now', v_now)
                                    order by s.next_tick), '[]')
            from (select s.* from fleet.schedules as s where s.enabled and s.next_tick <= v_now
                   order by s.next_tick limit p_limit) as s);
end
$$;

-- tick_v1: make one tick of a schedule, once, however many schedulers see it: whoever moves next_tick on submits.
--
-- Caller   fleet_scheduler
-- p_tick   the tick that is due; p_next the first one in the future, null when there is none: the schedule pauses itself
-- Returns  {outcome: submitted | skipped | refused | stale, job_ids}
-- Locks    the schedule row; then as submit_v1
-- Errors   JQ002 bad_request: not due, or not moving on
--
-- A tick that is late by settings.missed_after_s was missed, and with it all up to now: what then happens, happens once.
-- A submission that is refused (its file was deleted, what it waits for has failed, the key that made the schedule was revoked)
-- does not stop the next one.
create function fleet.tick_v1(p_schedule uuid, p_tick timestamptz, p_next timestamptz)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now      timestamptz := fleet.now();
  v_schedule fleet.schedules;
  v_jobs     jsonb;
  v_ids      uuid[] := '{}';
  v_outcome  text := 'submitted';
  v_error    jsonb;
  v_message  text;
  v_field    text;
  v_fix      text;
begin
  perform fleet._durably();
  if p_tick > v_now or p_next <= p_tick then
    raise exception using errcode = 'JQ002', column = case when p_tick > v_now then 'tick' else 'next' end,
      message = format('a tick at %s, followed by %s, is not due at %s', p_tick, p_next, v_now),
      hint = 'Compute them from what due_schedules_v1 said.';
  end if;
  update fleet.schedules as s
     set last_tick = p_tick, next_tick = coalesce(p_next, s.next_tick), enabled = p_next is not null
   where s.schedule_id = p_schedule
     and s.enabled
     and s.next_tick = p_tick
  returning s.* into v_schedule;
  if not found then
    return '{"outcome": "stale", "job_ids": []}';
  end if;

  if v_schedule.missed = 'skip'
     and p_tick < v_now - make_interval(secs => (select s.missed_after_s from fleet.settings as s)) then
    v_outcome := 'skipped';
  else
    select jsonb_agg(e.job || jsonb_build_object('tags', coalesce(nullif(e.job -> 'tags', 'null'), '{}') || jsonb_build_object(
                       'schedule', v_schedule.name,
                       'tick', to_char(p_tick at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) order by e.place)
      into v_jobs
      from jsonb_array_elements(v_schedule.jobs) with ordinality as e (job, place);
    begin
      if exists (select from fleet.api_keys as k
                  where k.key_id = v_schedule.key_id and not fleet._in_force(k, v_now)) then
        raise exception using errcode = 'JQ002', column = 'key', message = 'the key that made this schedule is not in force any more',
          hint = 'Make it anew with one that is. A key that is rotated hands its schedules on.';
      end if;
      v_ids := array(select (a.job ->> 'job_id')::uuid
                       from json_array_elements(fleet.submit_v1(v_schedule.project_id, v_jobs, v_schedule.key_id))
                            with ordinality as a (job, place)
                      order by a.place);
    exception when sqlstate 'JQ002' or sqlstate 'JQ005' or sqlstate 'JQ006' or data_exception
                or integrity_constraint_violation then
      get stacked diagnostics v_message = message_text, v_field = column_name, v_fix = pg_exception_hint;
      v_outcome := 'refused';
      v_error := jsonb_strip_nulls(jsonb_build_object('message', v_message, 'field', nullif(v_field, ''),
                                                      'fix', nullif(v_fix, '')));
    end;
  end if;
  if p_next is null and v_error is null then
    v_error := jsonb_build_object('message', 'paused: it has no next tick', 'field', 'cron',
                                  'fix', 'Check the expression and the time zone.');
  end if;
  update fleet.schedules as s
     set last_outcome = v_outcome, last_error = v_error,
         last_job_ids = case when v_outcome = 'submitted' then v_ids else s.last_job_ids end
   where s.schedule_id = p_schedule;
  return jsonb_build_object('outcome', v_outcome, 'job_ids', to_jsonb(v_ids));
end
$$;
