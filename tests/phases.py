"""Runs every test.

    tests/run            everything
    tests/run PHASE…     only the phases whose names begin so, and those that they need
    tests/run --quick    cargo test: all tests that need nothing but this repository
    tests/run --help     this text, and the names of the phases

Beside `cargo test`, outside witnesses are heard (a real Prometheus with promtool, a real Alertmanager, a
real browser, curl, and the official Huawei Cloud SDKs for Go and Python), and what is in deploy/ and
dashboards/ is checked. What is missing for that is brought first: Chromium, curl, fish, Go, npm, systemd
and Python's venv are installed as Debian packages, the Alertmanager's templates are copied to
/usr/share/prometheus/alertmanager, the rest stays below the target folder.

A phase begins when those that it needs have ended: downloads go on while the compiler works, and test
programs run side by side. The output of each is kept below target/tests, and shown where it fails.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
LOGS = TARGET / "tests"


@dataclass
class Phase:
    name: str
    # For bash, after BEGINNING.
    script: str
    needs: list[str] = field(default_factory=list)
    process: subprocess.Popen | None = None
    begun: float = 0.0
    ended: float | None = None
    # "ok", "FAILED" or, where something that it needs failed, "not run".
    outcome: str | None = None

    @property
    def log(self):
        return LOGS / f"{self.name}.log"

    def start(self, now):
        self.begun = now
        with self.log.open("w") as log:
            # In a session of its own it can be ended with all of its children. But sudo may ask for a
            # password, on the terminal.
            own = self.name != "debian"
            self.process = subprocess.Popen(
                ["bash", "-c", f"{BEGINNING}{self.script}"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=own,
            )

    def end(self, outcome, now):
        self.ended, self.outcome = now, outcome
        if outcome == "FAILED":
            print(self.log.read_text(errors="replace"))
        print(f"{outcome:<8}{self.name}", flush=True)

    def tests(self):
        """How many tests of `cargo test` have passed, and failed."""
        text = self.log.read_text(errors="replace") if self.process else ""
        # The last one only: a test that needs a process of its own runs the program again, and counts there.
        found = re.findall(r"^test result: .* (\d+) passed; (\d+) failed", text, re.M)[-1:]
        return [sum(int(count[column]) for count in found) for column in (0, 1)]

    def kill(self):
        if self.process is None or self.process.poll() is not None:
            return
        if self.name == "debian":
            self.process.terminate()
        else:
            os.killpg(self.process.pid, signal.SIGTERM)


def test_programs():
    """What `cargo test` runs: the option that selects each program."""
    command = ["cargo", "metadata", "--locked", "--no-deps", "--format-version=1"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    (package,) = metadata["packages"]
    options = {"lib": "--lib", "bin": "--bins", "test": "--test {}"}
    for target in package["targets"]:
        (kind, *_) = target["kind"]
        if target["test"] and kind in options:
            yield target["name"] if kind == "test" else kind, options[kind].format(target["name"])
    yield "doc", "--doc"


# What every script begins with.
BEGINNING = """
set -euo pipefail
. tests/deploy/tools.sh
sdk_go=$target/witnesses/go-sdk
sdk_python=$target/witnesses/venv
# Compiling Rust is what most phases wait for; other compilers must not slow it down.
politely() { renice -n 10 $$ >/dev/null; }
"""

DEBIAN = """
installed chromium chromium --version
installed curl curl --version
installed fish fish --version
installed golang-go go version
installed npm npm --version
installed python3-venv python3 -c 'import ensurepip, venv'
installed systemd systemd-analyze --version
unpacked mandoc mandoc
unpacked prometheus prometheus
alertmanager_unpacked
"""

BROWSER_TOOLS = """
node_modules "$target/witnesses/browser" tests/browser
"""

BROWSER = """
export BROWSER_TOOLS=$target/witnesses/browser BROWSER_FILES=$target/tests/browser
BROWSER=$(command -v chromium)
EXPORTER=$(realpath $target/debug/css-vpcep-exporter)
export BROWSER EXPORTER
node --test --test-concurrency=1 tests/browser/
"""

WITNESSES = """
unpacked prometheus prometheus
alertmanager_unpacked
export WITNESS_GO_SDK=$sdk_go WITNESS_PYTHON=$sdk_python/bin/python
WITNESS_PROMETHEUS=$(command -v prometheus)
WITNESS_PROMTOOL=$(command -v promtool)
WITNESS_ALERTMANAGER=$(command -v prometheus-alertmanager)
WITNESS_CURL=$(command -v curl)
export WITNESS_PROMETHEUS WITNESS_PROMTOOL WITNESS_ALERTMANAGER WITNESS_CURL
cargo test --locked --test witnesses
"""


def phases():
    """All of them; those that take longest, or that others wait for, come first."""
    yield Phase("build", "cargo build --locked")
    yield Phase("compile", "cargo test --locked --no-run --tests --test witnesses", ["build"])
    yield Phase("debian", DEBIAN)
    yield Phase("promtool", "politely; newest_promtool", ["debian"])
    yield Phase("tools", "deploy_tools", ["debian"])
    yield Phase("sdk-go", "politely; go_built $sdk_go tests/witnesses/go", ["debian"])
    yield Phase("sdk-python", "environment $sdk_python tests/witnesses/requirements.txt", ["debian"])
    yield Phase("browser-tools", BROWSER_TOOLS, ["debian"])
    yield Phase("browser", BROWSER, ["build", "browser-tools"])
    for name, option in test_programs():
        yield Phase(f"test-{name}", f"cargo test --locked {option}", ["compile"])
    yield Phase("witnesses", WITNESSES, ["compile", "sdk-go", "sdk-python"])
    tools = ["build", "promtool", "tools"]
    for check in sorted((ROOT / "tests/deploy").iterdir()):
        if check.is_file() and os.access(check, os.X_OK) and check.name != "run":
            script = f"deploy_tools; newest_promtool; tests/deploy/{check.name}"
            yield Phase(f"deploy-{check.name}", script, tools)


def wait_for(all_phases):
    began = time.monotonic()
    known = {phase.name: phase for phase in all_phases}
    while any(phase.outcome is None for phase in all_phases):
        now = time.monotonic() - began
        for phase in all_phases:
            if phase.outcome is not None:
                continue
            needed = [known[name].outcome for name in phase.needs]
            if phase.process is not None:
                status = phase.process.poll()
                if status is not None:
                    phase.end("FAILED" if status else "ok", now)
            elif any(outcome in ("FAILED", "not run") for outcome in needed):
                phase.begun = now
                phase.end("not run", now)
            elif all(needed):
                phase.start(now)
        time.sleep(0.1)


def selected(names):
    """The phases of these names and all that they need, in their order."""
    everything = list(phases())
    unknown = [name for name in names if not any(one.name.startswith(name) for one in everything)]
    if unknown:
        sys.exit(f"there is no phase {', '.join(unknown)}: see tests/run --help")
    wanted = {one.name for one in everything if not names or one.name.startswith(tuple(names))}
    # Needs stand before those who need them.
    for one in reversed(everything):
        if one.name in wanted:
            wanted.update(one.needs)
    return [one for one in everything if one.name in wanted]


def main():
    arguments = sys.argv[1:]
    if arguments in (["--help"], ["-h"]):
        print(f"{__doc__.strip()}\n\nPhases: {', '.join(one.name for one in phases())}")
        return
    LOGS.mkdir(parents=True, exist_ok=True)
    run(selected(arguments))


def run(some):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        wait_for(some)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        for phase in some:
            phase.kill()
    print(f"\n{'phase':<20}{'from':>6}{'to':>6}{'seconds':>9}")
    for phase in sorted(some, key=lambda phase: phase.begun):
        took = phase.ended - phase.begun
        print(f"{phase.name:<20}{phase.begun:>6.0f}{phase.ended:>6.0f}{took:>9.0f}  {phase.outcome}")
    passed, failed = map(sum, zip(*(phase.tests() for phase in some)))
    if passed + failed:
        # In the words of cargo, for programs that read them.
        print(f"\ntest result: {'FAILED' if failed else 'ok'}. {passed} passed; {failed} failed")
    missing = [phase.name for phase in some if phase.outcome != "ok"]
    if missing:
        sys.exit(f"not ok: {', '.join(missing)}; see above, and {LOGS}")


main()
