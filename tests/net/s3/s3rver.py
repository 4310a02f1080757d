#!/usr/bin/env python3
"""Runs a command beside a second S3 server, npm's @20minutes/s3rver, which checks signatures by code of its own.

usage: s3rver.py COMMAND...   returns the status of the command, or 77 if the server is not installed

`npm install --prefix build/tests @20minutes/s3rver@4.0.4` installs it; `npm install -g` does, too. The command gets the
variables TENSORTAP_S3RVER_ENDPOINT (http://127.0.0.1:PORT), TENSORTAP_S3RVER_BUCKET (an empty bucket), and the keys.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SERVER = """
const S3rver = require(process.argv[1]);
const server = new S3rver({ address: '127.0.0.1', port: 0, silent: true, directory: process.argv[2],
                            configureBuckets: [{ name: 'second', configs: [] }] });
server.run().then(at => console.log(at.port));
process.stdin.resume().on('end', () => process.exit(0));  // with the test
"""


def module():
    """The folder of the server; None if it is not installed."""
    places = [Path(__file__).resolve().parents[3] / "build/tests/node_modules"]
    if shutil.which("npm"):
        places.append(Path(subprocess.run(["npm", "root", "-g"], capture_output=True, text=True).stdout.strip()))
    return next((p / "@20minutes/s3rver" for p in places if (p / "@20minutes/s3rver/package.json").exists()), None)


def main():
    at = module()
    if at is None or shutil.which("node") is None:
        print("s3rver.py: @20minutes/s3rver is not installed", file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(["node", "-e", SERVER, str(at), directory], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        try:
            port = server.stdout.readline().strip()
            if not port:
                print("s3rver.py: the server does not start", file=sys.stderr)
                return 1
            return subprocess.run(sys.argv[1:], env=os.environ | {
                "TENSORTAP_S3RVER_ENDPOINT": f"http://127.0.0.1:{port}", "TENSORTAP_S3RVER_BUCKET": "second",
                "AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": "S3RVER"}).returncode
        finally:
            server.stdin.close()
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
