/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * Faults in what the calling thread has the kernel do: its n-th allocation, or
 * copy from or to user space, fails. Only allocations below dma_buf_vmap() do
 * not: 6.12 warns when an exporter's vmap fails. Needs a kernel with fault
 * injection; see its Documentation/fault-injection.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

bool faults_available(void);

/* Leaves the test out where there are none. */
void faults_setup(void);

/* From here on; @nth from 1. */
int fault_arm(unsigned int nth);

/* No more, with what fault_arm() returned. Whether the fault was reached. */
bool fault_disarm(int fault);

#endif /* FAULT_H */
