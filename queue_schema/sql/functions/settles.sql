-- complete_v1, fail_v1, release_v1: an agent ends attempts; the work is in _succeed and _settle.
--
-- Caller   fleet_agent
-- Returns  [{job_id, token, outcome, state}] in the same order; state is null or left out where the lease was lost
-- Errors   JQ002 bad_request, JQ003 session_lost; a stale token is an outcome (lease_lost), not an error
create function fleet.complete_v1(p_session uuid, p_secret text, p_items jsonb)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set enable_seqscan = off  -- as in _settle
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_session fleet.sessions := fleet._session(p_session, p_secret);  -- an expression: PERFORM would be a statement more
begin
  if current_setting('synchronous_commit') = 'off' then
    perform fleet._durably();
  end if;
  return fleet._succeed(p_session, p_items, 'agent');
end
$$;

create function fleet.fail_v1(p_session uuid, p_secret text, p_items jsonb)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform fleet._session(p_session, p_secret);
  if exists (select from jsonb_array_elements(p_items) as e (item)
              where coalesce(e.item ->> 'cause', '') not in ('user_error', 'out_of_memory', 'timeout', 'infrastructure',
                                                             'preempted', 'cancelled')) then
    raise exception using errcode = 'JQ002', message = 'an agent names one of its own causes', column = 'cause',
      hint = 'user_error, out_of_memory, timeout, infrastructure, preempted or cancelled.';
  end if;
  return fleet._settle(p_session, p_items, 'failed', 'agent');
end
$$;

create function fleet.release_v1(p_session uuid, p_secret text, p_items jsonb)
  returns json
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform fleet._session(p_session, p_secret);
  return fleet._settle(p_session, p_items, 'released', 'agent');
end
$$;
