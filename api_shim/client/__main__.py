"""``python -m api_shim.client``: the command ``sluice``."""

from api_shim.client.command import main

main()
