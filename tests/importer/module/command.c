// SPDX-License-Identifier: GPL-2.0
/*
 * The driver's side of the admin queue.
 */

#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"

/* How often a command that waits looks whether the device was stopped, in jiffies */
#define POLL DIV_ROUND_UP(HZ, 100)

/* By its own stop operation, or by the core on behalf of any importer on the function */
bool edu_is_stopped(struct edu_dev *edu)
{
	return READ_ONCE(edu->function->stopped) || ib_dmabuf_is_stopped(&edu->ibdev);
}

static struct edu_command *submit(struct edu_dev *edu, enum edu_ib_command op, u32 key,
				  struct edu_hw_mr *mr, unsigned long end)
{
	struct edu_command *cmd;

	while (!(cmd = edu_hw_submit(op, key, mr)) && time_before(jiffies, end) &&
	       !edu_is_stopped(edu))
		schedule_timeout_uninterruptible(POLL);
	return cmd;
}

/*
 * Has the device execute a command, and takes @mr, which is what EDU_IB_REG is
 * about. -ETIMEDOUT: the device did not say in time what came of it, and may yet
 * execute it. -EIO: it failed, or the device is stopped.
 */
int edu_command(struct edu_dev *edu, enum edu_ib_command op, u32 key, struct edu_hw_mr *mr)
{
	unsigned long end = jiffies + msecs_to_jiffies(READ_ONCE(edu_command_limit));
	struct edu_command *cmd;
	int ret;

	if (edu_is_stopped(edu)) {
		atomic_inc(&edu_counts.refused);
		kvfree(mr);
		return -EIO;
	}

	cmd = submit(edu, op, key, mr, end);
	if (!cmd) {
		kvfree(mr);
		ret = -ETIMEDOUT;
	} else {
		while (!edu_hw_wait(cmd, POLL) && !edu_is_stopped(edu) && time_before(jiffies, end))
			;
		ret = edu_hw_reap(cmd);
	}
	if (ret == -ETIMEDOUT) {
		if (edu_is_stopped(edu))
			ret = -EIO;
		else
			atomic_inc(&edu_counts.timeouts);
	}
	return ret;
}
