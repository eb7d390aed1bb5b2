"""Read by the shop's processes at their start: packages of the tools, and optional ones, are not installed for them.

The shop's own packages would import these where they are, which takes a tenth of the CPU time of a start, and the shop
could use them unnoticed.
"""

import sys

ABSENT = ("anyio", "docutils", "greenlet", "httpx", "jinja2", "opentelemetry", "psutil", "pygments", "rich")
sys.modules.update(dict.fromkeys(ABSENT))  # type: ignore[arg-type]  # None: importing it fails
