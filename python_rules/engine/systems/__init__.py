"""What jobs stage from and to, beside the zone: one interface, ``place.Place``, and a class for each type."""
