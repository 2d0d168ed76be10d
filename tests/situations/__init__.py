"""Which situation has which outcome, asked of the code itself: what ``docs/situations.md`` is made of."""
