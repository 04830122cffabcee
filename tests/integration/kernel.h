/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What is different from one version of the kernel to another, where the contract lets it be.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Does a region that the exporter may revoke have a pin of its own, apart from the others of its
 * buffer, whatever the exporter? Since Linux 7.0 an exporter sees which attachments are of that
 * kind. Before, all are attached in the same way, and only one with a pin operation calls back.
 */
bool kernel_pins_by_consent(void);

/*
 * With what flags a region over memory that the exporter may take back can be had: consent
 * where that is asked for, none where it is taken back all the same.
 */
uint32_t kernel_least_consent(void);

/*
 * Who removes an rxe device or its driver waits until its users have ended. Since Linux 7.0
 * what they have is destroyed under them.
 */
bool kernel_waits_for_users_of_rxe(void);

/* 6.12's dma-buf maps a buffer for who attaches statically, and pins it for that. */
bool kernel_maps_at_attach(void);

/* Since Linux 7.0, limits of the rdma cgroup are a number or "max", with nothing after it. */
bool kernel_reads_limits_strictly(void);

/* 6.12's udmabuf maps the first page of a huge one for all that follow. */
bool kernel_maps_huge_udmabufs(void);

#endif /* KERNEL_H */
