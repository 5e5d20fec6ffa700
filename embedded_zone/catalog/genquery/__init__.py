"""GenQuery1: the query language of API 702, as iRODS's ``general_query.cpp`` answers it."""

from embedded_zone.catalog.genquery.columns import COLUMN_NAMES, COLUMNS
from embedded_zone.catalog.genquery.engine import Statements, execute

__all__ = ["COLUMNS", "COLUMN_NAMES", "Statements", "execute"]
