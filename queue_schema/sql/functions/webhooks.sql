-- due_webhooks_v1: take deliveries that are due; each is hidden from others for p_hold_s, and counted as a try.
--
-- Caller   fleet_scheduler
-- Returns  [{delivery_id, url, secret, body, attempt}]
-- Locks    rows of webhook_deliveries, SKIP LOCKED
create function fleet.due_webhooks_v1(p_limit integer, p_hold_s double precision)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now   timestamptz := fleet.now();  -- a variable: a volatile function would be no index condition
  v_taken jsonb;
begin
  with due as (
    select w.delivery_id
      from fleet.webhook_deliveries as w
     where w.state = 'pending'
       and w.due_at <= v_now
     order by w.due_at
     limit p_limit
       for update skip locked
  ),
  taken as (
    update fleet.webhook_deliveries as w
       set tries = w.tries + 1, due_at = v_now + make_interval(secs => p_hold_s)
      from due
     where w.delivery_id = due.delivery_id
    returning w.*
  )
  select coalesce(jsonb_agg(jsonb_build_object('delivery_id', t.delivery_id, 'url', t.url, 'secret', p.webhook_secret,
                                               'body', t.body, 'attempt', t.tries)), '[]')
    into v_taken
    from taken as t
    join fleet.projects as p on p.project_id = t.project_id;
  return v_taken;
end
$$;

-- webhook_done_v1: how a delivery went. Failed ones come again after 5 s, 10 s, 20 s, ...; eight tries at most.
--
-- Caller   fleet_scheduler
create function fleet.webhook_done_v1(p_delivery bigint, p_delivered boolean, p_detail text)
  returns jsonb
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  update fleet.webhook_deliveries as w
     set state  = case when p_delivered then 'delivered' when w.tries >= 8 then 'dead' else 'pending' end,
         due_at = fleet.now() + make_interval(secs => 5 * 2 ^ (w.tries - 1) * (0.75 + random() / 2)),
         detail = p_detail
   where w.delivery_id = p_delivery
     and w.state = 'pending';
  select 'null'::jsonb
$$;
