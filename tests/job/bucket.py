"""The objects of a bucket for tests: lists, reads and removes them, signed as AWS Signature Version 4 says.

The variables of tests/net/s3/radosgw name the server and the keys.
"""
import datetime
import hashlib
import hmac
import http.client
import os
import re
import urllib.parse
from xml.sax.saxutils import unescape


class Bucket:
    """One bucket; each call has a connection of its own, so that threads may share this."""

    def __init__(self):
        self.host = urllib.parse.urlsplit(os.environ["TENSORTAP_S3_ENDPOINT"]).netloc
        self.name = os.environ["TENSORTAP_S3_BUCKET"]
        self.region = os.environ["AWS_REGION"]

    def request(self, method, key="", **query):
        path = urllib.parse.quote(f"/{self.name}/{key}" if key else f"/{self.name}")
        query = "&".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in sorted(query.items()))
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        nothing = hashlib.sha256(b"").hexdigest()
        headers = {"host": self.host, "x-amz-content-sha256": nothing, "x-amz-date": now}
        names = ";".join(headers)
        canonical = "\n".join([method, path, query, *(f"{name}:{value}" for name, value in headers.items()), "", names, nothing])
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        secret = b"AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"].encode()
        for part in (now[:8], self.region, "s3", "aws4_request", text):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
                                    f"SignedHeaders={names}, Signature={secret.hex()}")
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path + ("?" + query if query else ""), headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def list(self, prefix):
        """Returns all keys that begin with the prefix."""
        keys, more = [], {}
        while True:
            status, body = self.request("GET", **{"list-type": "2", "prefix": prefix, **more})
            if status != 200:
                raise OSError(f"list: {status} {body[:200]}")
            text = body.decode()
            keys += [unescape(key) for key in re.findall("<Key>(.*?)</Key>", text)]
            token = re.search("<NextContinuationToken>(.*?)</NextContinuationToken>", text)
            if not token:
                return keys
            more = {"continuation-token": unescape(token[1])}

    def get(self, key):
        """Returns the bytes; None if there is no such object."""
        status, body = self.request("GET", key)
        if status == 404:
            return None
        if status != 200:
            raise OSError(f"get {key}: {status} {body[:200]}")
        return body

    def remove(self, key):
        self.request("DELETE", key)
