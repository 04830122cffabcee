# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
#
# Sourced by ./demo and ./check: runs steps, says how long each took, counts.

steps_passed=0
steps_failed=0
steps_table=()
steps_queue=()

# expect_minutes FIRST AGAIN GIB: what a run takes on an idle machine with two processors, the first time and
# afterwards, and on the disk.
expect_minutes()
{
	printf 'About %d minutes the first time, %d afterwards, %d GiB in build/; more on a busy machine.\n' "$@"
}

# end_step NAME SECONDS STATUS: counts a step that has ended.
end_step()
{
	local result=ok

	if [ "$3" -eq 0 ]; then
		steps_passed=$((steps_passed + 1))
	else
		steps_failed=$((steps_failed + 1))
		result="FAILED ($3)"
	fi
	steps_table+=("$(printf '%6d s  %-12s %s' "$2" "$result" "$1")")
	printf '<== %s: %s, %d s\n' "$1" "$result" "$2"
}

# step NAME COMMAND...: its status is the command's.
step()
{
	local start=$SECONDS status=0

	printf '\n==> %s\n' "$1"
	"${@:2}" || status=$?
	end_step "$1" $((SECONDS - start)) $status
	return $status
}

# A step that the rest needs: without it there is nothing more to do.
required_step()
{
	step "$@" || finish_steps
}

# queue_step NAME COMMAND...: a step for run_queued_steps.
queue_step()
{
	steps_queue+=("$(printf '%q ' "$@")")
}

# Runs the queued steps, two at a time: a virtual machine often waits. What a step prints follows when it has ended.
run_queued_steps()
{
	local output i=0 number command status
	local -A pids=() starts=()

	output=$(mktemp -d)
	trap 'for number in "${!pids[@]}"; do kill -- "-${pids[$number]}"; done' EXIT
	while [ $i -lt ${#steps_queue[@]} ] || [ ${#pids[@]} -gt 0 ]; do
		if [ $i -lt ${#steps_queue[@]} ] && [ ${#pids[@]} -lt 2 ]; then
			eval "command=(${steps_queue[i]})"
			printf '... %s\n' "${command[0]}"
			# A process group of its own, which can be ended as a whole
			set -m
			{
				status=0
				"${command[@]:1}" || status=$?
				echo $status > "$output/$i.status"
			} > "$output/$i" 2>&1 < /dev/null &
			set +m
			pids[$i]=$!
			starts[$i]=$SECONDS
			i=$((i + 1))
			continue
		fi
		sleep 0.2
		for number in "${!pids[@]}"; do
			! kill -0 "${pids[$number]}" 2> /dev/null || continue
			# There is none of a step that was killed.
			status=$(cat "$output/$number.status" 2> /dev/null || echo 137)
			eval "command=(${steps_queue[number]})"
			printf '\n==> %s\n' "${command[0]}"
			cat "$output/$number"
			end_step "${command[0]}" $((SECONDS - starts[$number])) "$status"
			unset "pids[$number]"
		done
	done
	trap - EXIT
	rm -r "$output"
	steps_queue=()
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

# build_user_space DIRECTORY [OPTION...]: in build/DIRECTORY, with more options of cmake
build_user_space()
{
	local dir=build/$1 log=build/$1.log

	if ! { cmake -S . -B "$dir" -DWERROR=ON "${@:2}" && cmake --build "$dir" -j "$(nproc)"; } > "$log" 2>&1; then
		tail -n 40 "$log" >&2
		return 1
	fi
}
