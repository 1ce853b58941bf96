"""Whether this host's login opens the database, as what it should be; the address comes by stdin, for nobody to see."""

import sys

import psycopg

url, role, connections = sys.stdin.read().split("\n")[:3]
try:
    with psycopg.connect(url, connect_timeout=10) as conn:
        row = conn.execute(
            "select rolconnlimit, pg_has_role(session_user, %s, 'member') from pg_roles where rolname = session_user",
            (role,),
        ).fetchone()
except psycopg.Error as exc:
    sys.exit(str(exc))
if row != (int(connections), True):
    sys.exit(f"its limit of connections is {row and row[0]}, or it is no member of {role}")
