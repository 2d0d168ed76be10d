"""Read-only views for people and documents."""
