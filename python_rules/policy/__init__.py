"""Decisions: facts in, verdict out; no I/O."""
