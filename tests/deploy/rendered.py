"""Takes apart what `helm template` rendered: rendered.py REPOSITORY RENDERED FOLDER.

The folder gets what others judge: kubernetes.yml, operator.json, config.yml (the exporter's own) and
rules.yml. What only this chart promises is judged here.
"""

import json
import pathlib
import re
import sys

import yaml

CONFIG = "css-vpcep-exporter.yml"
OPERATOR = "monitoring.coreos.com/"
INSTANCE = "http://{{ $labels.instance }}"


def fail(text):
    sys.exit(f"{sys.argv[2]}: {text}")


def containers(pod):
    return [one for one in pod["containers"] if one["name"] in ("exporter", "check-config")]


def judge_pod(name, pod):
    """No pod has more rights than it needs."""
    if pod.get("automountServiceAccountToken") is not False:
        fail(f"{name}: a token of Kubernetes is mounted")
    context = pod["securityContext"]
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") != 65532:
        fail(f"{name}: it does not run as the user of the image")
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        fail(f"{name}: no seccomp profile")
    for one in containers(pod):
        context = one["securityContext"]
        if not context.get("readOnlyRootFilesystem") or context.get("allowPrivilegeEscalation"):
            fail(f"{name}: the root can be written, or rights can grow")
        if context.get("capabilities") != {"drop": ["ALL"]}:
            fail(f"{name}: capabilities are left")
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    for one in pod["containers"]:
        for mount in one.get("volumeMounts", []):
            if mount["name"] not in volumes | {"state"}:
                fail(f"{name}: there is no volume {mount['name']}")


def judge_dashboards(repository, maps):
    """A dashboard in the cluster is the dashboard of the repository."""
    files = sorted((repository / "dashboards").glob("*.json"))
    if len(files) != len(maps):
        fail(f"{len(maps)} dashboards of {len(files)}")
    for file, one in zip(files, maps):
        (text,) = one["data"].values()
        if json.loads(text) != json.loads(file.read_text()):
            fail(f"{file.name} is changed on its way")
        if one["metadata"]["labels"].get("grafana_dashboard") != "1":
            fail(f"{file.name} is not labelled")


def judge_rules(repository, rule):
    """The rules in the cluster are those of the repository, but for where runbooks and status pages are."""
    file = yaml.safe_load((repository / "deploy/prometheus/rules.yml").read_text())
    groups = rule["spec"]["groups"]
    for ours, theirs in zip(file["groups"], groups, strict=True):
        for one, other in zip(ours["rules"], theirs["rules"], strict=True):
            mine, its = one.get("annotations", {}), other.get("annotations", {})
            url, path = its.pop("runbook_url", ""), mine.pop("runbook_url", "")
            if not url.endswith(path):
                fail(f"{url} does not lead to {path}")
            url, path = its.pop("status_url", ""), mine.pop("status_url", "")
            if not re.fullmatch(r"(https?://.*)?" + re.escape(path.removeprefix(INSTANCE)), url):
                fail(f"{url} does not lead to {path}")
        if ours != theirs:
            fail(f"the group {ours['name']} is changed on its way")


def main():
    repository, rendered, folder = (pathlib.Path(argument) for argument in sys.argv[1:])
    objects = [one for one in yaml.safe_load_all(rendered.read_text()) if one]
    of_operator = [one for one in objects if one["apiVersion"].startswith(OPERATOR)]
    rest = [one for one in objects if one not in of_operator]
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    if len(names) != len(set(names)):
        fail("two objects have one name")

    (stateful,) = [one for one in objects if one["kind"] == "StatefulSet"]
    judge_pod("StatefulSet", stateful["spec"]["template"]["spec"])
    (service,) = [one for one in objects if one["kind"] == "Service"]
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    if not service["spec"]["selector"].items() <= labels.items():
        fail("the service does not select the pods")
    ports = stateful["spec"]["template"]["spec"]["containers"][0]["ports"]
    if [port["containerPort"] for port in ports] != [service["spec"]["ports"][0]["port"]]:
        fail("the pods listen somewhere else, or a second port is open")
    for one in objects:
        if one["kind"] == "Pod":
            judge_pod("test", one["spec"])
            if service["spec"]["selector"].items() <= one["metadata"]["labels"].items():
                fail("the pod of the test would be scraped")

    maps = [one for one in objects if one["kind"] == "ConfigMap"]
    dashboards = [one for one in maps if "-dashboard-" in one["metadata"]["name"]]
    if dashboards:
        judge_dashboards(repository, dashboards)
    for one in of_operator:
        if one["kind"] == "PrometheusRule":
            # As the operator loads it, before the judge takes it apart.
            (folder / "rules.yml").write_text(yaml.safe_dump({"groups": one["spec"]["groups"]}))
            judge_rules(repository, json.loads(json.dumps(one)))
    for one in maps:
        if CONFIG in one["data"]:
            text = one["data"][CONFIG]
            admin = yaml.safe_load(text).get("admin")
            if admin and not admin["listen"].startswith("127.0.0.1:"):
                fail("the admin listener can be reached from outside")
            (folder / "config.yml").write_text(text)
    (folder / "operator.json").write_text(json.dumps(of_operator))
    (folder / "kubernetes.yml").write_text(yaml.safe_dump_all(rest))


main()
