"""What a request to stage may say."""

from __future__ import annotations

import pytest

from python_rules.jobs.errors import RequestError
from python_rules.jobs.model import from_json

INTO = {"operation": "stage", "source": "hpc:run", "target": "/tempZone/home/alice/run"}
OUT = {"operation": "stage", "source": "/tempZone/home/alice/run", "target": "hpc:run"}
WITHIN = {"operation": "stage", "source": "/tempZone/home/alice/run", "target": "/tempZone/home/alice/other"}


def test_a_key_may_go_with_decoding_what_a_system_holds() -> None:
    """No metadata name it there; nothing is encrypted under it."""
    request = from_json({**INTO, "decode": True, "key": "lab"})

    assert (request.key, request.encryption) == ("lab", "")


def test_the_preset_goes_by_the_direction() -> None:
    """Into the zone compress and encrypt, out of it decode."""
    into, out = from_json({**INTO, "preset": "lexis", "key": "lab"}), from_json({**OUT, "preset": "lexis"})

    assert (into.compression, into.encryption, into.decode) == ("zstd", "aes256-gcm", False)
    assert (out.compression, out.encryption, out.decode) == ("", "", True)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({**OUT, "decode": True, "key": "lab"}, "key"),
        ({**INTO, "decode": True, "compression": "zstd"}, "compression"),
        ({**WITHIN, "pack": True}, "pack"),
        ({**INTO, "pack": True, "delete_extra": True}, "delete_extra"),
    ],
)
def test_what_does_not_go_together_is_refused(request_: dict[str, object], field: str) -> None:
    """The error names the field and says what to do."""
    with pytest.raises(RequestError) as caught:
        from_json(request_)

    assert caught.value.field == field
    assert caught.value.remedy
