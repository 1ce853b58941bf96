-- policy_v1: change what happens after an attempt failed for this cause; what is left out stays.
--
-- Caller   fleet_api, fleet_admin
-- p_policy {charged, retried, base_s, max_s}
-- Returns  the policy as it is now
-- Errors   JQ002 bad_request
--
-- Some changes are refused: infrastructure's faults never use up the user's retries, and what nobody is charged for would
-- be tried for ever (I8); only a preemption is.
create function fleet.policy_v1(p_cause text, p_policy jsonb)
  returns jsonb
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_policy fleet.retry_policies;
  v_bad    text[];
begin
  perform fleet._audit('policy', jsonb_build_object('cause', p_cause, 'policy', p_policy));
  select p.* into v_policy from fleet.retry_policies as p where p.cause::text = p_cause for update;
  if not found or p_cause in ('cancelled', 'dependency', 'expired') then
    raise exception using errcode = 'JQ002', column = 'cause',
      message = case when v_policy.cause is null then format('there is no cause %s', p_cause)
                     else format('nothing is tried again after %s', p_cause) end,
      hint = 'user_error, out_of_memory, timeout, infrastructure, lost or preempted.';
  end if;
  v_policy.charged := coalesce(p_policy ->> 'charged', v_policy.charged);
  v_policy.retried := coalesce((p_policy ->> 'retried')::boolean, v_policy.retried);
  v_policy.base_s := coalesce((p_policy ->> 'base_s')::double precision, v_policy.base_s);
  v_policy.max_s := coalesce((p_policy ->> 'max_s')::double precision, v_policy.max_s);
  v_bad := case
             when v_policy.charged not in ('user', 'infrastructure', 'nobody')
               then array['charged', 'user, infrastructure or nobody is charged']
             when v_policy.charged = 'user' and p_cause in ('infrastructure', 'lost', 'preempted')
               then array['charged', 'the user does not pay for the fleet''s faults']
             when v_policy.charged = 'nobody' and v_policy.retried and p_cause <> 'preempted'
               then array['charged', 'what nobody is charged for would be tried for ever']
             when v_policy.base_s not between 0 and 86400 then array['base_s', 'a pause is 0 s to a day']
             when v_policy.max_s not between v_policy.base_s and 86400
               then array['max_s', 'the longest pause is not shorter than the first, and a day at most']
           end;
  if v_bad is not null then
    raise exception using errcode = 'JQ002', column = v_bad[1], message = v_bad[2],
      hint = 'Leave out what shall stay; `argosy fleet policy` shows it.';
  end if;
  update fleet.retry_policies as p
     set charged = v_policy.charged, retried = v_policy.retried, base_s = v_policy.base_s, max_s = v_policy.max_s
   where p.cause = v_policy.cause;
  return to_jsonb(v_policy);
end
$$;
