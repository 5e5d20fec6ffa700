"""The operations and methods that a request may name; what they do is in ``engine``.

A row here and a row in the engine's table make a method; a test holds the two tables together.
"""

from __future__ import annotations

from typing import Dict, NamedTuple, Optional, Tuple

COMPRESS, DECOMPRESS, ENCRYPT, DECRYPT = "compress", "decompress", "encrypt", "decrypt"
REKEY = "rekey"
STAGE = "stage"
DUPLICATE, REPLICATE, DELETE, VERIFY, SIZE = "duplicate", "replicate", "delete", "verify", "size"
NONE = "none"
AUTO = "auto"  # chosen for each object by a sample of it: zstd, or none


# Fields of a request that go with some operations only.
DECODES = ("target", "existing", "original", "pack", "replica")
CONVERTS = (*DECODES, "suffix")
STAGES = ("decode", "include", "exclude", "links", "delete_extra", "preset")


class Operation(NamedTuple):
    """An operation: the transforms it makes, in the order in which plain data meets them.

    ``takes`` are the fields that go with it (of those that do not go with all), ``needs`` those it cannot do without.
    """

    steps: Tuple[str, ...]
    does: str
    takes: Tuple[str, ...] = CONVERTS
    needs: Tuple[str, ...] = ()

    @property
    def encodes(self) -> bool:
        """Whether the operation goes from plain to encoded data."""
        return self.steps[0] in (COMPRESS, ENCRYPT)

    @property
    def only_looks(self) -> bool:
        """Whether the operation changes nothing in the zone, and so needs no right but to read."""
        return self.steps[0] in (VERIFY, SIZE)


OPERATIONS: Dict[str, Operation] = {
    "compress": Operation((COMPRESS,), "compress each object"),
    "decompress": Operation((DECOMPRESS,), "restore what compress made", DECODES),
    "encrypt": Operation((ENCRYPT,), "encrypt each object under a named key"),
    "decrypt": Operation((DECRYPT,), "restore what encrypt made", DECODES),
    "compress_encrypt": Operation((COMPRESS, ENCRYPT), "compress, then encrypt, in one pass"),
    "decrypt_decompress": Operation((DECRYPT, DECOMPRESS), "decrypt, then decompress, in one pass", DECODES),
    REKEY: Operation((REKEY,), "seal again in place, under a key's present version, what is under an older one", ()),
    STAGE: Operation(
        (STAGE,),
        "copy or move between the zone and a system (name:path), with transforms on the way",
        ("target", "existing", "original", "pack", "suffix", *STAGES),
        ("target",),
    ),
    DUPLICATE: Operation(
        (DUPLICATE,), "copy with metadata and access rights", ("target", "existing", "replica"), ("target",)
    ),
    REPLICATE: Operation(
        (REPLICATE,), "see that a good replica is on a resource, or a copy elsewhere", ("replica",), ("replica",)
    ),
    DELETE: Operation((DELETE,), "move to the trash, or remove", ("original",)),
    VERIFY: Operation((VERIFY,), "compute checksums and decode again, and compare with what is recorded", ()),
    SIZE: Operation((SIZE,), "count objects and bytes, plain and stored", ()),
}


class Method(NamedTuple):
    """A public format: its name suffix, and its levels (lowest, default, highest) if it has any."""

    suffix: str
    levels: Optional[Tuple[int, int, int]]
    read_by: str


COMPRESSIONS: Dict[str, Method] = {
    "zstd": Method(".zst", (1, 3, 19), "zstd"),
    "gzip": Method(".gz", (0, 1, 3), "gzip, zcat"),
    AUTO: Method("", (1, 3, 19), "zstd, or anything: what does not shrink is left as it is"),
    NONE: Method("", None, "anything: the data as they are"),
    "bgzf": Method(".gz", (0, 1, 3), "htslib (bgzip, tabix), gzip, zcat"),
}

ENCRYPTIONS: Dict[str, Method] = {
    "aes256-gcm": Method(".tink", None, "Google Tink, AES256_GCM_HKDF_1MB streaming AEAD"),
    "openssl-ctr": Method(".enc", None, "openssl enc -aes-256-ctr -pbkdf2 -iter 1000, as LEXIS; NOT AUTHENTICATED"),
    "openssl-cbc": Method(".cbc", None, "openssl enc -aes-256-cbc -pbkdf2; NOT AUTHENTICATED"),
    "crypt4gh": Method(".c4gh", None, "the crypt4gh tool, htslib's plug-in, EGA; its end can be cut off unnoticed"),
}

EXISTING = ("refuse", "skip", "replace")
LINKS = ("refuse", "skip", "keep")  # what becomes of symbolic links
PRESETS = ("lexis",)  # into the zone: compress and encrypt; out of it: decrypt and decompress
ORIGINAL = ("keep", "trash", "remove")
DOORS = ("rest", "rule", "hook", "federation")
