"""``python -m devstack.s3``: an S3 server in memory (moto), with the files that a supplier would have put there."""

from __future__ import annotations

import argparse
import signal

import boto3
from moto.server import ThreadedMotoServer

from include.retail.samples import deliver


def main() -> None:
    """Serve until ended; the files are there before the port answers twice."""
    parser = argparse.ArgumentParser(prog="python -m devstack.s3")
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    server = ThreadedMotoServer("127.0.0.1", port)
    server.start()
    keys = {"aws_access_key_id": "sample", "aws_secret_access_key": "sample", "region_name": "us-east-1"}
    deliver(boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **keys))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop()


if __name__ == "__main__":
    main()
