"""Microservices: what rules of either language call by name once no engine has a rule of that name."""

from embedded_zone.rules.microservices import (  # noqa: F401  imported for their registrations
    collections,
    data_objects,
    metadata,
    policy,
    query,
    system,
    texts,
    unsupported,
)
from embedded_zone.rules.microservices.registry import MICROSERVICES, Call, run_microservice

__all__ = ["MICROSERVICES", "Call", "run_microservice"]
