# shellcheck shell=bash
# What scripts/test needs from Debian. Sourced by it.

# The program or file that shows whether a package is there, and its name.
readonly packages=(
    cc:build-essential
    pkg-config:pkg-config
    webkit:libwebkit2gtk-4.1-dev
    shellcheck:shellcheck
    setpriv:util-linux
    unshare:util-linux
    dbus-run-session:dbus
    gnome-keyring-daemon:gnome-keyring
    openssl:openssl
    curl:curl
    psql:postgresql-client
    initdb:postgresql
    /usr/sbin/exim4:exim4-daemon-light
    ensurepip:python3-venv
    nginx:nginx-light
    caddy:caddy
    syncthing:syncthing
    systemd-analyze:systemd
    debootstrap:debootstrap
    xmllint:libxml2-utils
    wixl:wixl
    msiinfo:msitools
    chromium:chromium
    node:nodejs
    npm:npm
    Xvfb:xvfb
    openbox:openbox
    xdotool:xdotool
    import:imagemagick
    xfce4-panel:xfce4-panel
    xfconf-query:xfconf
)

is_there() {
    case $1 in
    initdb) scripts/with-postgres --find >/dev/null 2>&1 ;;
    webkit) pkg-config --exists webkit2gtk-4.1 2>/dev/null ;;
    ensurepip) python3 -c 'import ensurepip' 2>/dev/null ;;
    *) has "$1" ;;
    esac
}

# It would take the place of a mail server that somebody uses.
is_in_the_way() { [[ $1 == /usr/sbin/exim4 && -x /usr/sbin/sendmail ]]; }

as_root=()
if [[ $EUID -ne 0 ]]; then
    # -n: a script that nobody watches must not wait for a password.
    as_root=(sudo -n)
    [[ -t 0 ]] && as_root=(sudo)
fi

apt_install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Debian starts the services that it installs, and makes PostgreSQL a first cluster. The tests run their own.
apt_install_without_services() {
    local policy=/usr/sbin/policy-rc.d made="" done=0
    if [[ ! -e $policy ]]; then
        made=$policy
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 755 /dev/stdin "$policy"
    fi
    if [[ " $* " == *" postgresql "* ]]; then
        apt_install postgresql-common &&
            "${as_root[@]}" sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' \
                /etc/postgresql-common/createcluster.conf || done=1
    fi
    [[ $done -ne 0 ]] || apt_install "$@" || done=1
    [[ -z $made ]] || "${as_root[@]}" rm -f "$made"
    return "$done"
}

install_packages() {
    local entry missing=()
    for entry in "${packages[@]}"; do
        is_there "${entry%%:*}" || is_in_the_way "${entry%%:*}" || missing+=("${entry##*:}")
    done
    [[ ${#missing[@]} -eq 0 ]] && return 0
    if has apt-get && { [[ $EUID -eq 0 ]] || has sudo; } &&
        "${as_root[@]}" apt-get update -qq && apt_install_without_services "${missing[@]}"; then
        return 0
    fi
    printf 'These packages are missing and cannot be installed here: %s\n' "${missing[*]}"
    has cc || fail "a C compiler is needed"
    # The programs themselves: `cargo build` builds what needs no more than a C compiler.
    is_there webkit || fail "the window cannot be built without libwebkit2gtk-4.1-dev"
    [[ -z ${CI:-} ]] || fail "CI must have them"
    printf 'The tests that need them are skipped.\n'
}
