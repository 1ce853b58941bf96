"""The contract every program of Argosy meets in: vocabulary, tables, SQL functions, one typed call each.

`states`, `errors` and `shapes` need the standard library and msgspec only; `calls` needs psycopg;
`reads` and `tables` need SQLAlchemy; `migrate` needs Alembic.
"""
