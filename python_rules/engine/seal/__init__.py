"""Encryption methods, one file for each, and the table that names them. Each is a codec that needs a key."""
