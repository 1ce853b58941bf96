-- The stage: schema `rehearsal` is the contract once more, made from the contract itself, on unlogged tables that are
-- filled for one question and emptied for the next. What `why`, `eta` and `fit` say is what the real functions did there,
-- so there is no second copy of their rules that could drift: a test compares the two.
--
-- Only three things differ: the clock is a setting of the transaction, nobody is notified, and history has no indexes.
create schema rehearsal;
comment on schema rehearsal is 'A copy of the contract on which questions (why, eta, fit) are played through; empty between questions.';
create sequence rehearsal.ids start 1000000000000000;
comment on sequence rehearsal.ids is 'Keys of rows made on the stage: far above those that were copied.';

create function rehearsal.now()
  returns timestamptz
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$ select to_timestamp(current_setting('rehearsal.now')::double precision) $$;

create function rehearsal.unheard(p_channel text, p_payload text)
  returns void
  language sql
  immutable
  set search_path = pg_catalog, pg_temp
as $$ select null $$;

do $$
declare
  v_enums text := (select string_agg(t.typname, '|') from pg_type as t
                    where t.typnamespace = 'fleet'::regnamespace and t.typtype = 'e');
  v_here  text := format('\mfleet\.(?!(%s)\M)', v_enums);
  v_one   record;
  v_text  text;
begin
  for v_one in select c.oid, c.relname from pg_class as c
                where c.relnamespace = 'fleet'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                order by c.oid
  loop
    execute format('create unlogged table rehearsal.%1$I (like fleet.%1$I including defaults including constraints%2$s)',
                   v_one.relname,
                   case when v_one.relname in ('attempts', 'job_events', 'logs', 'webhook_deliveries') then ''
                        else ' including indexes' end);
    for v_text in select a.attname from pg_attribute as a
                   where a.attrelid = v_one.oid and a.attidentity <> '' and not a.attisdropped
    loop
      execute format($f$alter table rehearsal.%I alter column %I set default nextval('rehearsal.ids')$f$,
                     v_one.relname, v_text);
    end loop;
  end loop;
  for v_one in select c.relname, string_agg(format('%I %s', a.attname,
                                                   regexp_replace(format_type(a.atttypid, a.atttypmod), v_here, 'rehearsal.', 'g')),
                                            ', ' order by a.attnum) as fields
                 from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
                where c.relnamespace = 'fleet'::regnamespace and c.relkind = 'c'
                group by c.oid, c.relname
                order by c.oid
  loop
    execute format('create type rehearsal.%I as (%s)', v_one.relname, v_one.fields);
  end loop;
  for v_one in select p.oid from pg_proc as p
                where p.pronamespace = 'fleet'::regnamespace
                  and p.proname not in ('now', 'make_partitions_v1', 'prune_v1')
                order by p.oid
  loop
    v_text := regexp_replace(pg_get_functiondef(v_one.oid), v_here, 'rehearsal.', 'g');
    execute replace(replace(v_text, 'pg_notify(', 'rehearsal.unheard('), ' SECURITY DEFINER', '');
  end loop;
end
$$;

-- When what runs on the stage will really end there; the leases themselves only know when it should.
create unlogged table rehearsal.ends (
  job_id  uuid primary key,
  ends_at timestamptz not null,
  gives_way boolean not null default false
);
create index ends_in_order on rehearsal.ends (ends_at);

-- What a kind's attempts took, for needs that know nothing of their own.
create unlogged table rehearsal.kind_runs (
  kind  text primary key,
  run_s double precision[] not null
);

-- What happened on the stage.
create unlogged table rehearsal.outcomes (
  job_id     uuid not null,
  started_at timestamptz,
  ends_at    timestamptz not null,
  node_id    bigint,
  devices    integer[]
);
