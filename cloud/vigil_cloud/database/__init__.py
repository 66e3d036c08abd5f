"""The relational store: engines, migrations, the write gate."""
