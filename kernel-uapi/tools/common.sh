# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# shellcheck disable=SC2034 # most variables are for the tools that source this
#
# Sourced by every tool here: which series it is for, paths, messages, the lock, and what fetch found.

set -euo pipefail
export LC_ALL=C
# depmod is in sbin, which not every shell of root has.
PATH=$PATH:/usr/sbin:/sbin
# Of the make or the git hook that may have started this.
unset MAKEFLAGS MFLAGS MAKELEVEL ARCH CROSS_COMPILE KBUILD_OUTPUT GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

repo=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
tools=$repo/kernel-uapi/tools
tool=${0##*/}

# The series, and Debian's kernel that it is for: --linux VERSION before all other arguments of a tool. A tool that a
# tool runs gets it by the environment.
if [ "${1:-}" = --linux ]; then
	export KERNEL_UAPI_LINUX=${2:-}
	shift 2
fi
linux=${KERNEL_UAPI_LINUX:-6.12}
patches=$repo/kernel-uapi/patches/linux-$linux
if [ ! -d "$patches" ]; then
	echo "$tool: there is no series for Linux $linux in kernel-uapi/patches" >&2
	exit 2
fi
case $linux in
6.12)
	debian_suite='' suffix=''
	;;
*)
	# Where Debian has that kernel, and with it the compiler for its modules; how its builds are called
	debian_suite=trixie-backports suffix=-$linux
	;;
esac
downloads=$repo/build/downloads
work=$repo/build/kernel
kernels=$repo/build/kernels
tree=$work/linux-$linux
versions=$work/versions-$linux
uapi_header=include/uapi/rdma/ib_user_dmabuf.h
jobs=${JOBS:-$(nproc)}
mkdir -p "$work" "$kernels"

say()
{
	printf '%s: %s\n' "$tool" "$*"
}

die()
{
	printf '%s: %s\n' "$tool" "$*" >&2
	exit 1
}

need()
{
	local c missing=()

	for c in "$@"; do
		command -v "$c" > /dev/null || missing+=("$c")
	done
	[ ${#missing[@]} -eq 0 ] || die "missing: ${missing[*]} (tests/setup-host installs what is needed)"
}

# lock NAME: one process at a time works on the downloads, the tree, or one kernel; until it exits or unlocks.
lock()
{
	exec {lock_fd}> "$work/.lock-$1"
	if ! flock -n "$lock_fd"; then
		say "waiting for another process that works on the $1"
		flock "$lock_fd"
	fi
}

# Gives up the lock taken last.
unlock()
{
	exec {lock_fd}>&-
}

# Fetches the packages if need be; sets version (of the Debian packages), upstream, release (uname -r), and file names in
# build/downloads: deb_source, deb_image, deb_headers, deb_common, deb_kbuild; later kernels have parts of the image in
# deb_modules and deb_base.
load_versions()
{
	version='' upstream='' release='' deb_source='' deb_image='' deb_headers='' deb_common='' deb_kbuild=''
	deb_modules='' deb_base=''
	"$tools/fetch" --quiet
	# shellcheck source=/dev/null
	. "$versions"
	debian=$work/debian-$version
}

# in_builder COMMAND...: with the compiler of the kernel's release of Debian, on this machine if it has that, else in a
# tree, which has the source tree and $repo/build at the same place.
in_builder()
{
	local root=$repo/build/roots/builder-${debian_suite%-*}

	if [ -z "$debian_suite" ] || grep -qx "VERSION_CODENAME=${debian_suite%-*}" /etc/os-release; then
		"$@"
		return
	fi
	# shellcheck source=tests/packages/tree.sh
	. "$repo/tests/packages/tree.sh"
	"$tools/make-builder" "${debian_suite%-*}" >&2 || return
	in_tree_with "$repo" "$root" "$@"
}

# Hash of the names' contents, independent of where the repository lies and of time stamps.
hash_files()
{
	sha256sum -- "$@" | sed "s|  $repo/|  |" | sha256sum | cut -d' ' -f1
}

# The series in order; the cover letter is no patch.
list_patches()
{
	find "$patches" -maxdepth 1 -name '*.patch' ! -name '0000-*' 2> /dev/null | sort
}

# Identifies the source that the series makes: Debian's version and every patch.
series_key()
{
	local list

	mapfile -t list < <(list_patches)
	if [ ${#list[@]} -eq 0 ]; then
		echo "$version no patches"
	else
		echo "$version $(hash_files "${list[@]}")"
	fi
}

# git_in DIR ARGS...: git as it comes, whatever the user's own configuration says.
git_in()
{
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
		GIT_COMMITTER_NAME=kernel-uapi GIT_COMMITTER_EMAIL=kernel-uapi@localhost \
		git -c safe.directory='*' -C "$@"
}

kgit()
{
	git_in "$tree" "$@"
}

# $tree/.git/applied: what the tree's branch was made from (series_key, or that it is incomplete), and the commit.
applied_key()
{
	sed -n 1p "$tree/.git/applied" 2> /dev/null || true
}

applied_commit()
{
	sed -n 2p "$tree/.git/applied" 2> /dev/null || true
}

set_applied()
{
	printf '%s\n%s\n' "$1" "$(kgit rev-parse series)" > "$tree/.git/applied.tmp"
	mv "$tree/.git/applied.tmp" "$tree/.git/applied"
}

# Says why the tree holds work that is not in the patches; says nothing if it does not.
local_work()
{
	if [ -d "$tree/.git/rebase-apply" ] || [ -d "$tree/.git/rebase-merge" ]; then
		echo "a git am or rebase is in progress there"
	elif [ "$(kgit symbolic-ref -q --short HEAD)" != series ]; then
		echo "another branch than 'series' is checked out there"
	elif [ "$(kgit rev-parse series)" != "$(applied_commit)" ]; then
		echo "branch 'series' has commits there that are not in the patches"
	elif [ -n "$(kgit status --porcelain | head -n1)" ]; then
		echo "there are uncommitted changes: $(kgit status --porcelain | head -n3 | awk '{ print $2 }' | xargs)"
	fi
}

# source_key PATH...: identifies the content of these parts of the tree, edits that are not committed included.
source_key()
{
	{
		kgit diff --binary --no-renames base -- "$@" ':!Documentation'
		kgit ls-files -o -z --exclude-standard -- "$@" ':!Documentation' | (cd "$tree" && xargs -0 -r sha256sum)
	} | sha256sum | sed "s/ .*//; s/^/$version /"
}

# What a build of the RDMA modules outside of the kernel takes from the tree.
module_parts=(drivers/infiniband include/rdma include/uapi/rdma)
# Of these only the headers: bnxt_re and irdma sit on top of Ethernet drivers and include theirs.
header_parts=(drivers/net/ethernet/broadcom/bnxt drivers/net/ethernet/intel/ice)
# Not from the tree: how modules are built against Debian's headers, and what is found before a header of the same name
# among Debian's, which lacks what this adds.
stock=$repo/kernel-uapi/stock
stock_files=("$stock/Kbuild" "$stock/include/linux/cgroup_rdma.h")

# The directories, below drivers/infiniband, of the modules to build: core and rxe always, others once the series or
# an edit touches them.
module_dirs()
{
	{
		echo core/
		echo sw/rxe/
		kgit diff --name-only base -- drivers/infiniband
		kgit ls-files -o --exclude-standard -- drivers/infiniband
	} | sed 's|^drivers/infiniband/||' | grep -oE '^(core|(hw|sw|ulp)/[^/]+)/' | sort -u
}

# sync_modules SOURCE OBJ: brings OBJ, where modules are built, up to date with a kernel tree. Objects stay
# out of the tree itself: a build for another kernel from the same tree would pick them up.
sync_modules()
{
	local source=$1 obj=$2 part toolchain

	for part in "${module_parts[@]}"; do
		mkdir -p "$obj/$part"
		# By content and without time stamps: only what really changed is rebuilt.
		rsync -rl --checksum --delete --filter='P *.o' --filter='P *.ko' --filter='P *.mod' \
			--filter='P *.mod.c' --filter='P .*.cmd' --filter='P modules.order' \
			--exclude='*.rej' --exclude='*.orig' --exclude='*~' "$source/$part/" "$obj/$part/"
	done
	for part in "${header_parts[@]}"; do
		mkdir -p "$obj/$part"
		rsync -rl --checksum --delete --prune-empty-dirs --include='*/' --include='*.h' --exclude='*' \
			"$source/$part/" "$obj/$part/"
	done
	mkdir -p "$obj/include/trace"
	rsync -r --checksum "$stock/Kbuild" "$obj/"
	# Debian's newer kernels have the resource neither, but the series does not ask for it there.
	[ "$linux" != 6.12 ] || rsync -r --checksum "$stock/include" "$obj/"
	# What make does not see: that the objects are another Debian version's or another compiler's.
	toolchain="$version $(in_builder cc -dumpfullversion)"
	if [ "$(cat "$obj/.toolchain" 2> /dev/null)" != "$toolchain" ]; then
		find "$obj" \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '.*.cmd' \) -delete
		echo "$toolchain" > "$obj/.toolchain"
	fi
}

# make_modules OBJ DIRS ARGS...: builds the modules of these directories there against Debian's headers. Debian leaves
# efa out.
make_modules()
{
	in_builder make -C "$headers" M="$1" RDMA_DIRS="$2" -j "$jobs" --no-print-directory CONFIG_INFINIBAND_EFA=m "${@:3}" modules
}

# logged LOG TOTAL_FILE COMMAND...: runs a build with its output in LOG. Shows every compiler message, and a line
# about the progress every 15 seconds; TOTAL_FILE remembers how many steps the last complete build took.
logged()
{
	local log=$1 total_file=$2 steps=0 next=$((SECONDS + 15)) start=$SECONDS total='' line status

	shift 2
	[ ! -f "$total_file" ] || total=" of $(< "$total_file")"
	: > "$log"
	while IFS= read -r line; do
		printf '%s\n' "$line" >> "$log"
		case $line in
		'  '[A-Z]*) steps=$((steps + 1)) ;;
		make*ntering\ directory* | make*eaving\ directory* | Skipping\ BTF* | '') ;;
		'#'* | build_status=*) ;;
		# bnxt_re's own Makefile; see sync_modules
		*-Wmissing-include-dirs*) ;;
		*) printf '%s\n' "$line" ;;
		esac
		if [ $SECONDS -ge $next ]; then
			say "$steps$total steps, $((SECONDS - start)) s"
			next=$((SECONDS + 15))
		fi
	done < <("$@" 2>&1 < /dev/null && status=0 || status=$?; echo "build_status=$status")
	status=$(sed -n '$s/^build_status=//p' "$log")
	if [ "$status" != 0 ]; then
		say "failed: $*" >&2
		say "log: $log" >&2
		return 1
	fi
	# An incremental build says nothing about the number of steps of a complete one.
	if [ ! -f "$total_file" ] || [ "$steps" -gt "$(< "$total_file")" ]; then
		echo "$steps" > "$total_file"
	fi
}

# Debian's image, unpacked once, with its modules decompressed: the emulated machine boots faster, depmod too.
debian_image()
{
	local dir=$debian/image deb

	[ ! -d "$dir" ] || return 0
	say "unpacking Debian's image"
	mkdir -p "$debian"
	rm -rf "$dir.tmp"
	for deb in "$deb_image" ${deb_modules:+"$deb_modules"} ${deb_base:+"$deb_base"}; do
		dpkg-deb -x "$downloads/$deb" "$dir.tmp"
	done
	# Debian 13 installs below /usr/lib.
	if [ -d "$dir.tmp/usr/lib/modules" ]; then
		mkdir -p "$dir.tmp/lib"
		mv "$dir.tmp/usr/lib/modules" "$dir.tmp/lib/modules"
	fi
	# and later kernels all of it there.
	if [ -n "$deb_base" ]; then
		mkdir -p "$dir.tmp/boot"
		mv "$dir.tmp/lib/modules/$release/vmlinuz" "$dir.tmp/boot/vmlinuz-$release"
		mv "$dir.tmp/lib/modules/$release/config" "$dir.tmp/boot/config-$release"
	fi
	find "$dir.tmp/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -P "$jobs" -n 64 xz -d
	mv "$dir.tmp" "$dir"
}

# Debian's headers, unpacked once. The packages name each other's installed places by absolute path.
debian_headers()
{
	local dir=$debian/headers deb

	headers=$dir/usr/src/linux-headers-$release
	[ ! -d "$dir" ] || return 0
	say "unpacking Debian's headers"
	mkdir -p "$debian"
	rm -rf "$dir.tmp"
	for deb in "$deb_headers" "$deb_common" "$deb_kbuild"; do
		dpkg-deb -x "$downloads/$deb" "$dir.tmp"
	done
	# Found from the Makefile's own place, so that a moved or copied build directory goes on working.
	# shellcheck disable=SC2016 # make's, not the shell's
	sed -i 's,^\(include \|KBUILD_OUTPUT=\)/usr/src/,\1$(dir $(realpath $(lastword $(MAKEFILE_LIST))))../,' \
		"$dir.tmp/usr/src/linux-headers-$release/Makefile"
	# Without it modules are built without BTF, which only costs time here.
	rm -f "$dir.tmp/usr/src/linux-headers-$release/vmlinux"
	mv "$dir.tmp" "$dir"
}

# install_debian NAME: makes build/kernels/NAME from Debian's image unless it is there, sharing the files.
install_debian()
{
	local dir=$kernels/$1

	if [ -f "$dir/version" ] && [ "$(< "$dir/version")" = "$version" ]; then
		return 0
	fi
	debian_image
	rm -rf "$dir.tmp"
	mkdir -p "$dir.tmp/lib/modules"
	cp -al "$debian/image/lib/modules/$release" "$dir.tmp/lib/modules/"
	ln "$debian/image/boot/vmlinuz-$release" "$dir.tmp/vmlinuz"
	ln "$debian/image/boot/config-$release" "$dir.tmp/config"
	depmod -b "$dir.tmp" "$release"
	echo "$release" > "$dir.tmp/release"
	echo "$version" > "$dir.tmp/version"
	rm -rf "$dir"
	mv "$dir.tmp" "$dir"
	say "build/kernels/$1: Linux $release as Debian ships it"
}
