-- halt_v1: nobody claims anything, or claiming goes on; running work goes on either way.
--
-- Caller   fleet_api, fleet_admin
-- Returns  whether this changed anything; call wake_v1 after going on
-- Locks    the settings row. A claim that was in flight may still commit; the next one sees it
create function fleet.halt_v1(p_on boolean, p_reason text default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform fleet._audit('halt', jsonb_build_object('on', p_on, 'reason', p_reason));
  perform fleet._durably();
  update fleet.settings as s
     set halted = p_on, halt_reason = case when p_on then left(p_reason, 500) end
   where s.halted <> p_on;
  return to_jsonb(found);
end
$$;

-- quarantine_v1: nobody claims this kind, or claiming it goes on. Submissions are taken and stand in their lanes.
--
-- Caller   fleet_api, fleet_admin
-- Returns  whether this changed anything; call wake_v1 after a release
-- Locks    the row of the kind
-- Errors   JQ005 not_found
create function fleet.quarantine_v1(p_kind text, p_on boolean, p_reason text default null)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform fleet._audit('quarantine', jsonb_build_object('kind', p_kind, 'on', p_on, 'reason', p_reason));
  perform fleet._durably();
  update fleet.kinds as k
     set quarantined = p_on, quarantine_reason = case when p_on then left(p_reason, 500) end
   where k.kind = p_kind and k.quarantined <> p_on;
  if found then
    return 'true';
  end if;
  if not exists (select from fleet.kinds as k where k.kind = p_kind) then
    raise exception using errcode = 'JQ005', message = format('there is no kind %s', p_kind), column = 'kind',
      hint = (select 'Use one of: ' || string_agg(k.kind, ', ' order by k.kind) from fleet.kinds as k);
  end if;
  return 'false';
end
$$;

-- _held: why a ready job is not claimed though a node may be free; null when nothing holds it.
create function fleet._held(p_halted boolean, p_quarantined boolean, p_paused boolean)
  returns text
  language sql
  immutable
  return case when p_halted then 'halted' when p_quarantined then 'quarantined' when p_paused then 'paused' end;
