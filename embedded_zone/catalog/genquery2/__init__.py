"""GenQuery2: the query language of API 10221, as iRODS's ``server/genquery2`` answers it."""

from embedded_zone.catalog.genquery2.columns import COLUMNS
from embedded_zone.catalog.genquery2.engine import execute

__all__ = ["COLUMNS", "execute"]
