-- Files and words of a project that are to be gone for good, and the proof of it. The steps are functions/erasures.sql.
create table fleet.erasures (
  erasure_id uuid primary key default gen_random_uuid(),
  project_id uuid not null references fleet.projects,
  key_id     uuid,
  asked      jsonb not null,
  asked_at   timestamptz not null,
  state      text not null default 'finding' check (state in ('finding', 'ending', 'wiping', 'removing', 'done')),
  wiped_to   uuid,
  jobs       bigint not null default 0,
  cancelled  bigint not null default 0,
  files      bigint not null default 0,
  bytes      bigint not null default 0,
  shared     bigint not null default 0,
  schedules  bigint not null default 0,
  digest     text,
  wiped_at   timestamptz,
  stored_at  timestamptz,
  done_at    timestamptz
);
create index erasures_open on fleet.erasures (asked_at) where state <> 'done';
create unique index erasures_asked on fleet.erasures (project_id, md5(asked::text)) where state <> 'done';
create index erasures_by_project on fleet.erasures (project_id, asked_at desc);
comment on table fleet.erasures is 'Receipts: what was to be gone, and whether it is. Kept for ever.';
comment on column fleet.erasures.erasure_id is 'Key.';
comment on column fleet.erasures.project_id is 'Whose files.';
comment on column fleet.erasures.key_id is 'The API key that asked.';
comment on column fleet.erasures.asked is '{files: [sha256]}, {tags: {name: text}} or {everything: true}; the names of files go when it is done.';
comment on column fleet.erasures.asked_at is 'When. What is uploaded or submitted later is not meant.';
comment on column fleet.erasures.state is 'finding what is meant; ending jobs that would use it; wiping what they said; removing files; done.';
comment on column fleet.erasures.wiped_to is 'The last job that was wiped.';
comment on column fleet.erasures.jobs is 'Jobs that used or made any of it.';
comment on column fleet.erasures.cancelled is 'Those of them that had not ended.';
comment on column fleet.erasures.files is 'Files that are to go.';
comment on column fleet.erasures.bytes is 'Their size.';
comment on column fleet.erasures.shared is 'Files that were left, since jobs without these tags read them too.';
comment on column fleet.erasures.schedules is 'Schedules that named any of it, and went.';
comment on column fleet.erasures.digest is 'sha256 over the sorted sha256s of the files, one a line, by which somebody who has the list can prove it.';
comment on column fleet.erasures.wiped_at is 'When the last word of these jobs was gone from the database.';
comment on column fleet.erasures.stored_at is 'When the last file was gone from the store.';
comment on column fleet.erasures.done_at is 'When the last node had said that it has nothing of it.';

create table fleet.erasure_files (
  erasure_id uuid not null references fleet.erasures,
  project_id uuid not null,
  sha256     text not null,
  size       bigint not null,
  primary key (erasure_id, sha256)
);
create index erasure_files_by_blob on fleet.erasure_files (project_id, sha256);
comment on table fleet.erasure_files is 'Files of erasures that are under way; a done one keeps only their number and digest.';
comment on column fleet.erasure_files.erasure_id is 'The erasure.';
comment on column fleet.erasure_files.project_id is 'Its project.';
comment on column fleet.erasure_files.sha256 is 'The file.';
comment on column fleet.erasure_files.size is 'In bytes.';

create table fleet.erasure_nodes (
  erasure_id   uuid not null references fleet.erasures,
  node_id      bigint not null references fleet.nodes,
  confirmed_at timestamptz,
  dropped      jsonb,
  waived       text,
  primary key (erasure_id, node_id)
);
create index erasure_nodes_open on fleet.erasure_nodes (node_id) where confirmed_at is null;
comment on table fleet.erasure_nodes is 'Nodes that may have copies: all that had a session when the files went.';
comment on column fleet.erasure_nodes.erasure_id is 'The erasure.';
comment on column fleet.erasure_nodes.node_id is 'The node.';
comment on column fleet.erasure_nodes.confirmed_at is 'When it said that nothing is left, or somebody vouched for it.';
comment on column fleet.erasure_nodes.dropped is 'What it had: {files, models, runners}; null: nobody asked it.';
comment on column fleet.erasure_nodes.waived is 'Why nobody waits for it: the machine is gone, its disk was wiped.';
