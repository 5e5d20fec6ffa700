"""The operations on objects that are no conversions; ``table`` tells which code does which.

Staging within the zone uses some of them, and the table knows staging: so nothing is imported here.
"""
