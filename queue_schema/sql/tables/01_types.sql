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
  set search_path = pg_catalog, pg_temp
as 'select pg_catalog.clock_timestamp()';
comment on function fleet.now() is 'The clock of the fleet.';

-- A time-ordered uuid (version 7, RFC 9562, microseconds in rand_a), on every PostgreSQL we support:
-- uuidv7() itself came with 18 only.
create function fleet.new_id()
  returns uuid
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select encode(
           overlay(
             overlay(uuid_send(gen_random_uuid())
                     placing substring(int8send(t.us / 1000) from 3 for 6) from 1 for 6)
             placing substring(int8send((7::bigint << 12) | ((t.us % 1000) * 4)) from 7 for 2) from 7 for 2),
           'hex')::uuid
    from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us) as t
$$;
comment on function fleet.new_id() is 'A new job id: uuid version 7.';
