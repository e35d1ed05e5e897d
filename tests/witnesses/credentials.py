"""Plays cases of tests/data/credentials with the official Huawei Cloud SDK for Python.

usage: credentials.py CASE...

A case is a folder; tests/huawei/cases.rs says what is in it. Each is played against a server that answers as
written down, in a process of its own, as the SDK reads the environment. Fails with what the SDK sends otherwise.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from huaweicloudsdkcore.auth import internal, provider
from huaweicloudsdkcore.exceptions.exceptions import SdkException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkcss import v1 as css

CLUSTER = "5c77b71c-5b35-4f50-8984-76387e42451a"
complaints = []


def fits(found, wanted):
    if wanted and wanted.endswith("*"):
        return found is not None and found.startswith(wanted.rstrip("*, "))
    return found == wanted


def without_scope(body):
    if isinstance(body, dict) and "auth" in body:
        body["auth"].pop("scope", None)
    return body


def check(line, headers, body, wanted, but_for):
    if line != f"{wanted['method']} {wanted['path']}":
        complaints.append(f"{line}: {wanted} is expected")
    for name, value in wanted["headers"].items():
        if not fits(headers.get(name), value):
            complaints.append(f"{line}: {name}: {headers.get(name)!r}, {value!r} is expected")
    if body and "json" in headers.get("content-type", ""):
        body = json.loads(body)
    expected = wanted.get("body", body)
    if "without a scope" in but_for:
        expected = without_scope(expected)
    if body != expected:
        complaints.append(f"{line} with {body!r}: {expected!r} is expected")


class Handler(BaseHTTPRequestHandler):
    """Answers as a case says; the case is set before the first request."""

    case = None

    def play(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        line = f"{self.command} {self.path}"
        if not self.case["exchanges"]:
            complaints.append(f"{line}: no more requests are expected")
            return self.send_error(500)
        exchange = self.case["exchanges"].pop(0)
        check(line, self.headers, body, exchange["request"], str(self.case["sdk"]))
        answer = exchange["response"]
        text = answer["body"]
        text = (text if isinstance(text, str) else json.dumps(text)).encode()
        self.send_response(answer["status"])
        for name, value in answer.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = play

    def log_message(self, *_):
        pass


def credentials_of(kind):
    if kind == "chain":
        return provider.CredentialProviderChain.get_basic().get_credentials()
    (name, fields), = kind.items()
    if name == "oidc":
        return provider.OidcStsCredentialProvider(
            "basic",
            provider_urn=fields["provider_urn"],
            agency_urn=fields["agency_urn"],
            id_token_file=fields["token_file"],
            agency_session_name="css-vpcep-exporter",
        ).get_credentials()
    kinds = {
        "metadata": provider.MetadataCredentialProvider,
        "pod_identity": provider.PodIdentityCredentialProvider,
    }
    return kinds[name].get_basic().get_credentials()


def read(case, url):
    internal.MetadataAccessor._METADATA_ENDPOINT = url
    os.environ.update(case["environment"], HUAWEICLOUD_SDK_STS_ENDPOINT=url)
    credentials = credentials_of(case["credentials"]).with_iam_endpoint(url)
    if case["project_id"]:
        credentials.project_id = case["project_id"]
    client = css.CssClient.new_builder().with_credentials(credentials)
    client = client.with_region(Region("cn-north-4", url)).build()
    request = css.ShowVpcepConnectionRequest(cluster_id=CLUSTER, offset=0, limit=1000)
    client.show_vpcep_connection(request)


def play(folder):
    http = HTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{http.server_port}"
    with tempfile.TemporaryDirectory() as here:
        for file in folder.iterdir():
            text = file.read_text().replace("SERVER", url).replace("FOLDER", here)
            (Path(here) / file.name).write_text(text)
        case = Handler.case = json.loads((Path(here) / "case.json").read_text())
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            read(case, url)
            if "error" in case:
                complaints.append(f"it succeeds, and not: {case['error']}")
        except (SdkException, OSError) as error:
            if "error" not in case:
                complaints.append(f"{error!r}")
        complaints.extend(f"{exchange} did not come" for exchange in case["exchanges"])


def main(folders):
    if len(folders) == 1:
        play(Path(folders[0]))
        print("\n".join(complaints), end="")
        return bool(complaints)
    failed = False
    for folder in folders:
        ended = subprocess.run([sys.executable, __file__, folder], capture_output=True, text=True)
        if ended.returncode:
            failed = True
            print(f"{folder}:\n{ended.stdout}{ended.stderr}")
    return failed


sys.exit(main(sys.argv[1:]))
