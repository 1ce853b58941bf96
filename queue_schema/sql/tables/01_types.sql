-- The words of the queue; queue_schema/states.py says the same in Python, held together by a test.
create type fleet.job_state as enum ('waiting', 'ready', 'running', 'succeeded', 'failed', 'cancelled');
comment on type fleet.job_state is 'Where a job is; exactly one at a time (I1).';

create type fleet.cause as enum ('user_error', 'out_of_memory', 'timeout', 'infrastructure', 'lost', 'preempted',
                                 'cancelled', 'dependency', 'expired');
comment on type fleet.cause is 'Why an attempt or a job did not succeed.';

create type fleet.job_end as enum ('succeeded', 'failed', 'ended');
comment on type fleet.job_end is 'What end of a job another one waits for: its success, its failure, or any.';

create type fleet.priority as enum ('low', 'normal', 'high', 'urgent');
comment on type fleet.priority is 'Classes in rising order: the greater one is claimed first.';

create type fleet.lease_command as enum ('cancel', 'preempt');
comment on type fleet.lease_command is 'What the next heartbeat asks of a running attempt.';

-- Time is the database's (I4). Tests replace this function; nothing else may read a clock.
create function fleet.now()
  returns timestamptz
  language sql
  volatile
  return pg_catalog.clock_timestamp();  -- with no SET, so that it is inlined: it is asked five times in a claim
comment on function fleet.now() is 'The clock of the fleet.';

-- Time-ordered uuids (version 7, RFC 9562, microseconds in rand_a), on every PostgreSQL we support: uuidv7() itself came
-- with 18 only. One time and one random number for all of a submission, with the place after them, so that they grow in their
-- order: asking the system for each took 9 us of a submission's 50 a job. They are names, not secrets: for one alone, the
-- session's own generator will do (53 bits).
create function fleet.new_ids(p_count integer)
  returns uuid[]
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with clock as materialized (
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us
  ),
  seed as materialized (
    select lpad(to_hex(c.us / 1000), 12, '0') || to_hex((7 << 12) | (c.us % 1000 * 4)::integer) || '8'
           || substring(replace(gen_random_uuid()::text, '-', '') for 11) as start
      from clock as c
  )
  select array(select (s.start || right(to_hex(x'10000'::integer + g.place), 4))::uuid
                 from generate_series(1, p_count) as g (place)
                order by g.place)
    from seed as s
$$;
comment on function fleet.new_ids(integer) is 'So many new job ids: uuids version 7.';

-- _id_of: an id of this time, in microseconds since 1970. Without a SET clause, so that it is inlined.
create function fleet._id_of(p_us bigint)
  returns uuid
  language sql
  volatile
  return (lpad(to_hex(p_us / 1000), 12, '0') || to_hex((7 << 12) | (p_us % 1000 * 4)::integer)
          || '8' || lpad(to_hex(floor(random() * float8 '1152921504606846976')::bigint), 15, '0'))::uuid;

create function fleet.new_id()
  returns uuid
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_us bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
begin
  return fleet._id_of(v_us);
end
$$;
comment on function fleet.new_id() is 'A new job id: uuid version 7.';
