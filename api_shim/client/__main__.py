"""``python -m api_shim.client``: the command ``sluice``."""

from api_shim.client.command import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
