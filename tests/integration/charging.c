// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "charging.h"

struct charging {
	int cmd_fd;
	struct raw_region region;
	atomic_int err;
	time_t end;
};

static void *charge_often(void *arg)
{
	struct charging *charging = arg;
	struct raw_mr mr;
	int err;

	while (!atomic_load(&charging->err) && time(NULL) < charging->end) {
		err = raw_reg_dmabuf_mr(charging->cmd_fd, &charging->region, &mr);
		if (!err)
			err = raw_dereg_mr(charging->cmd_fd, mr.handle);
		if (err)
			atomic_store(&charging->err, err);
	}
	return NULL;
}

int charge_in_two_threads(int cmd_fd, const struct raw_region *region, unsigned int seconds)
{
	struct charging charging = {
		.cmd_fd = cmd_fd,
		.region = *region,
		.end = time(NULL) + seconds,
	};
	pthread_t thread;
	int err;

	err = pthread_create(&thread, NULL, charge_often, &charging);
	if (err)
		return err;
	charge_often(&charging);
	pthread_join(thread, NULL);
	return charging.err;
}
