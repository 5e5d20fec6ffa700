"""The embedded zone as a tool for others' tests: administration, two federated zones, traces, faults, a pytest plug-in.

The plug-in (``plugin``) needs pytest; everything else the standard library alone.
"""

from embedded_zone.testing.administration import Administration
from embedded_zone.testing.faults import FaultyProxy
from embedded_zone.testing.federated import FederatedZones
from embedded_zone.testing.traces import Trace

__all__ = ["Administration", "FaultyProxy", "FederatedZones", "Trace"]
