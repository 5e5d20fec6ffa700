"""``python -m workers``."""

import sys

from workers.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
