"""The engine as Celery runs it."""
