"""What a rule wrote to its client: the two streams of ``ruleExecOut``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# appendToByteBuf allocates five MAX_NAME_LEN more than it needs and the whole buffer is sent, NULs included.
SLACK = 5 * 1088


@dataclass
class _Stream:
    """One growing buffer with the real server's allocation, whose size the client sees."""

    data: bytes = b""
    allocated: int = 0

    def append(self, text: str) -> None:
        self.data += text.encode("utf-8", "surrogateescape")
        if not self.allocated or len(self.data) >= self.allocated:
            self.allocated = len(self.data) + 1 + SLACK

    def wire(self) -> dict[str, Any]:
        return {"buflen": self.allocated, "buf": self.data.ljust(self.allocated, b"\0")}


@dataclass
class Output:
    """The streams of an ``ExecCmdOut``: writeLine and writeString fill them, msiExecCmd too."""

    stdout: _Stream = field(default_factory=_Stream)
    stderr: _Stream = field(default_factory=_Stream)
    status: int = 0

    def write(self, stream: str, text: str) -> None:
        """Append to 'stdout' or 'stderr'."""
        (self.stdout if stream == "stdout" else self.stderr).append(text)

    def wire(self) -> dict[str, Any]:
        """As ExecCmdOut_PI; both buffers have the same field name there, hence the list."""
        return {"BinBytesBuf_PI": [self.stdout.wire(), self.stderr.wire()], "status": self.status}
