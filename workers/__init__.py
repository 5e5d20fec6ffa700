"""Celery: forwards requests into a zone, watches its jobs. Tasks hold no data and no secret."""
