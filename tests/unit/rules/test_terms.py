"""Policies as data: what a policy may say, and what it means."""

from __future__ import annotations

import pytest

from python_rules.jobs.errors import RequestError
from python_rules.policy import terms


def test_a_policy_fills_in_what_it_does_not_say() -> None:
    """Results of arrivals replace older ones unless the policy says otherwise."""
    asked = terms.parse('{"operation": "compress", "pattern": "*.csv"}')

    assert asked.request == {"existing": "replace", "operation": "compress"}
    assert asked.patterns == ("*.csv",)


@pytest.mark.parametrize(
    ("name", "size", "meant"),
    [
        ("a.csv", 100, True),
        ("a.csv", None, True),
        ("b.fastq", 100, True),
        ("a.txt", 100, False),
        ("a.csv", 9, False),
        ("a.csv", 101, False),
    ],
)
def test_names_and_sizes_decide(name: str, size: int | None, meant: bool) -> None:
    """Any of the patterns, and both limits, inclusive; an unknown size is left to whoever knows it."""
    asked = terms.parse('{"operation": "compress", "pattern": ["*.csv", "b*"], "smallest": 10, "largest": "100"}')

    assert asked.means(name, size) is meant


def test_none_means_nothing() -> None:
    """A collection can be left out of what is said above it."""
    assert not terms.parse('{"operation": "none"}').means("anything")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[]", "policy"),
        ("nonsense", "policy"),
        ('{"operation": "compress", "objects": []}', "objects"),
        ('{"operation": "compress", "quiet_seconds": "soon"}', "quiet_seconds"),
        ('{"operation": "compress", "target": "/zone/collection/below"}', "target"),
        ('{"operation": "encrypt"}', "key"),
        ('{"operation": "none", "level": 3}', "operation"),
    ],
)
def test_a_wrong_policy_names_its_field(text: str, field: str) -> None:
    """What is wrong is told as for a request."""
    with pytest.raises(RequestError) as caught:
        terms.parse(text)

    assert caught.value.field == field
    assert caught.value.remedy
