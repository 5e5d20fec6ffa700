"""The delay server: runs what rules and clients put into the queue."""
