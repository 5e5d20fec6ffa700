"""``python -m api_shim``."""

import sys

from api_shim.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
