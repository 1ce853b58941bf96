"""How Alembic reaches the database: a connection handed in by `queue_schema.migrate`, or ARGOSY_DATABASE_URL."""

import os

from sqlalchemy import Connection

from alembic import context
from queue_schema.migrate import engine

VERSION_TABLE = "fleet_version"


def _run(connection: Connection) -> None:
    context.configure(connection=connection, version_table=VERSION_TABLE, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    """Run the migrations Alembic was asked for."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _run(connection)
        return
    with engine(os.environ["ARGOSY_DATABASE_URL"]).connect() as connection:
        _run(connection)


main()
