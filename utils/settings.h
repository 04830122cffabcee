/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What the administrator has set for pins: parameters of ib_uverbs.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>

#define PIN_POLICY_FILE "/sys/module/ib_uverbs/parameters/dmabuf_pin_policy"

struct settings {
	char policy[32]; /* on, revocable, off; empty: the kernel has no pinned regions */
	bool charge_all;
};

void settings_read(struct settings *settings);

#endif /* SETTINGS_H */
