"""A server that speaks the iRODS protocol on one machine, for developing and testing rule policies."""

__version__ = "0.1.0"
