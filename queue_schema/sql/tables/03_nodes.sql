-- Machines. sessions is one row per boot of an agent; its heartbeat time lives apart, in no index, so that a
-- renewal stays a heap-only update and waits for nobody.
create table fleet.nodes (
  node_id    bigint generated always as identity primary key,
  node       text not null unique check (node ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$'),
  labels     jsonb not null default '{}',
  facts      jsonb not null default '{}',
  pools      text[] not null default '{}',
  draining   boolean not null default false,
  erasing    boolean not null default false,
  cpu_milli  integer not null default 0,
  disk_mib   integer not null default 0,
  created_at timestamptz not null default fleet.now()
);
comment on table fleet.nodes is 'Hosts that ever joined.';
comment on column fleet.nodes.node_id is 'Key.';
comment on column fleet.nodes.node is 'Its name.';
comment on column fleet.nodes.labels is 'Set by an admin; win over facts.';
comment on column fleet.nodes.facts is 'What its agent measured of itself at the last join.';
comment on column fleet.nodes.pools is 'Set by an admin: projects may trust only some pools with their data.';
comment on column fleet.nodes.draining is 'Finishes what it runs and takes nothing new.';
comment on column fleet.nodes.erasing is 'Has files to drop: its next heartbeat is told so.';
comment on column fleet.nodes.cpu_milli is 'CPU at the last join, in thousandths of a core.';
comment on column fleet.nodes.disk_mib is 'Scratch space at the last join.';
comment on column fleet.nodes.created_at is 'First join.';

create table fleet.devices (
  node_id      bigint not null references fleet.nodes,
  idx          integer not null check (idx >= -1),
  uuid         text not null,
  kind         text not null check (kind in ('gpu', 'ram')),
  name         text not null,
  total_mib    integer not null check (total_mib >= 0),
  headroom_mib integer not null check (headroom_mib >= 0),
  takes_vram   boolean not null,
  free_mib     integer,
  sampled_at   timestamptz,
  fault        text,
  fault_since  timestamptz,
  primary key (node_id, idx),
  constraint host_memory_is_minus_one check ((kind = 'ram') = (idx = -1))
) with (fillfactor = 50);
comment on table fleet.devices is 'GPUs, and per node one row of kind ram: the host''s memory.';
comment on column fleet.devices.node_id is 'Its node.';
comment on column fleet.devices.idx is 'NVML index; -1 for host memory.';
comment on column fleet.devices.uuid is 'The device''s own name for itself.';
comment on column fleet.devices.kind is 'gpu or ram.';
comment on column fleet.devices.name is 'For people.';
comment on column fleet.devices.total_mib is 'All its memory.';
comment on column fleet.devices.headroom_mib is 'Never handed out.';
comment on column fleet.devices.takes_vram is 'Whether vram_mib of a job may be booked here.';
comment on column fleet.devices.free_mib is 'Free memory in the last sample kept.';
comment on column fleet.devices.sampled_at is 'When that was.';
comment on column fleet.devices.fault is 'Why it takes no work, as its agent found; null: it is well.';
comment on column fleet.devices.fault_since is 'Since when it has one.';

-- What a node's leases have booked, summed, in one row: a claim must not read leases that ended long ago, which an old
-- snapshot keeps in every index. The sums and the leases change in the same statements; a test holds them together.
create table fleet.bookings (
  node_id    bigint primary key references fleet.nodes,
  held       integer not null default 0 check (held >= 0),
  cpu_milli  bigint not null default 0,
  disk_mib   bigint not null default 0,
  idx        integer[] not null default '{}',
  mib        integer[] not null default '{}',
  sample_seq bigint not null default 0,
  request_id uuid,
  check (cardinality(idx) = cardinality(mib))
) with (fillfactor = 20);
comment on table fleet.bookings is 'What the leases of each node have booked. The row a claim locks.';
comment on column fleet.bookings.node_id is 'The node.';
comment on column fleet.bookings.held is 'How many leases.';
comment on column fleet.bookings.cpu_milli is 'CPU of all of them.';
comment on column fleet.bookings.disk_mib is 'Scratch space of all of them.';
comment on column fleet.bookings.idx is 'Devices on which something is booked.';
comment on column fleet.bookings.mib is 'How much on each of these, in the same order.';
comment on column fleet.bookings.sample_seq is 'Of the last sample used in this session; an older one is refused.';
comment on column fleet.bookings.request_id is 'The last claim that was given something: asked again, it gets the same answer.';

create table fleet.sessions (
  session_id  uuid primary key default gen_random_uuid(),
  node_id     bigint not null references fleet.nodes,
  instance    text not null,
  boot        text not null,
  version     text not null,
  kinds       text[] not null,
  slots       integer not null check (slots >= 1),
  secret_hash bytea not null,
  joined_at   timestamptz not null default fleet.now(),
  ended_at    timestamptz,
  end_reason  text
);
create unique index sessions_one_live_per_node on fleet.sessions (node_id) where ended_at is null;
comment on table fleet.sessions is 'One row per boot of an agent.';
comment on column fleet.sessions.session_id is 'Key.';
comment on column fleet.sessions.node_id is 'Its node.';
comment on column fleet.sessions.instance is 'Of the agent''s state folder: a restart has the same, a second machine another.';
comment on column fleet.sessions.boot is 'pid and start time of the agent.';
comment on column fleet.sessions.version is 'Of the agent.';
comment on column fleet.sessions.kinds is 'What it can run.';
comment on column fleet.sessions.slots is 'Most jobs at once.';
comment on column fleet.sessions.secret_hash is 'sha256 of the secret join gave out.';
comment on column fleet.sessions.joined_at is 'Start.';
comment on column fleet.sessions.ended_at is 'End; null while it lasts.';
comment on column fleet.sessions.end_reason is 'left, rejoined or silent.';

create table fleet.session_beats (
  session_id uuid primary key,
  beat_at    timestamptz not null
) with (fillfactor = 20);
comment on table fleet.session_beats is 'The last heartbeat of each live session, and nothing else.';
comment on column fleet.session_beats.session_id is 'The session.';
comment on column fleet.session_beats.beat_at is 'Last heartbeat.';

create table fleet.idle_sessions (
  session_id uuid primary key,
  joined_at  timestamptz not null,
  told_at    timestamptz,
  warm       text[]
);
create index idle_sessions_by_joined on fleet.idle_sessions (joined_at) where told_at is null;
create index idle_sessions_warm on fleet.idle_sessions (joined_at) where told_at is null and warm is not null;
create index idle_sessions_told on fleet.idle_sessions (told_at) where told_at is not null;
comment on table fleet.idle_sessions is 'Sessions that found nothing and sleep: the ones wake may notify.';
comment on column fleet.idle_sessions.session_id is 'The session.';
comment on column fleet.idle_sessions.joined_at is 'Since when the session lives: the oldest is woken first.';
comment on column fleet.idle_sessions.told_at is 'When it was woken: it is on its way to claim; null: it sleeps.';
comment on column fleet.idle_sessions.warm is 'Models that rest loaded there: it is woken before others for work of theirs; null: none.';

create table fleet.node_health (
  node_id bigint primary key references fleet.nodes,
  failing uuid[] not null default '{}'
);
comment on table fleet.node_health is 'Jobs that failed on a node in a row, without a success between (I8).';
comment on column fleet.node_health.node_id is 'The node.';
comment on column fleet.node_health.failing is 'Different jobs; from three on the node gets one job at a time.';

create table fleet.reaper (
  one         boolean primary key default true check (one),
  ran_at      timestamptz,
  grace_until timestamptz,
  alarm_since timestamptz,
  alarm       text
);
comment on table fleet.reaper is 'One row: when the reaper last ran, and why it holds back (I6).';
comment on column fleet.reaper.one is 'Always true.';
comment on column fleet.reaper.ran_at is 'Last run.';
comment on column fleet.reaper.grace_until is 'After an absence of its own or of the database: nothing is reaped before.';
comment on column fleet.reaper.alarm_since is 'Since when too much of the fleet is silent; null: all is well.';
comment on column fleet.reaper.alarm is 'For people.';
insert into fleet.reaper default values;
