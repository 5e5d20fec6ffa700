"""Frames: a length, a header, and the three parts that it announces. No I/O.

4 bytes   big-endian length of the header
header    <MsgHeader_PI>…</MsgHeader_PI>, always XML
msg       msgLen bytes: the packed structure
error     errorLen bytes: RError_PI, in replies only
bs        bsLen bytes: file content and other bulk data, never packed
"""

from __future__ import annotations

from dataclasses import dataclass

from embedded_zone.wire import codes
from embedded_zone.wire.packing import PackError, Protocol, pack, unpack

# Types of a header.
CONNECT = "RODS_CONNECT"
NEGOTIATION = "RODS_CS_NEG_T"
VERSION = "RODS_VERSION"
API_REQUEST = "RODS_API_REQ"
API_REPLY = "RODS_API_REPLY"
DISCONNECT = "RODS_DISCONNECT"
RECONNECT = "RODS_RECONNECT"
HEARTBEAT = "RODS_HEARTBEAT"

LENGTH_BYTES = 4
MAX_HEADER = 1088  # MAX_NAME_LEN, what a real server accepts
MAX_MESSAGE = 256 << 20  # of msg and of error; a structure is never near this
MAX_STREAM = (1 << 31) - 1  # bsLen is a signed 32-bit integer


class FrameError(PackError):
    """The bytes are not an iRODS frame, or announce more than any peer would send."""


@dataclass(frozen=True, slots=True)
class Header:
    """The announcement of a frame; ``int_info`` is the API number of a request, the status of a reply."""

    type: str
    msg_len: int = 0
    error_len: int = 0
    bs_len: int = 0
    int_info: int = 0


@dataclass(slots=True)
class Frame:
    """One message of either side."""

    type: str
    msg: bytes = b""
    error: bytes = b""
    bs: bytes | memoryview = b""
    int_info: int = 0


def header_length(prefix: bytes) -> int:
    """The header's length from the first four bytes; raises FrameError if no header has that length."""
    length = int.from_bytes(prefix[:LENGTH_BYTES], "big", signed=True)
    if not 0 < length <= MAX_HEADER:
        raise FrameError(f"header of {length} bytes", codes.SYS_HEADER_READ_LEN_ERR)
    return length


def parse_header(data: bytes) -> Header:
    """A header's content; raises FrameError for what is not one, or for lengths out of range."""
    try:
        value = unpack("MsgHeader_PI", data, Protocol.XML_PROT)
    except PackError as error:
        raise FrameError(error.message, codes.SYS_HEADER_READ_LEN_ERR) from None
    return Header(value["type"], value["msgLen"], value["errorLen"], value["bsLen"], value["intInfo"])


def check_lengths(header: Header, max_message: int = MAX_MESSAGE, max_stream: int = MAX_STREAM) -> None:
    """Raise FrameError if a frame announces more than it may (an unauthenticated peer may little)."""
    for length, most in ((header.msg_len, max_message), (header.error_len, max_message), (header.bs_len, max_stream)):
        if not 0 <= length <= most:
            raise FrameError(f"{header.type}: {length} bytes announced, at most {most}", codes.SYS_HEADER_READ_LEN_ERR)


def encode_header(header: Header) -> bytes:
    """The length and the header as they travel."""
    text = (
        f"<MsgHeader_PI>\n<type>{header.type}</type>\n<msgLen>{header.msg_len}</msgLen>\n"
        f"<errorLen>{header.error_len}</errorLen>\n<bsLen>{header.bs_len}</bsLen>\n"
        f"<intInfo>{header.int_info}</intInfo>\n</MsgHeader_PI>\n"
    ).encode("ascii")
    return len(text).to_bytes(LENGTH_BYTES, "big") + text


def encode(frame: Frame) -> list[bytes | memoryview]:
    """The buffers of a frame in order, none of them copied; empty ones are left out."""
    header = Header(frame.type, len(frame.msg), len(frame.error), len(frame.bs), frame.int_info)
    return [encode_header(header), *(part for part in (frame.msg, frame.error, frame.bs) if len(part))]


def body(name: str, value: object) -> bytes:
    """A structure of the handshake (startup pack, negotiation, version), which is always XML."""
    return pack(name, value, Protocol.XML_PROT)


class Decoder:
    """Frames from a byte stream cut anywhere; keeps what is not yet a whole frame."""

    def __init__(self, max_message: int = MAX_MESSAGE, max_stream: int = MAX_STREAM) -> None:
        self._buffer = bytearray()
        self._header: Header | None = None
        self._limits = (max_message, max_stream)

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """The frames that ``data`` completes; raises FrameError, after which the stream is unusable."""
        self._buffer += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    @property
    def idle(self) -> bool:
        """Whether the stream stands between two frames."""
        return not self._buffer and self._header is None

    def _next(self) -> Frame | None:
        header = self._header or self._take_header()
        if header is None:
            return None
        self._header = header
        if len(self._buffer) < header.msg_len + header.error_len + header.bs_len:
            return None
        self._header = None
        return Frame(
            header.type,
            self._take(header.msg_len),
            self._take(header.error_len),
            self._take(header.bs_len),
            header.int_info,
        )

    def _take_header(self) -> Header | None:
        if len(self._buffer) < LENGTH_BYTES:
            return None
        length = header_length(bytes(self._buffer[:LENGTH_BYTES]))
        if len(self._buffer) < LENGTH_BYTES + length:
            return None
        header = parse_header(self._take(LENGTH_BYTES + length)[LENGTH_BYTES:])
        check_lengths(header, *self._limits)
        return header

    def _take(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data
