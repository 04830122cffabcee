/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What a reason is called, and what its user can do.
 */
#ifndef ADVICE_H
#define ADVICE_H

#include <infiniband/verbs_ext.h>

/* As in enum ibv_ext_dmabuf_reason, without the prefix; "UNKNOWN" for values beyond. */
const char *reason_name(enum ibv_ext_dmabuf_reason reason);

/* Sentences; NULL for NONE and for values beyond. */
const char *reason_advice(enum ibv_ext_dmabuf_reason reason);

#endif /* ADVICE_H */
