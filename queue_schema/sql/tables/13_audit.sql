-- What operators did, written in the same transaction as the act.
create table fleet.audit (
  audit_id  bigint generated always as identity primary key,
  at        timestamptz not null default fleet.now(),
  login     text not null,
  key_id    uuid,
  act       text not null,
  said      jsonb not null
);
comment on table fleet.audit is 'What operators did: kept for ever, written by the verb itself.';
comment on column fleet.audit.audit_id is 'Key, in order.';
comment on column fleet.audit.at is 'When.';
comment on column fleet.audit.login is 'Who was logged in to the database: the API''s login for what came through it.';
comment on column fleet.audit.key_id is 'The API key that asked; null: nobody did through the API.';
comment on column fleet.audit.act is 'The verb.';
comment on column fleet.audit.said is 'Its arguments; never a secret.';
