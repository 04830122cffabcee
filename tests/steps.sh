# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
#
# Sourced by ./demo and ./check: runs steps, says how long each took, counts.

steps_passed=0
steps_failed=0
steps_table=()

# step NAME COMMAND...: its status is the command's.
step()
{
	local name=$1 start=$SECONDS result=ok status=0

	shift
	printf '\n==> %s\n' "$name"
	"$@" || status=$?
	if [ $status -eq 0 ]; then
		steps_passed=$((steps_passed + 1))
	else
		steps_failed=$((steps_failed + 1))
		result="FAILED ($status)"
	fi
	steps_table+=("$(printf '%6d s  %-12s %s' $((SECONDS - start)) "$result" "$name")")
	printf '<== %s: %s, %d s\n' "$name" "$result" $((SECONDS - start))
	return $status
}

# A step that the rest needs: without it there is nothing more to do.
required_step()
{
	step "$@" || finish_steps
}

steps_summary()
{
	printf '\n'
	printf '%s\n' "${steps_table[@]}"
	printf '%6d s  in all\n' $SECONDS
}

finish_steps()
{
	steps_summary
	printf '%d passed, %d failed\n' "$steps_passed" "$steps_failed"
	[ "$steps_failed" -eq 0 ]
	exit
}

build_user_space()
{
	local log=build/user.log

	if ! { cmake -S . -B build/user && cmake --build build/user -j "$(nproc)"; } > $log 2>&1; then
		tail -n 40 $log >&2
		return 1
	fi
}
