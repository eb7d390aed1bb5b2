"""Build the documentation as a site in var/site; every broken link or anchor is an error.

    python -m scripts.docs
    python -m scripts.docs --serve [port]     and serve it at http://localhost:8002/

The pages are the repository's Markdown files, in the order of docs/index.md, and those of scripts/reference.py.
"""

import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts import reference

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "var/site"
HOME = '<!doctype html><meta http-equiv="refresh" content="0; url=docs/index.html"><title>Artisans Alley</title>\n'
PORT = "8002"


def main(*options: str) -> int:
    done = build()
    if not done and "--serve" in options:
        serve(int((*options, PORT)[1]))
    return done


def build() -> int:
    """Returns Sphinx's exit status."""
    reference.write_all()
    # All pages are read anew (-E): a page that was read before reports its warnings no more.
    argv = ("-W", "--keep-going", "-E", "-q", "-c", "docs", "-d", "var/doctrees", ".", SITE)
    done = subprocess.run([sys.executable, "-m", "sphinx", *argv], cwd=ROOT, check=False)
    (SITE / "index.html").write_text(HOME)
    return done.returncode


def serve(port: int) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"http://localhost:{port}/ (Ctrl-C stops it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
