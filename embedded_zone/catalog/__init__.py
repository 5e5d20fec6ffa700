"""The zone's catalogue: iRODS's tables in one SQLite file, and the query languages over them."""
