"""The schema `fleet`, version 1 of the contract: roles, tables, functions, views, grants."""

import psycopg

from alembic import op
from queue_schema import sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make everything in one transaction.

    Through the driver's own connection: SQLAlchemy would take `:word` in a function body for a parameter.
    """
    driver = op.get_bind().connection.dbapi_connection
    assert isinstance(driver, psycopg.Connection)
    driver.execute("set local check_function_bodies = off")
    for _, text in sql.statements():
        driver.execute(text.encode())
    driver.execute("select fleet.make_partitions_v1(14)")


def downgrade() -> None:
    """Drop it. The roles stay: they belong to the server and other databases may use them."""
    op.execute("drop schema fleet cascade")
