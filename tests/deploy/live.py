"""The exporter's demo and a Prometheus that scrapes it, on free ports, for as long as a `with` lasts."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
JOB = "css-vpcep-exporter"
# How long anything may take to be there, in seconds.
PATIENCE = 30


def exporter():
    """The program; built if it is not there."""
    path = TARGET / "debug/css-vpcep-exporter"
    if not path.is_file():
        subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, check=True)
    return path


def until(what, found):
    """The first true answer of `found`, which is asked until then."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        time.sleep(0.2)
    sys.exit(f"not within {PATIENCE} s: {what}")


def call(url, method="GET", body=None, headers=None):
    """Status and text of the answer, whatever the status; (0, "") where nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data, {**kind, **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Live:
    """Where demo and Prometheus are, and how they are asked."""

    def __init__(self, demo, prometheus):
        self.demo, self.prometheus = demo, prometheus

    def ask(self, path, **parameters):
        """The data that Prometheus answers, or the error as a text."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        _, text = call(f"{self.prometheus}/api/v1/{path}?{query}")
        answer = json.loads(text or '{"error": "no answer"}')
        return answer["data"] if answer.get("status") == "success" else f"{answer.get('error')}"

    def value(self, expr):
        """The value of the only series, or None."""
        result = self.ask("query", query=expr)["result"]
        return float(result[0]["value"][1]) if result else None

    def admin(self, path="", token=None, **request):
        headers = {"Authorization": f"Bearer {token or self.demo['token']}", "If-Match": "*"}
        return call(f"{self.demo['admin']}/api/v1/endpoint-services{path}", headers=headers, **request)

    def service(self, name):
        (found,) = [s for s in json.loads(self.admin()[1])["endpoint_services"] if s["name"] == name]
        return found

    def flip_approval(self, name):
        """Changes whether an endpoint service asks for approval; answers the HTTP status."""
        wanted = not self.service(name)["service"]["approval_enabled"]
        return self.admin(f"/demo/{name}", method="PUT", body={"approval_enabled": wanted})[0]

    def clusters(self):
        """The ids of the clusters, by their names."""
        _, text = call(f"{self.demo['status']}/api/v1/clusters")
        return {cluster["cluster_name"]: cluster["cluster_id"] for cluster in json.loads(text)["clusters"]}

    def simulate(self, path, body):
        status, text = call(f"{self.demo['cloud']}/__sim/{path}", "PUT", body)
        if status != 200:
            sys.exit(f"the simulated cloud answers {status} to {path}: {text}")


@contextlib.contextmanager
def running(command, **more):
    process = subprocess.Popen([str(part) for part in command], **more)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def live():
    if not shutil.which("prometheus"):
        sys.exit("there is no prometheus: install the Debian package of that name")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = stack.enter_context(open(folder / "log", "w+"))
        pipes = {"stdout": subprocess.PIPE, "stderr": log, "text": True}
        process = stack.enter_context(running([exporter(), "demo"], **pipes))
        lines = [process.stdout.readline().split() for _ in range(5)]
        if not all(lines):
            log.seek(0)
            sys.exit(f"the demo does not start:\n{log.read()}")
        demo = {name: value.rstrip("/") for name, value in lines}
        port = free_port()
        scrape = {
            "job_name": JOB,
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": [urllib.parse.urlsplit(demo["metrics"]).netloc]}],
        }
        (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}))
        command = [
            "prometheus",
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.cors.origin=.*",
        ]
        stack.enter_context(running(command, stdout=log, stderr=log))
        found = Live(demo, f"http://127.0.0.1:{port}")
        until("Prometheus is ready", lambda: call(f"{found.prometheus}/-/ready")[0] == 200)
        until("Prometheus scrapes the demo", lambda: found.value(f'up{{job="{JOB}"}}') == 1)
        yield found
