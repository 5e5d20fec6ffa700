"""Sluice's policies: what an iRODS server's Python rule engine loads, and the engine that does the work."""
