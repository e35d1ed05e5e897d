"""Tries the example of deploy/compose without containers: compose.py EXPORTER FOLDER.

The certificate is made as the example makes it; the simulated cloud and the exporter run as its services do, but
for ports and folders. Then the exporter must have polled, and its admin listener must take the token.
"""

import os
import pathlib
import subprocess
import sys
import time
import urllib.request

import yaml

COMPOSE = pathlib.Path("deploy/compose")
CERTIFICATES, STATE = "/run/certificates", "/var/lib/css-vpcep-exporter"
PATIENCE = 60


def line_of(file, word):
    """What follows the word in what a process says."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for line in file.read_text().splitlines():
            if word in line:
                return line.split(word)[1].split()[0]
        time.sleep(0.1)
    sys.exit(f"no {word!r} in: {file.read_text()}")


def start(folder, name, command, environment):
    file = folder / name
    with file.open("w") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment), file


def configured(folder, cloud):
    def here(name):
        text = (COMPOSE / name).read_text().replace(CERTIFICATES, str(folder)).replace(STATE, str(folder))
        return yaml.safe_load(text.replace("http://127.0.0.1:10069", cloud))

    config = here("exporter.yml")
    config["admin"]["listen"] = "127.0.0.1:0"
    # Those of the file have its port.
    del config["admin"]["hosts"]
    (folder / "admin-web.yml").write_text(yaml.safe_dump(here("admin-web.yml")))
    file = folder / "exporter.yml"
    file.write_text(yaml.safe_dump(config))
    return file


def has_polled(public):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with urllib.request.urlopen(f"http://{public}/metrics") as answer:
            lines = [line for line in answer.read().decode().splitlines() if line.startswith("huaweicloud_css_vpcep_up{")]
        # The simulated cloud has as many clusters, which discovery must find.
        if len(lines) == 5 and all(line.endswith(" 1") for line in lines):
            return
        time.sleep(0.1)
    sys.exit(f"it does not poll: {lines}")


def main():
    exporter, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(mode=0o700)
    services = yaml.safe_load((COMPOSE / "compose.yml").read_text())["services"]
    (script,) = services["certificates"]["command"]
    script = "".join(line for line in script.splitlines(True) if not line.startswith("chown "))
    subprocess.run(["sh", "-ec", script.replace(CERTIFICATES, str(folder))], check=True)
    environment = {**services["exporter"]["environment"], "PATH": os.environ["PATH"]}
    started = []
    try:
        cloud, said = start(folder, "cloud", [exporter, "simulate", "--listen", "127.0.0.1:0"], environment)
        started.append(cloud)
        config = configured(folder, line_of(said, "cloud "))
        serve = [exporter, "serve", "--config.file", str(config), "--web.listen-address", "127.0.0.1:0"]
        daemon, said = start(folder, "serve", serve, environment)
        started.append(daemon)
        has_polled(line_of(said, " public="))
        admin = line_of(said, " admin=").replace("127.0.0.1", "localhost")
        environment |= {
            "CSS_VPCEP_EXPORTER_ADMIN_URL": f"https://{admin}",
            "CSS_VPCEP_EXPORTER_ADMIN_CA_FILE": str(folder / "tls.crt"),
        }
        for command in (["service", "list"], ["connection", "list", "demo/logs-01"]):
            subprocess.run([exporter, *command], env=environment, check=True)
        subprocess.run([exporter, "audit", "verify", str(folder / "audit.jsonl")], env=environment, check=True)
    finally:
        for process in started:
            process.kill()
            process.wait()


main()
