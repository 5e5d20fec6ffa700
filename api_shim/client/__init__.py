"""A client of the shim: ``SluiceClient`` for programs, ``sluice`` for people."""

from api_shim.client.http import SluiceClient, SluiceError

__all__ = ["SluiceClient", "SluiceError"]
