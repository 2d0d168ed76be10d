"""Names of records, and which values a viewer may see."""
