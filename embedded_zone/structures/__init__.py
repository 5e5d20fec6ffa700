"""The structures that policies see as ``irods_types``: what the catalogue, the objects and the rules hand to hooks."""
