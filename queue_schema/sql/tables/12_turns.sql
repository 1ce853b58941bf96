-- Not advisory locks: those may be taken by whoever can log in, and kept.
create table fleet.turns (
  name text primary key
);
insert into fleet.turns (name) values ('learn'), ('reserve'), ('rehearse'), ('partitions'), ('rank');
comment on table fleet.turns is 'Rounds that one process at a time may do: whoever has locked the row has its turn.';
comment on column fleet.turns.name is 'Key.';
