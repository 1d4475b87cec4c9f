"""What plans cost: read, judged, compared and committed; and what a ledger with a million airings still answers at once."""
