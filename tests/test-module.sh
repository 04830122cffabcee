# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
#
# Sourced by the tests that come with a kernel module: builds it for a kernel of build/kernels.

# A kernel of another series than 6.12's has its version in its name.
case ${1:-} in
*-[0-9]*) export KERNEL_UAPI_LINUX=${1##*-} ;;
esac
# shellcheck source-path=SCRIPTDIR source=../kernel-uapi/tools/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../kernel-uapi/tools/common.sh"

# build_test_module SUITE HEADER MODULE KERNEL [MAKE-ARGUMENT...]: build/SUITE/KERNEL/MODULE.ko from tests/SUITE/module,
# whose interface with user space is tests/SUITE/HEADER.
build_test_module()
{
	local suite=$1 header=$2 module=$3 kernel=$4
	local objects=$work/$kernel-obj series='' symbols copy toolchain

	shift 4
	need cc make rsync flock
	lock "$suite-$kernel"
	load_versions

	# What the series adds is not in Debian's headers but with the modules that were built against them.
	case ${kernel%"$suffix"} in
	stock)
		series=$objects
		;&
	stock-unpatched)
		debian_headers
		objects=$headers
		;;
	esac
	symbols=${series:-$objects}/Module.symvers
	[ -f "$symbols" ] || die "no built kernel in ${symbols%/*}"

	# Kbuild puts its objects beside the sources, so each kernel has a copy.
	copy=$repo/build/$suite/$kernel
	mkdir -p "$copy"
	rsync -rl --checksum "$repo/tests/linux_versions.h" "$repo/tests/$suite/$header" "$repo/tests/$suite/module" "$copy/"
	# What make does not see: that the objects are another kernel's or another compiler's.
	toolchain="$version $(in_builder cc -dumpfullversion) $(hash_files "$symbols")"
	if [ "$(cat "$copy/.toolchain" 2> /dev/null)" != "$toolchain" ]; then
		find "$copy/module" \( -name '*.o' -o -name '*.ko' -o -name '*.mod*' -o -name '.*.cmd' \) -delete
		echo "$toolchain" > "$copy/.toolchain"
	fi
	if [ -n "$series" ]; then
		set -- KBUILD_EXTRA_SYMBOLS="$symbols" SERIES_INCLUDE="-I$series/include -I$series/include/uapi" "$@"
	fi
	logged "$copy/build.log" "$copy/steps" \
		in_builder make -C "$objects" M="$copy/module" -j "$jobs" --no-print-directory "$@" modules
	cp "$copy/module/$module.ko" "$copy/$module.ko.new"
	mv "$copy/$module.ko.new" "$copy/$module.ko"
}
