# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash disable=SC2016 # what is in single quotes is for apt
#
# Sourced by what packages the tree, which has its directory in $repo: the project's sources, and those of packages.

# Those that git knows or would add, without those deleted in the work tree.
source_files()
{
	# shellcheck disable=SC2154 # the caller's
	(cd "$repo" && git ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' file; do
			[ ! -e "$file" ] && [ ! -L "$file" ] || printf '%s\0' "$file"
		done | sort -z)
}

# The distribution's own part of the machine's apt sources.
apt_sources()
{
	apt-get indextargets --format \
		'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' "Architecture: $(dpkg --print-architecture)" | sort -u
}

# Where the machine gets Debian from, without its security updates: for suites and architectures that have none here.
debian_mirror()
{
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1
}

# How apt gets at them
apt_settings()
{
	apt-config dump | grep -E '^Acquire::(https?|Retries)' || true
}
