#!/bin/sh
# Installs with apt what the build and the tests need on Debian 12, Debian 13 and Ubuntu 24.04, if it is missing. Its arguments are the
# architectures that are built for. Go itself is not installed: go.dev/doc/install says how.
set -eu

if ! command -v apt-get >/dev/null; then
  echo "This host has no apt: the build takes the kernel and other files out of Debian packages. Use Debian 12, 13 or Ubuntu 24.04." >&2
  exit 1
fi

# PACKAGE PROBE: a package is missing when its probe is neither a file nor a program. A probe may have a * in it.
needed="
ca-certificates       /etc/ssl/certs/ca-certificates.crt
debian-archive-keyring /usr/share/keyrings/debian-archive-keyring.gpg
git                   git
pkg-config            pkg-config
"

# The C compiler for an architecture: the host's own is in another package.
compiler() {
  if [ "$1" = "$(dpkg --print-architecture)" ]; then echo "gcc $3-gcc"; else echo "gcc-$2 $3-gcc"; fi
}

for arch; do
  case $arch in
    amd64) needed="$needed
$(compiler "$arch" x86-64-linux-gnu x86_64-linux-gnu)
ovmf                  /usr/share/OVMF/OVMF_CODE_4M.fd
qemu-system-x86       qemu-system-x86_64
" ;;
    arm64) needed="$needed
$(compiler "$arch" aarch64-linux-gnu aarch64-linux-gnu)
qemu-efi-aarch64      /usr/share/AAVMF/AAVMF_CODE.fd
qemu-system-arm       qemu-system-aarch64
" ;;
    armhf) needed="$needed
$(compiler "$arch" arm-linux-gnueabihf arm-linux-gnueabihf)
qemu-system-arm       qemu-system-arm
u-boot-qemu           /usr/lib/u-boot/qemu_arm/u-boot.bin
" ;;
    *) echo "$0: $arch is not one of amd64, arm64, armhf" >&2; exit 2 ;;
  esac
done

command -v go >/dev/null || { echo "Go is not installed: see https://go.dev/doc/install" >&2; exit 1; }

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

# The host's C library stays as it is, even where a newer one is to be had.
if ! plan=$(apt-get install --simulate --no-install-recommends $missing 2>&1); then
  echo "$plan" | tail -n 20 >&2
  echo "apt cannot install these. Upgrade this host first (apt-get upgrade), then try again." >&2
  exit 1
fi
if echo "$plan" | grep -q '^Inst libc6 '; then
  echo "Installing these would change libc6 of this host. Upgrade this host first (apt-get upgrade), then try again." >&2
  exit 1
fi
$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
