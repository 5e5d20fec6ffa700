"""Arrays and maps of the module ``irods_types``: text that is no ``str``, and what structures hold several of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


class char_array:  # noqa: N801  the plugin's name
    """A fixed-size ``char[]``: indexing gives one character, ``str()`` the text up to the first NUL."""

    def __init__(self, text: str = "", size: int | None = None) -> None:
        self._text = text.split("\0", 1)[0]
        self._size = len(self._text) + 1 if size is None else max(size, len(self._text) + 1)

    def __str__(self) -> str:
        return self._text

    def __len__(self) -> int:
        return self._size

    def _index(self, index: Any) -> int:
        if not isinstance(index, int):
            raise TypeError("Invalid index type")
        index = index + self._size if index < 0 else index
        if not 0 <= index < self._size:
            raise IndexError("Index out of range")
        return index

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return char_array(self._padded()[index], None)
        return self._padded()[self._index(index)]

    def __setitem__(self, index: int, value: str) -> None:
        padded = list(self._padded())
        padded[self._index(index)] = value
        self._text = "".join(padded).split("\0", 1)[0]

    def __delitem__(self, index: int) -> None:
        raise TypeError("Cannot delete array item")

    def __contains__(self, value: object) -> bool:
        return value in list(self._padded())

    def __iter__(self) -> Iterator[str]:
        return iter(self._padded())

    def _padded(self) -> str:
        return self._text + "\0" * (self._size - len(self._text))


class c_string(char_array):  # noqa: N801
    """A NUL-terminated ``char *``; its length counts the NUL, as the plugin does."""


class _Array(Sequence[Any]):
    """An array of structures: indexing and length only."""

    def __init__(self, items: Sequence[Any] = ()) -> None:
        self._items = list(items)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        try:
            return type(self)(self._items[index]) if isinstance(index, slice) else self._items[index]
        except IndexError:
            raise IndexError("Index out of range") from None

    def __setitem__(self, index: int, value: Any) -> None:
        self._items[index] = value


class c_string_array(_Array):  # noqa: N801
    """An array of ``c_string``."""


class int_array(_Array):  # noqa: N801
    """An array of int."""


class SqlResult_array(_Array):  # noqa: N801
    """The columns of a ``GenQueryOut``."""


class MsParam_pointer_array(_Array):  # noqa: N801
    """The parameters of an ``MsParamArray``."""


class StringToStringMap:
    """A C++ string map; a missing key reads as ''."""

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        self._items = dict(items or {})

    def __getitem__(self, key: str) -> str:
        return self._items.get(key, "")
