# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
#
# Sourced by what packages the tree, which has its directory in $repo.

# Those that git knows or would add, without those deleted in the work tree.
source_files()
{
	# shellcheck disable=SC2154 # the caller's
	(cd "$repo" && git ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' file; do
			[ ! -e "$file" ] && [ ! -L "$file" ] || printf '%s\0' "$file"
		done | sort -z)
}
