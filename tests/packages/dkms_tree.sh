# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
#
# Sourced by what installs the packages that tests/packages/run has built in a tree with Debian's kernel.

repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
work=$repo/build/packages
name=${0##*/}
base=$work/$name-base
tree=$work/$name-tree
packages=(dkms initramfs-tools iproute2 kmod mount openssl procps python3-pyverbs util-linux)
# What the packages need, and their users build programs with
packages+=(cmake gcc libc6-dev libjson-c5 librdmacm-dev make pkgconf)

say()
{
	printf '%4d s  %s\n' $SECONDS "$*"
}

die()
{
	printf '%s: %s\n' "$name" "$*" >&2
	exit 1
}

# logged NAME COMMAND...: what it says goes to SCRIPT-NAME.log and is shown if it fails.
logged()
{
	local log=$work/$name-$1.log

	shift
	if ! "$@" > "$log" 2>&1; then
		tail -n 30 "$log" >&2
		die "failed: $* ($log)"
	fi
}

# shellcheck source=tests/packages/sources.sh
. "$repo/tests/packages/sources.sh"
# shellcheck source=tests/packages/tree.sh
. "$repo/tests/packages/tree.sh"

# load_kernel newest|older: Debian's kernel, its headers and its source; or those of the version before
load_kernel()
{
	local fetch=("$repo/kernel-uapi/tools/fetch" --quiet) versions=$repo/build/kernel/versions-6.12

	if [ "$1" = older ]; then
		fetch+=(--older)
		versions+=-older
	fi
	deb_source='' deb_image='' deb_headers='' deb_common='' deb_kbuild='' release=''
	"${fetch[@]}"
	# shellcheck source=/dev/null
	. "$versions"
	kernel_debs=("$deb_image" "$deb_headers" "$deb_common" "$deb_kbuild")
}

# make_tree: a tree with the kernel that was loaded, kept for the next time, and in it the packages to install
make_tree()
{
	local debs key

	mapfile -t debs < <(find "$work" -maxdepth 1 -name '*.deb' ! -name '*-dbgsym_*' | sort)
	[ ${#debs[@]} -gt 0 ] || die "no packages: run tests/packages/run first"
	key="$(apt_sources | sha256sum) $release ${packages[*]} $(declare -f make_base | sha256sum)"
	[ "$(cat "$base.key" 2> /dev/null)" = "$key" ] || make_base "$key"
	rm -rf "$tree"
	cp -a --reflink=auto "$base" "$tree"
	mkdir "$tree/packages"
	cp "${debs[@]}" "$tree/packages"
}

make_base()
{
	say "making a tree with Linux $release ($base.log)"
	rm -rf "$base" "$base.key"
	apt_sources > "$work/$name-sources.list"
	apt_settings > "$work/$name-apt.conf"
	logged base mmdebstrap --mode=root --variant=apt --include="$(IFS=,; echo "${packages[*]}")" \
		--skip=cleanup/apt/lists --aptopt="$work/$name-apt.conf" --dpkgopt=force-unsafe-io \
		"$(. /etc/os-release && echo "$VERSION_CODENAME")" "$base" "$work/$name-sources.list"
	printf '#!/bin/sh\nexit 101\n' > "$base/usr/sbin/policy-rc.d"
	chmod +x "$base/usr/sbin/policy-rc.d"
	mkdir "$base/kernel"
	cp "${kernel_debs[@]/#/$repo/build/downloads/}" "$base/kernel"
	logged kernel in_tree "$base" sh -c 'apt-get install --yes --no-install-recommends /kernel/*.deb'
	rm -rf "$base/kernel" "$base"/var/lib/apt/lists "$base"/var/cache/apt/*.bin
	cp "$repo/build/downloads/$deb_source" "$base/source.deb"
	printf '%s\n' "$1" > "$base.key"
}

# Every file with its kind and mode, and what a link names; not what is written whenever a kernel changes, nor the key
# that dkms makes for all modules.
list_tree()
{
	(cd "$tree" && find . \( -path "./${repo#/}" -o -path ./var/lib/dpkg -o -path ./var/log -o -path ./proc -o -path ./sys \
		-o -path ./dev -o -path ./tmp -o -path './var/lib/dkms/mok.*' \) -prune -o -printf '%p %y %m %l\n' | sort)
}

# ib_core_is WHERE: whose modprobe would load, and whose is in the initramfs
ib_core_is()
{
	local module

	module=$(in_tree "$tree" modinfo -k "$release" -n ib_core)
	case $module in
	*/"$1"/*) ;;
	*) die "ib_core is $module, and not in $1" ;;
	esac
	# Without the file's end, which may be a signature
	in_tree "$tree" lsinitramfs "/boot/initrd.img-$release" > "$work/$name-initramfs"
	grep "/ib_core\.ko" "$work/$name-initramfs" | grep -q "/$1/" ||
		die "the initramfs has $(grep '/ib_core\.ko' "$work/$name-initramfs")"
	say "ib_core is $module, in the initramfs as well"
}

# log_has TEXT: what the package said
log_has()
{
	grep -qF "$1" "$work/$name-$2.log" || die "$work/$name-$2.log does not say: $1"
	say "$(grep -F "$1" "$work/$name-$2.log" | head -n 1)"
}

# boot DOCUMENT...: the tree's kernel, and in it tests/packages/booted with the tutorial and these documents
boot()
{
	local kernel=$work/$name-kernel

	rm -rf "$kernel"
	mkdir -p "$kernel/lib/modules"
	cp "$tree/boot/vmlinuz-$release" "$kernel/vmlinuz"
	cp "$tree/boot/config-$release" "$kernel/config"
	echo "$release" > "$kernel/release"
	cp -a "$tree/lib/modules/$release" "$kernel/lib/modules/"
	rm -f "$kernel/lib/modules/$release"/{build,source}
	say "booting it"
	cp "$repo/tests/packages/booted" "$repo/docs/tutorial.md" "${@/#/$repo/docs/}" "$tree/"
	logged boot "$repo/tests/vm/run" --kernel "$kernel" --root "$tree" --timeout 900 -- \
		sh -euc 'cat /sys/module/ib_core/version; exec /booted /tutorial.md "$@"' sh "${@/#//}"
	log_has "ib-dmabuf-pinned" boot
	grep '^booted: ' "$work/$name-boot.log"
	log_has "OK" boot
	rm -r "$kernel" "$tree/booted" "$tree/tutorial.md" "${@/#/$tree/}"
}

[ "$(id -u)" = 0 ] || die "only root can make trees"
