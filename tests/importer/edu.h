/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The test importer's module and its ioctls as functions. All return 0 or an
 * errno value unless they say otherwise. @dev is from edu_open(); what each does
 * is in edu_ib.h.
 */
#ifndef EDU_H
#define EDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edu_ib.h"

/* Load the module from a file, with its parameters as insmod takes them. */
int edu_load(const char *path, const char *parameters);
int edu_unload(void);
/* Change a parameter of the loaded module, or all that can be changed to their defaults. */
int edu_set(const char *parameter, const char *value);
int edu_set_number(const char *parameter, unsigned int value);
int edu_reset_parameters(void);

/* A fd, or -1 with errno. */
int edu_open(void);

/* The device reads from or writes to an MR. */
int edu_read(int dev, uint32_t key, uint64_t iova, void *to, size_t length);
int edu_write(int dev, uint32_t key, uint64_t iova, const void *from, size_t length);

int edu_mr_info(int dev, uint32_t key, struct edu_ib_mr_info *info);
int edu_counters(int dev, struct edu_ib_counters *counters);

/* Take the driver away from the device, or give it back. */
int edu_unbind(void);
int edu_bind(void);

/* Reset the PCI function, as an administrator does; and whether anybody can. */
int edu_reset_function(void);
int edu_allow_reset(bool allow);

#endif /* EDU_H */
