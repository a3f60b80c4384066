# shellcheck shell=bash
# Whether the code compiles for macOS and Windows.

# In the order in which they are checked.
readonly other_systems=(aarch64-apple-darwin x86_64-pc-windows-gnu)

# check_systems: lints the programs for the other systems, as far as that goes without their C compilers and linkers.
check_systems() {
    local target
    for target in "${other_systems[@]}"; do
        # Rust's own libraries come from where the toolchain came from, which is not everywhere within reach.
        if [[ $'\n'$(rustup target list --installed 2>/dev/null)$'\n' != *$'\n'"$target"$'\n'* ]] &&
            ! timeout 300 rustup target add --quiet "$target"; then
            printf 'Rust for %s cannot be had here: skipped\n' "$target"
            continue
        fi
        printf '%s\n' "$target"
        check_system "$target" || return 1
    done
}

check_system() {
    local name=${1//-/_} none=$PWD/scripts/test.d/no-compiler
    env "CC_$name=$none/cc" "CXX_$name=$none/cc" "AR_$name=$none/ar" "AWS_LC_SYS_PREBUILT_NASM_$name=1" \
        cargo clippy --locked --target "$1" --lib --bins \
        -p ensafer-core -p ensafer-client -p ensafer-daemon -p ensafer-tray -p ensafer-window -- -D warnings
}
