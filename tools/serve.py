"""Show the built site: python tools/serve.py [port]"""

import os
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SITE = Path(__file__).resolve().parents[1] / "_build" / "html"


class Handler(SimpleHTTPRequestHandler):
    """Scripts are called scripts, whatever the system's table of types says."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
    }


class Server(ThreadingHTTPServer):
    allow_reuse_address = os.name != "nt"  # there, two servers would share a port


def main(port: str = "8000") -> None:
    if not (port.isdecimal() and 0 < int(port) < 65536):
        sys.exit(f"PORT must be a number from 1 to 65535, got {port!r}")
    try:
        server = Server(("127.0.0.1", int(port)), partial(Handler, directory=str(SITE)))
    except OSError as error:
        sys.exit(
            f"Port {port} cannot be had ({error.strerror}). Try another: PORT=8001"
        )
    print(f"Serving http://localhost:{port}, stop with Ctrl-C", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main(*sys.argv[1:])
