"""Runs migrations on the connection, and inside the transaction, that `sync.database` hands over."""

from alembic import context

from sync.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
