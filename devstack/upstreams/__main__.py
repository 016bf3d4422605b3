"""Command line: ``python -m devstack.upstreams --port 8123 [--host 127.0.0.1] [--s3 http://127.0.0.1:5000]``."""

from __future__ import annotations

import argparse
import sys

from devstack.upstreams.server import PortTakenError, listen, server, url


def main() -> int:
    """Print the base URL when the port is open, and serve until interrupted; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devstack.upstreams", description="Sample upstream APIs.")
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 lets the system choose")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--s3", help="URL of the S3 server that the tills deliver files to")
    arguments = parser.parse_args()
    try:
        listener = listen(arguments.host, arguments.port)
    except PortTakenError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"sample upstreams: {url(listener)}/about", flush=True)
    server(arguments.s3).run([listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
