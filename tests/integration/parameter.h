/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * The parameters of ib_uverbs that an administrator sets. They are the whole
 * machine's: a test that changes one has parameters_reset() in its teardown.
 */
#ifndef PARAMETER_H
#define PARAMETER_H

#include <stddef.h>

#define PIN_POLICY "dmabuf_pin_policy"
#define CHARGE_ALL "dmabuf_charge_all"

/* 0 or an errno value */
int parameter_write(const char *name, const char *value);
int parameter_read(const char *name, char *value, size_t size);

/* Fails the test if the kernel does not take the value, or does not have it then. */
void parameter_set(const char *name, const char *value);
void parameter_assert(const char *name, const char *value);

/* All as after the module was loaded. */
void parameters_reset(void);

#endif /* PARAMETER_H */
