# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
#
# Sourced by what installs packages in a directory tree of its own.

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -- "$@"
	fi
}

# in_tree TREE COMMAND...: with /proc, in a mount namespace of its own, so that nothing stays mounted.
in_tree()
{
	# shellcheck disable=SC2016 # for the inner shell
	as_root env -u TMPDIR PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive \
		unshare --mount sh -euc 'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"' "$@"
}

# in_tree_with DIRECTORY TREE COMMAND...: with that directory of the host at the same place, too.
in_tree_with()
{
	# shellcheck disable=SC2016 # for the inner shell
	unshare --mount sh -euc 'mkdir -p "$2$1"; mount --bind "$1" "$2$1"; mount -t proc proc "$2/proc"; shift; exec chroot "$@"' \
		sh "$@"
}
