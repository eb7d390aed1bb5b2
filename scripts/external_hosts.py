"""Check that pages load nothing from other hosts, such as content delivery networks."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NETWORKS = re.compile(
    r"(?:https?:)?//[\w.-]*(?:\bcdn\b|jsdelivr|unpkg|cdnjs|googleapis|gstatic|bootstrapcdn|jspm|esm\.sh|skypack"
    r"|fontawesome|typekit|cloudflare|jquery)[\w.-]*"
)
LOADS = re.compile(r"""(?:\bsrc=|<link\b[^>]*\bhref=|url\(|@import\s|\bimport\s*\(?)\s*["']?(?:https?:)?//""")


def main() -> int:
    found = 0
    folders = (
        ROOT / "static",
        ROOT / "templates",
        *ROOT.glob("*/templates"),
        *ROOT.glob("artisans/*/templates"),
    )
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.suffix in {".html", ".css", ".js", ".svg", ".mjs", ".map"}:
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                for match in (*NETWORKS.finditer(line), *LOADS.finditer(line)):
                    found += 1
                    print(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
