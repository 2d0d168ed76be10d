"""From rows to decisions: who is who, what each field is to be, what is to be written."""
