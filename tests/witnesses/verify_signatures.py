"""A small cloud that lets a request in only if the official SDK would have signed it the same way.

usage: verify_signatures.py

The keys come from HUAWEICLOUD_SDK_AK, _SK and, if set, _SECURITY_TOKEN. Prints `cloud URL` and
serves on loopback:

  GET /v1.0/{project_id}/clusters/{cluster_id}/vpcepservice/connections
      The SDK's own signer signs the request again, as it came, over the headers that its
      Authorization names. If it comes to the same Authorization: 200 with a page of connections.
      Every cluster has the same 1,003; 1,000 are accepted, and 3, which only a second page holds,
      are rejected. If not: 401 APIGW.0301.
  GET /v1/{project_id}/vpc-endpoint-services
  GET and PUT /v1/{project_id}/vpc-endpoint-services/{service_id}
      Judged likewise; the signature of a PUT covers its body. There is one service, with the id that
      is asked for. A PUT changes it; its answer is the example of the API's document, whose values
      are others.
  GET /__verdict
      {"accepted": 2, "rejected": 0, "reasons": [], "paths": ["GET /v1.0/…?limit=1000&offset=0", …],
      "changes": [the bodies of the PUTs that were accepted]}
"""

import json
import os
import re
import threading
import uuid
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
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
SERVICES_PATH = re.compile(r"/v1/([0-9a-z]{32})/vpc-endpoint-services(?:/([0-9a-f-]{36}))?")
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


EXAMPLE = Path(__file__).parent.parent / "data" / "vpcep-update-example-answer.json"
SERVICE = json.loads(EXAMPLE.read_bytes())


class Refused(Exception):
    pass


def check_signature(method, path, query, headers, project_id, body=None):
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
        body=body,
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
    verdict = {"accepted": 0, "rejected": 0, "reasons": [], "paths": [], "changes": []}

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/__verdict":
            with self.lock:
                self.answer(200, self.verdict)
        elif shape := CONNECTIONS_PATH.fullmatch(path):
            self.connections(path, query, project_id=shape[1])
        elif shape := SERVICES_PATH.fullmatch(path):
            self.services(path, query, project_id=shape[1], service_id=shape[2])
        else:
            self.refuse(404, "APIGW.0101", "The API does not exist or has not been published")

    def do_PUT(self):
        body = self.rfile.read(int(only(self.headers, "Content-Length")))
        path, _, query = self.path.partition("?")
        shape = SERVICES_PATH.fullmatch(path)
        if not (shape and shape[2]):
            self.refuse(404, "APIGW.0101", "The API does not exist or has not been published")
        elif self.may_enter(path, query, shape[1], body):
            change = json.loads(body)
            with self.lock:
                self.verdict["changes"].append(change)
                SERVICE.update(change)
            self.answer(200, json.loads(EXAMPLE.read_bytes()))

    def may_enter(self, path, query, project_id, body=None):
        try:
            check_signature(self.command, path, query, self.headers, project_id, body)
        except Refused as reason:
            self.judge("rejected", str(reason))
            self.refuse(401, "APIGW.0301", f"Incorrect IAM authentication information: {reason}")
            return False
        self.judge("accepted")
        return True

    def services(self, path, query, project_id, service_id):
        if not self.may_enter(path, query, project_id):
            return
        with self.lock:
            service = dict(SERVICE, project_id=project_id)
        if service_id:
            self.answer(200, dict(service, id=service_id))
        else:
            service["id"] = dict(parse_qsl(query)).get("id", service["id"])
            self.answer(200, {"endpoint_services": [service], "total_count": 1})

    def connections(self, path, query, project_id):
        if not self.may_enter(path, query, project_id):
            return

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
            self.verdict["paths"].append(f"{self.command} {self.path}")
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
