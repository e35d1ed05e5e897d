#!/usr/bin/env bash
# Brings what the checks of this folder need. To be sourced, in the folder of the repository.

# shellcheck source=tests/tools.sh
. tests/tools.sh

tools=$target/deploy

# deploy_tools: brings all but promtool's newest, and puts it on the PATH.
deploy_tools() {
    mkdir -p "$tools"
    environment "$tools/venv" tests/deploy/requirements.txt
    installed fish fish --version
    installed systemd systemd-analyze --version
    node_modules "$tools/node" tests/deploy
    # Its Python comes first: it has PyYAML.
    PATH=$tools/venv/bin:$PATH
    unpacked promtool prometheus
    unpacked amtool prometheus-alertmanager
    unpacked mandoc mandoc
}

# newest_promtool: rules and their tests must pass under the newest Prometheus too. Debian's is older than
# Prometheus 3, which treats the bounds of ranges differently. The build takes about 2 minutes, once; it
# leaves out service discovery, which rules do not use.
newest_promtool() {
    NEWEST_PROMTOOL=$(go_installed github.com/prometheus/prometheus/cmd/promtool v0.316.0 -tags remove_all_sd)
    export NEWEST_PROMTOOL
}
