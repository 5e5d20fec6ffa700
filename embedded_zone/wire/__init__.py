"""iRODS's wire protocol without I/O: frames, pack instructions, both body protocols, error numbers, scrambling."""
