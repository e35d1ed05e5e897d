#!/usr/bin/env bash
# How the scripts of the tests get what they need from Debian, PyPI and Go's module proxy. To be sourced, in
# the folder of the repository. What is not installed for everybody stays below the target folder,
# but for the Alertmanager's templates, which go to /usr/share/prometheus/alertmanager.

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

# Once in each script: old lists name packages that are gone.
fresh_lists() {
    if [[ -z ${lists_are_fresh:-} ]]; then as_root apt-get -q update; fi
    lists_are_fresh=yes
}

# installed PACKAGE COMMAND…: installs a package of Debian where the command fails without it.
installed() {
    local package=$1
    shift
    if "$@" >/dev/null 2>&1; then return; fi
    fresh_lists
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$package"
}

# unpacked PROGRAM PACKAGE: puts a program of Debian on the PATH. It is not installed, because the package
# of a daemon would start one.
unpacked() {
    local program=$1 package=$2 folder=$target/tools/$2
    if command -v "$program" >/dev/null; then return; fi
    if [[ ! -x $folder/usr/bin/$program ]]; then
        fresh_lists
        mkdir -p "$folder"
        (cd "$folder" && apt-get -q download "$package" && dpkg-deb -x ./*.deb . && rm ./*.deb)
    fi
    PATH=$PATH:$folder/usr/bin
}

# alertmanager_unpacked: puts the Alertmanager on the PATH. Debian's reads its templates from where the package
# installs them, so only the templates are copied there.
alertmanager_unpacked() {
    local templates=/usr/share/prometheus/alertmanager
    unpacked prometheus-alertmanager prometheus-alertmanager
    if [[ -d $target/tools/prometheus-alertmanager && ! -e $templates/default.tmpl ]]; then
        as_root mkdir -p $templates
        as_root cp "$target/tools/prometheus-alertmanager$templates"/*.tmpl $templates
    fi
}

# go_installed PACKAGE VERSION FLAG…: builds a published Go program, and prints its path.
go_installed() {
    local package=$1 version=$2
    local folder=$target/tools/go/${package##*/}-$version
    shift 2
    if [[ ! -x $folder/${package##*/} ]]; then
        # Errors end it by hand: the shell of a $(…) does not go by the `set -e` around it.
        installed golang-go go version >&2 || return
        GOBIN=$folder go install "$@" "$package@$version" >&2 || return
    fi
    echo "$folder/${package##*/}"
}

# go_built PROGRAM FOLDER: builds a Go module of this repository. Downloads stay in Go's own cache, as with
# cargo and pip.
go_built() {
    local program=$1 folder=$2
    (cd "$folder" && CGO_ENABLED=0 go build -buildvcs=false -o "$program" .)
}

# environment FOLDER REQUIREMENTS: makes a virtual environment for Python, or keeps the one that is there.
environment() {
    local folder=$1 requirements=$2
    installed python3-venv python3 -c 'import ensurepip, venv'
    # The copy is made last: it says which requirements the environment was made from, to the end.
    if ! { cmp -s "$requirements" "$folder/made-from.txt" && "$folder/bin/python" -c ''; }; then
        python3 -m venv --clear "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
        cp "$requirements" "$folder/made-from.txt"
    fi
}

# node_modules FOLDER PACKAGE: installs what a package.json and its lock name, or keeps what is there.
node_modules() {
    local folder=$1 package=$2
    installed npm npm --version
    # The copy is made last, as in `environment`.
    if ! cmp -s "$package/package-lock.json" "$folder/made-from.json"; then
        mkdir -p "$folder"
        cp "$package/package.json" "$package/package-lock.json" "$folder"
        npm ci --prefix "$folder" --silent --no-audit --no-fund
        cp "$package/package-lock.json" "$folder/made-from.json"
    fi
}
