-- Tenants, their keys, and what is known of the kinds of work. All cold.
create table fleet.settings (
  one               boolean primary key default true check (one),
  lease_s           double precision not null default 30 check (lease_s between 1 and 86400),
  heartbeat_s       double precision not null default 10 check (heartbeat_s between 0.1 and 86400),
  max_infra_retries integer not null default 10 check (max_infra_retries >= 0),
  alarm_share       double precision not null default 0.2 check (alarm_share between 0 and 1),
  alarm_min_nodes   integer not null default 5 check (alarm_min_nodes >= 1),
  alarm_hold_s      double precision not null default 300 check (alarm_hold_s between 0 and 86400),
  log_bytes         bigint not null default 4194304 check (log_bytes >= 0),
  durable           boolean not null default true,
  fair_half_life_s  double precision not null default 3600 check (fair_half_life_s between 1 and 31536000),
  fair_quantum      double precision not null default 600 check (fair_quantum >= 0),
  low_share         double precision not null default 0.05 check (low_share between 0 and 0.9),
  reserve_after_s   double precision not null default 2 check (reserve_after_s between 0 and 86400),
  reserve           boolean not null default true,
  preempt_grace_s   double precision not null default 30 check (preempt_grace_s between 1 and 3600),
  missed_after_s    double precision not null default 60 check (missed_after_s between 1 and 86400),
  oom_near          double precision not null default 0.8 check (oom_near between 0 and 1),
  oom_rungs         integer not null default 4 check (oom_rungs between 0 and 20),
  raise_s           double precision not null default 86400 check (raise_s between 1 and 31536000),
  warm_patience_s   double precision not null default 10 check (warm_patience_s between 0 and 86400),
  halted            boolean not null default false,
  halt_reason       text,
  constraint three_beats_a_lease check (heartbeat_s * 3 <= lease_s)
);
comment on table fleet.settings is 'One row: what the whole fleet agrees on.';
comment on column fleet.settings.one is 'Always true: there is one row.';
comment on column fleet.settings.lease_s is 'Seconds of silence after which a session has lost its leases.';
comment on column fleet.settings.heartbeat_s is 'Seconds between two heartbeats; a third of lease_s at most, so that two may be lost.';
comment on column fleet.settings.max_infra_retries is 'How often infrastructure may fail one job before it ends (I8).';
comment on column fleet.settings.alarm_share is 'When more than this share of the live nodes falls silent at once, the reaper stops (I6).';
comment on column fleet.settings.alarm_min_nodes is 'Fewer silent nodes than this never raise the alarm.';
comment on column fleet.settings.alarm_hold_s is 'After this long under alarm the reaper goes on: the nodes are really gone.';
comment on column fleet.settings.log_bytes is 'Most log text kept per attempt.';
comment on column fleet.settings.durable is 'Submissions and ends of attempts are on disk before they are answered, whatever synchronous_commit says.';
comment on column fleet.settings.fair_half_life_s is 'After this long, use of the fleet counts half against its project.';
comment on column fleet.settings.fair_quantum is 'GiB x seconds a project may take at once beyond its turn.';
comment on column fleet.settings.low_share is 'Share of the GPU-time that class low gets even when there is other work.';
comment on column fleet.settings.reserve_after_s is 'A job that no node has room for waits this long before a place is kept for it.';
comment on column fleet.settings.preempt_grace_s is 'How long preempted work is thought to need to save its state and go.';
comment on column fleet.settings.reserve is 'Whether places are kept at all.';
comment on column fleet.settings.missed_after_s is 'A tick of a schedule that is made later than this was missed.';
comment on column fleet.settings.oom_near is 'Out of memory with at least this share of the booking used is the job''s own; below it others took the memory.';
comment on column fleet.settings.oom_rungs is 'How often one job is tried again with more memory at nobody''s charge.';
comment on column fleet.settings.raise_s is 'How long a need stays raised after it ran out of memory.';
comment on column fleet.settings.warm_patience_s is 'How much younger a job may be than others of its project, and still go first where its model is loaded.';
comment on column fleet.settings.halted is 'Nothing is claimed anywhere; running work goes on.';
comment on column fleet.settings.halt_reason is 'For people.';
insert into fleet.settings default values;

create table fleet.projects (
  project_id     uuid primary key default gen_random_uuid(),
  name           text not null unique check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  weight         double precision not null default 1 check (weight > 0),
  trusted_pools  text[],
  paused         fleet.priority[] not null default '{}',
  webhook_secret text not null,
  created_at     timestamptz not null default fleet.now()
);
comment on table fleet.projects is 'Tenants: every job, file and key belongs to one.';
comment on column fleet.projects.project_id is 'Key.';
comment on column fleet.projects.name is 'What people call it.';
comment on column fleet.projects.weight is 'Its share of the fleet, relative to the others.';
comment on column fleet.projects.trusted_pools is 'Its jobs run only on nodes of these pools; null: anywhere.';
comment on column fleet.projects.paused is 'Classes from which nothing is claimed.';
comment on column fleet.projects.webhook_secret is 'Signs webhooks (Standard Webhooks, whsec_...).';
comment on column fleet.projects.created_at is 'When it was made.';

create table fleet.paused_kinds (
  project_id uuid not null references fleet.projects,
  kind       text not null,
  priority   fleet.priority not null,
  primary key (project_id, kind, priority)
);
comment on table fleet.paused_kinds is 'Kinds that a project paused, by class: for lanes to come; those that are there know it themselves.';
comment on column fleet.paused_kinds.project_id is 'The project.';
comment on column fleet.paused_kinds.kind is 'The kind.';
comment on column fleet.paused_kinds.priority is 'The class.';

create table fleet.api_keys (
  key_id     uuid primary key default gen_random_uuid(),
  project_id uuid not null references fleet.projects,
  name       text not null,
  prefix     text not null unique,
  hash       bytea not null,
  scopes     text[] not null check (scopes <@ array['submit', 'read', 'erase', 'metrics', 'admin'] and cardinality(scopes) > 0),
  ceiling    fleet.priority not null default 'high',
  created_at timestamptz not null default fleet.now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
comment on table fleet.api_keys is 'Keys of the REST API; the key itself is not stored.';
comment on column fleet.api_keys.key_id is 'Key of the row.';
comment on column fleet.api_keys.project_id is 'The project it speaks for.';
comment on column fleet.api_keys.name is 'For people.';
comment on column fleet.api_keys.prefix is 'The first, public part of the key.';
comment on column fleet.api_keys.hash is 'sha256 of the whole key (256 random bits, so a slow hash would add nothing).';
comment on column fleet.api_keys.scopes is 'submit, read, erase, metrics, admin.';
comment on column fleet.api_keys.ceiling is 'The highest class it may submit to.';
comment on column fleet.api_keys.created_at is 'When it was made.';
comment on column fleet.api_keys.expires_at is 'From when on it is useless; null: never.';
comment on column fleet.api_keys.revoked_at is 'Since when it is useless; null: in force.';

create table fleet.kinds (
  kind        text primary key check (kind ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'),
  description text not null,
  gpus        integer not null check (gpus between 0 and 64),
  vram_mib    integer not null check (vram_mib >= 0),
  cpu_milli   integer not null check (cpu_milli >= 0),
  ram_mib     integer not null check (ram_mib >= 0),
  disk_mib    integer not null check (disk_mib >= 0),
  device      text not null check (device in ('any', 'gpu', 'ram')),
  timeout_s   integer not null check (timeout_s > 0),
  retries     integer not null check (retries >= 0),
  model_param text,
  size_params text[] not null default '{}',
  shared_learning boolean not null default false,
  quarantined boolean not null default false,
  quarantine_reason text
);
comment on table fleet.kinds is 'What code can run, and what it needs when the job does not say.';
comment on column fleet.kinds.kind is 'Its name, for example diffusion.generate.';
comment on column fleet.kinds.description is 'For people.';
comment on column fleet.kinds.gpus is 'Devices, all of one node.';
comment on column fleet.kinds.vram_mib is 'Memory on each device.';
comment on column fleet.kinds.cpu_milli is 'CPU, in thousandths of a core.';
comment on column fleet.kinds.ram_mib is 'Host memory, on top of any device that is host memory.';
comment on column fleet.kinds.disk_mib is 'Scratch space.';
comment on column fleet.kinds.device is 'any also takes the host memory of a machine without a GPU.';
comment on column fleet.kinds.timeout_s is 'Wall time of one attempt.';
comment on column fleet.kinds.retries is 'Retries of failures that are the job''s own.';
comment on column fleet.kinds.model_param is 'The parameter that names the model, if any: what stays warm on a node.';
comment on column fleet.kinds.size_params is 'The parameters that decide how much memory and time a job takes.';
comment on column fleet.kinds.shared_learning is 'What was learned of it holds for all projects: our code, not theirs.';
comment on column fleet.kinds.quarantined is 'Nothing of it is claimed; submissions are taken.';
comment on column fleet.kinds.quarantine_reason is 'For people.';

create table fleet.retry_policies (
  cause       fleet.cause primary key,
  charged     text not null check (charged in ('user', 'infrastructure', 'nobody')),
  retried     boolean not null,
  base_s      double precision not null check (base_s >= 0),
  max_s       double precision not null check (max_s >= base_s)
);
comment on table fleet.retry_policies is 'What happens after an attempt failed, by cause (I8).';
comment on column fleet.retry_policies.cause is 'Why it failed.';
comment on column fleet.retry_policies.charged is 'Whose retries it uses up.';
comment on column fleet.retry_policies.retried is 'False: the job ends at once.';
comment on column fleet.retry_policies.base_s is 'Pause before the first retry; doubles each time, with jitter.';
comment on column fleet.retry_policies.max_s is 'Longest pause.';
insert into fleet.retry_policies (cause, charged, retried, base_s, max_s) values
  ('user_error',     'user',           true,  2, 300),
  ('out_of_memory',  'user',           true,  0, 60),
  ('timeout',        'user',           true,  0, 60),
  ('infrastructure', 'infrastructure', true,  2, 120),
  ('lost',           'infrastructure', true,  0, 120),
  ('preempted',      'nobody',         true,  0, 0),
  ('cancelled',      'nobody',         false, 0, 0),
  ('dependency',     'nobody',         false, 0, 0),
  ('expired',        'nobody',         false, 0, 0);

insert into fleet.kinds (kind, description, gpus, vram_mib, cpu_milli, ram_mib, disk_mib, device, timeout_s, retries, model_param,
                         size_params, shared_learning) values
  ('diffusion.train_lora', 'Train a LoRA on 4 to 30 pictures of one subject', 1, 2048, 1000, 256, 256, 'any', 7200, 0, 'base_model',
   '{resolution,rank,batch,prior_batch,text_encoder,steps,prior}', true),
  ('diffusion.generate',   'Pictures from prompts, with or without a LoRA',   1, 1536, 1000, 256, 256, 'any', 1800, 0, 'base_model',
   '{width,height,batch,images_per_prompt,prompts,steps}', true),
  ('command',              'Any program, files in and files out',             0, 0,    1000, 512, 256, 'any', 3600, 0, null, '{}', false),
  ('noop',                 'Nothing, for as long as asked: to try a fleet out', 0, 0,  10,   64,  1,   'any', 3600, 0, null, '{}', false),
  ('selftest.allocate',    'Memory taken on purpose: to try the limits out',  1, 256,  100,  64,  1,   'any', 600,  0, null, '{mib}', false);
