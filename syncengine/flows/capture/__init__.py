"""From vendors into the ledger: listings, feeds, notices and single reads become rows."""
