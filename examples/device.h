/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef DEVICE_H
#define DEVICE_H

#include <infiniband/verbs.h>

/* By name, or the first that opens if it is NULL; NULL if there is none. */
struct ibv_context *open_device(const char *name);

#endif /* DEVICE_H */
