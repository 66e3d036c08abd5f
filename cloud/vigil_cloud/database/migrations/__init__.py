"""Alembic's migrations; run by ``vigil_cloud.database.migrate``, never by hand."""
