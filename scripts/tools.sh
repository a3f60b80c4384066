# shellcheck shell=bash
# Cargo's own programs that the scripts need, of pinned versions. Sourced by scripts.

readonly tools="$PWD/target/tools"
# shellcheck disable=SC2034 # For whoever sources this.
readonly cargo_deb_version=3.8.0 cargo_deny_version=0.20.2

# install_tool NAME VERSION: puts the program into target/tools/bin, unless it is there.
install_tool() {
    [[ -x $tools/bin/$1 && $("$tools/bin/$1" --version) == *"$2" ]] && return 0
    # A directory of its own: it shares no dependency's build with the workspace. Unoptimised: what they do is small.
    CARGO_TARGET_DIR="$tools/build" cargo install --quiet --locked --debug --force --root "$tools" "$1@$2" || return 1
    rm -rf "$tools/build"
}
