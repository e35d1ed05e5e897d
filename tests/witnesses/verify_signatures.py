"""A small cloud that lets a request in only if the official SDK would have signed it the same way.

usage: verify_signatures.py

The keys come from HUAWEICLOUD_SDK_AK, _SK and, if set, _SECURITY_TOKEN. Prints `cloud URL` and
serves on loopback:

  GET /v1.0/{project_id}/clusters/{cluster_id}/vpcepservice/connections
      The SDK's own signer signs the request again, as it came, over the headers that its
      Authorization names. If it comes to the same Authorization: 200 with a page of connections.
      Every cluster has the same 1,003; 1,000 are accepted, and 3, which only a second page holds,
      are rejected. If not: 401 APIGW.0301.
  GET /__verdict
      {"accepted": 2, "rejected": 0, "reasons": [], "paths": ["/v1.0/…?limit=1000&offset=0", …]}
"""

import json
import os
import re
import threading
import uuid
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

ACCESS_KEY = os.environ["HUAWEICLOUD_SDK_AK"]
SECRET_KEY = os.environ["HUAWEICLOUD_SDK_SK"]
SECURITY_TOKEN = os.environ.get("HUAWEICLOUD_SDK_SECURITY_TOKEN")

# The gateway allows 15 minutes. Both ends share a clock here, so a date that is a minute old was
# kept and used again.
FRESH = timedelta(minutes=1)
MUST_BE_SIGNED = {"host", "x-project-id", "x-sdk-date"}
if SECURITY_TOKEN:
    MUST_BE_SIGNED.add("x-security-token")

CONNECTIONS_PATH = re.compile(
    r"/v1\.0/([0-9a-z]{32})/clusters/[0-9a-f-]{36}/vpcepservice/connections"
)
AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 Access=[^ ,]+, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}"
)

CONNECTIONS = [
    {
        "id": f"00000000-0000-4000-8000-{number:012x}",
        "status": "accepted" if number < 1000 else "rejected",
        "maxSession": "3000",
        "specificationName": "default",
        "created_at": "2024-06-11T09:36:24Z",
        "update_at": None,
        "domain_id": "0123456789abcdef0123456789abcdef",
        "vpcepIp": f"10.0.{number // 250}.{number % 250 + 1}",
    }
    for number in range(1003)
]


class Refused(Exception):
    pass


def check_signature(method, path, query, headers, project_id):
    """Raises `Refused`, with the reason, unless the SDK signs this request to the same header."""
    authorization = only(headers, "Authorization")
    shape = AUTHORIZATION.fullmatch(authorization)
    if not shape:
        raise Refused("the Authorization header has another shape")
    names = shape[1].split(";")
    if missing := MUST_BE_SIGNED - set(names):
        raise Refused(f"not signed: {', '.join(sorted(missing))}")
    signed = {name: only(headers, name) for name in names}

    try:
        date = datetime.strptime(signed["x-sdk-date"], "%Y%m%dT%H%M%SZ")
    except ValueError:
        raise Refused("X-Sdk-Date is no date") from None
    if abs(datetime.now(timezone.utc) - date.replace(tzinfo=timezone.utc)) > FRESH:
        raise Refused("signature expired")
    if signed["x-project-id"] != project_id:
        raise Refused("X-Project-Id is not the project of the path")
    if SECURITY_TOKEN and signed["x-security-token"] != SECURITY_TOKEN:
        raise Refused("another security token")

    # The signer signs every header that it is given, so it is given those that the client named.
    request = SdkRequest(
        method=method,
        host=signed["host"],
        resource_path=path,
        query_params=parse_qsl(query, keep_blank_values=True),
        header_params=signed,
    )
    signer = Signer(BasicCredentials(ACCESS_KEY, SECRET_KEY))
    if authorization != signer.sign(request).header_params["Authorization"]:
        raise Refused("verify aksk signature fail")


def only(headers, name):
    values = headers.get_all(name) or []
    if len(values) != 1:
        raise Refused(f"{len(values)} headers {name}")
    return values[0]


class Cloud(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    verdict = {"accepted": 0, "rejected": 0, "reasons": [], "paths": []}

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/__verdict":
            with self.lock:
                self.answer(200, self.verdict)
        elif shape := CONNECTIONS_PATH.fullmatch(path):
            self.connections(path, query, project_id=shape[1])
        else:
            self.refuse(404, "APIGW.0101", "The API does not exist or has not been published")

    def connections(self, path, query, project_id):
        try:
            check_signature(self.command, path, query, self.headers, project_id)
        except Refused as reason:
            self.judge("rejected", str(reason))
            self.refuse(401, "APIGW.0301", f"Incorrect IAM authentication information: {reason}")
            return
        self.judge("accepted")

        try:
            asked = dict(parse_qsl(query))
            offset, limit = int(asked.get("offset", 0)), int(asked.get("limit", 10))
        except ValueError:
            offset, limit = -1, -1
        if not (0 <= offset <= 1000 and 1 <= limit <= 1000):
            self.refuse(400, "CSS.0001", "Incorrect parameters")
            return
        self.answer(200, {
            "connections": CONNECTIONS[offset:offset + limit],
            "vpcServiceName": "cn-north-4.css-witness.cf072729-b076-49db-83d3-020dc9f589bd",
            "permissions": [],
            "vpcepUpdateSwitch": False,
            "total_count": len(CONNECTIONS),
        })

    def judge(self, outcome, reason=None):
        with self.lock:
            self.verdict[outcome] += 1
            self.verdict["paths"].append(self.path)
            if reason:
                self.verdict["reasons"].append(reason)

    def refuse(self, status, code, message):
        request_id = uuid.uuid4().hex
        self.answer(status, {"error_code": code, "error_msg": message, "request_id": request_id})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-Id", value.get("request_id") or uuid.uuid4().hex)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """The verdict says it all; the standard server would write a line per request."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cloud)
    print(f"cloud http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
