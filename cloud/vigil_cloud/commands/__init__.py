"""What an operator types: one file per subject, each with ``add(commands, common)``.

A subject imports what it runs inside its functions, so that ``--help`` loads no database.
"""
