#!/bin/sh
# Installs with apt what the build and the tests need on Debian 12, Debian 13 and Ubuntu 24.04, if it is missing.
# Go itself is not installed: go.dev/doc/install says how.
set -eu

# PACKAGE PROBE: a package is missing when its probe is neither a file nor a program. A probe may have a * in it.
needed="
ca-certificates       /etc/ssl/certs/ca-certificates.crt
debian-archive-keyring /usr/share/keyrings/debian-archive-keyring.gpg
gcc                   gcc
git                   git
libc6-dev             /usr/lib/*/libc.a
libseccomp-dev        /usr/lib/*/libseccomp.a
ovmf                  /usr/share/OVMF/OVMF_CODE_4M.fd
pkg-config            pkg-config
qemu-system-x86       qemu-system-x86_64
"

command -v go >/dev/null || { echo "Go is not installed: see https://go.dev/doc/install" >&2; exit 1; }

if ! command -v apt-get >/dev/null; then
  echo "This host has no apt: the build takes the kernel and other files out of Debian packages. Use Debian 12, 13 or Ubuntu 24.04." >&2
  exit 1
fi

# Ubuntu's apt knows no Debian mirror; the debootstrap script names one.
if [ -r /etc/os-release ] && grep -q '^ID=ubuntu$' /etc/os-release && [ -z "${DEBIAN_MIRROR:-}" ]; then
  needed="$needed
debootstrap           /usr/sbin/debootstrap
"
fi

is_there() {
  case $1 in
    /*) for file in $1; do [ -e "$file" ] && return 0; done; return 1 ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing=$(echo "$needed" | while read -r package probe; do
  [ -z "$package" ] || is_there "$probe" || echo "$package"
done)
[ -n "$missing" ] || exit 0

root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "Run as root, or install by hand:" $missing >&2
    exit 1
  }
  root=sudo
fi

echo "Installing with apt:" $missing
$root apt-get update -q

# The host's C library stays as it is, even where a newer one is to be had: take the libc6-dev of the same version.
libc=$(dpkg-query -W -f '${Version}' libc6)
wanted=
for package in $missing; do
  [ "$package" = libc6-dev ] && package="libc6-dev=$libc"
  wanted="$wanted $package"
done
if ! plan=$(apt-get install --simulate --no-install-recommends $wanted 2>&1); then
  echo "$plan" | tail -n 20 >&2
  echo "apt cannot install these beside the installed libc6 $libc. Upgrade this host first (apt-get upgrade), then try again." >&2
  exit 1
fi
if echo "$plan" | grep -q '^Inst libc6 '; then
  echo "Installing these would change libc6 $libc of this host. Upgrade this host first (apt-get upgrade), then try again." >&2
  exit 1
fi
$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $wanted
