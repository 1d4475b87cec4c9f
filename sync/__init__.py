"""The engine: signals in, decisions, a ledger, tweets out, and an account of what happened.

Import the module you need: `sync.client` (talk to a running engine), `sync.ledger` (its database),
`sync.engine` (run it), `sync.posting` (the port to the network). Nothing is imported here, so that
a listener that needs only the client does not load the database and the publisher.
"""
