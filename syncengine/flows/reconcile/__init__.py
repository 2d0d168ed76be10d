"""From rows to decisions: correlation, merge, plans, and the records that follow from them."""
