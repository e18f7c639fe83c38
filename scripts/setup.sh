#!/bin/bash
# Install what is missing, on Debian and its kin. Asks dpkg first, so that a run with everything in
# place needs neither the network nor root.
# usage: setup.sh demo|test      demo: to build the program and draw; test: for the tests as well
set -euo pipefail
packages=(build-essential cmake ninja-build pkg-config libcsv-dev libcjson-dev libgsl-dev
    libzstd-dev zlib1g-dev libssl-dev gnuplot-nox mawk)
tools=(cc cmake ninja pkg-config gnuplot)
if [ "${1-}" = test ]; then
    packages+=(clang clang-format clang-tidy shellcheck libcriterion-dev zstd gzip libopenmpi-dev
        openmpi-bin)
    tools+=(c++ clang clang-format clang-tidy shellcheck zstd gzip)
elif [ "${1-}" != demo ]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2 && exit 2
fi

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "This is no Debian. llmsim needs what Debian calls: ${packages[*]}"
    for tool in "${tools[@]}"; do
        command -v "$tool" >/dev/null || { echo "$tool is missing; please install it" && exit 1; }
    done
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} != 0 ] || exit 0

echo "== installing ${missing[*]}"
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "neither root nor sudo: please install ${missing[*]}" && exit 1
    }
    as_root=(sudo)
fi
"${as_root[@]}" apt-get -q update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q install --yes --no-install-recommends "${missing[@]}"
