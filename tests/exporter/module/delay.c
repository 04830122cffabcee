// SPDX-License-Identifier: GPL-2.0
/*
 * A delay when a function of the kernel returns: of an importer, between its
 * look whether the memory is still there and its access to it.
 */

#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "internal.h"

#define DT_DELAY_MAX_US 10000
#define DT_DELAY_STEP_US 1000

/**
 * struct dt_delay - there is one at the most
 * @probe: of the function
 * @function: its name
 * @delay_us: how long
 * @returns: see struct dmabuf_test_delayed
 * @interrupted: likewise
 */
struct dt_delay {
	struct kretprobe probe;
	char function[sizeof_field(struct dmabuf_test_delay, function)];
	unsigned int delay_us;
	atomic64_t returns;
	atomic64_t interrupted;
};

/* For dt_delay and dt_delay_owner. */
static DEFINE_MUTEX(dt_delay_lock);
static struct dt_delay *dt_delay;
static const void *dt_delay_owner;

/* How often importers were told to let go of memory, counted before they are. */
static atomic_t dt_notifications;

void dt_delay_notification(void)
{
	atomic_inc(&dt_notifications);
}

/* Cannot sleep; whoever waits for the function's caller does so on another CPU. */
static int dt_delay_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct dt_delay *delay = container_of(get_kretprobe(instance), struct dt_delay, probe);
	unsigned int left = delay->delay_us, step;
	int before = atomic_read(&dt_notifications);

	if ((int)regs_return_value(regs))
		return 0;
	atomic64_inc(&delay->returns);
	while (left) {
		step = min(left, DT_DELAY_STEP_US);
		udelay(step);
		left -= step;
	}
	if (atomic_read(&dt_notifications) != before)
		atomic64_inc(&delay->interrupted);
	return 0;
}
NOKPROBE_SYMBOL(dt_delay_return);

static void dt_delay_remove(void)
{
	lockdep_assert_held(&dt_delay_lock);

	if (!dt_delay)
		return;
	unregister_kretprobe(&dt_delay->probe);
	kfree(dt_delay);
	dt_delay = NULL;
	dt_delay_owner = NULL;
}

int dt_delay_set(const void *owner, const struct dmabuf_test_delay *args)
{
	struct dt_delay *delay;
	int ret;

	if (args->delay_us > DT_DELAY_MAX_US || args->reserved)
		return -EINVAL;

	mutex_lock(&dt_delay_lock);
	dt_delay_remove();
	if (!args->delay_us) {
		ret = 0;
		goto out;
	}

	delay = kzalloc(sizeof(*delay), GFP_KERNEL);
	if (!delay) {
		ret = -ENOMEM;
		goto out;
	}
	strscpy(delay->function, args->function);
	delay->delay_us = args->delay_us;
	delay->probe.kp.symbol_name = delay->function;
	delay->probe.handler = dt_delay_return;
	delay->probe.maxactive = 64;
	ret = register_kretprobe(&delay->probe);
	if (ret) {
		kfree(delay);
		goto out;
	}
	dt_delay = delay;
	dt_delay_owner = owner;
out:
	mutex_unlock(&dt_delay_lock);
	return ret;
}

int dt_delay_read(struct dmabuf_test_delayed *args)
{
	int ret = -ENODATA;

	mutex_lock(&dt_delay_lock);
	if (dt_delay) {
		args->returns = atomic64_read(&dt_delay->returns);
		args->interrupted = atomic64_read(&dt_delay->interrupted);
		ret = 0;
	}
	mutex_unlock(&dt_delay_lock);
	return ret;
}

void dt_delay_close(const void *owner)
{
	mutex_lock(&dt_delay_lock);
	if (dt_delay_owner == owner)
		dt_delay_remove();
	mutex_unlock(&dt_delay_lock);
}
