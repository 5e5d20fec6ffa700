"""Frames whole, byte by byte, and broken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded_zone.wire import codes
from embedded_zone.wire.frame import API_REPLY, API_REQUEST, Decoder, Frame, FrameError, encode

FRAMES = st.builds(
    Frame,
    st.sampled_from([API_REQUEST, API_REPLY, "RODS_DISCONNECT"]),
    st.binary(max_size=60),
    st.binary(max_size=20),
    st.binary(max_size=200),
    st.integers(-(1 << 31), (1 << 31) - 1),
)


def _bytes(*frames: Frame) -> bytes:
    return b"".join(bytes(part) for frame in frames for part in encode(frame))


@given(st.lists(FRAMES, max_size=4), st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_frames_survive_any_cut(frames: list[Frame], step: int) -> None:
    """A stream cut into pieces of any size gives the same frames."""
    decoder, data = Decoder(), _bytes(*frames)
    found = [f for i in range(0, len(data), step) for f in decoder.feed(data[i : i + step])]
    assert found == frames
    assert decoder.idle


def test_frames_survive_single_bytes() -> None:
    """Nothing depends on where a stream is cut."""
    frames = [Frame(API_REQUEST, b"<a/>", b"", bytes(range(256)), 675), Frame(API_REPLY, int_info=-808000)]
    decoder = Decoder()
    assert [f for byte in _bytes(*frames) for f in decoder.feed(bytes([byte]))] == frames


@pytest.mark.parametrize("length", [0, -1, 1089, 0x7FFFFFFF])
def test_header_lengths_out_of_range_are_refused(length: int) -> None:
    """No header is empty, negative or larger than a real server accepts."""
    with pytest.raises(FrameError) as caught:
        Decoder().feed(length.to_bytes(4, "big", signed=True))
    assert caught.value.code == codes.SYS_HEADER_READ_LEN_ERR


@pytest.mark.parametrize("header", [b"GET / HTTP/1.1", b"<MsgHeader_PI>", b"\0" * 30])
def test_what_is_no_header_is_refused(header: bytes) -> None:
    """Other protocols and noise end in an error."""
    with pytest.raises(FrameError):
        Decoder().feed(len(header).to_bytes(4, "big") + header)


@pytest.mark.parametrize(
    ("field", "value"), [("msgLen", "-1"), ("msgLen", "300000000"), ("bsLen", "2147483648"), ("errorLen", "-5")]
)
def test_announced_lengths_out_of_range_are_refused(field: str, value: str) -> None:
    """Nothing is allocated for a frame that announces too much or less than nothing."""
    text = _bytes(Frame(API_REQUEST))[4:].decode()
    text = text.replace(f"<{field}>0<", f"<{field}>{value}<")
    with pytest.raises(FrameError):
        Decoder().feed(len(text).to_bytes(4, "big") + text.encode())


def test_strangers_may_announce_little() -> None:
    """The limits of a decoder are its caller's choice."""
    with pytest.raises(FrameError):
        Decoder(max_message=10, max_stream=0).feed(_bytes(Frame(API_REQUEST, bs=b"x")))
