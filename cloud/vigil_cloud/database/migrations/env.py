"""Alembic's entrance: works on the connection that ``migrate`` hands over."""

from __future__ import annotations

from alembic import context

from vigil_cloud.database.registry import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata(),
    render_as_batch=True,  # SQLite alters a table by making it anew
    compare_type=True,
    transactional_ddl=True,  # SQLite's is, since the driver leaves BEGIN to us
    user_module_prefix="vigil_cloud.database.base.",
)
with context.begin_transaction():
    context.run_migrations()
