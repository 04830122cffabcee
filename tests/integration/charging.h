/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Two threads that get in each other's way as often as they can.
 */
#ifndef CHARGING_H
#define CHARGING_H

#include "raw_ioctl.h"

/*
 * Both register and deregister the same region for some seconds. Returns 0, or
 * the errno value of the first call that failed.
 */
int charge_in_two_threads(int cmd_fd, const struct raw_region *region, unsigned int seconds);

#endif /* CHARGING_H */
