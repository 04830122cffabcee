/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#include <stdint.h>

/* enum ibv_ext_dmabuf_placement in a word */
const char *placement_str(uint32_t placement);

#endif /* PLACEMENT_H */
