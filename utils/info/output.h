/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What was found, for people and as JSON.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stddef.h>

#include "dmabuf_alloc.h"
#include "examine.h"

/* @dmabuf: what was asked about, or NULL */
void print_text(const struct device_info *devices, size_t num, const struct dmabuf_id *dmabuf);
void print_json(const struct device_info *devices, size_t num, const struct dmabuf_id *dmabuf);

#endif /* OUTPUT_H */
