/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>

enum operation {
	OP_WRITE,
	OP_READ,
	OP_SEND,
	OP_COUNT,
};

enum exporter {
	EXPORTER_UDMABUF,
	EXPORTER_HEAP,
	/* no dma-buf */
	EXPORTER_MEMFD,
	EXPORTER_ANON,
};

enum mr_kind {
	MR_PINNED,   /* ibv_ext_reg_dmabuf_mr() */
	MR_PLAIN,    /* ibv_reg_dmabuf_mr() */
	MR_ORDINARY, /* ibv_reg_mr(), without a dma-buf */
};

struct options {
	const char *server; /* NULL: be the server */
	const char *device; /* NULL: the first */
	const char *heap;
	unsigned int port;
	unsigned int ib_port;
	size_t size;
	size_t buffer; /* 0: as much as the messages need */
	enum ibv_mtu mtu;
	unsigned int rx_depth;
	unsigned int iters;
	unsigned int sl;
	int gid_index; /* -1: choose */
	unsigned int wait;
	unsigned int reg_iters;
	enum operation op;
	enum exporter exporter;
	enum mr_kind mr;
	bool events;
	bool json;
};

enum options_result {
	OPTIONS_OK,
	OPTIONS_HELP, /* printed */
	OPTIONS_BAD,  /* said why on stderr */
};

enum options_result options_parse(struct options *o, int argc, char *argv[]);

const char *operation_str(enum operation op);
const char *exporter_str(enum exporter exporter);
const char *mr_kind_str(enum mr_kind mr);

#endif /* OPTIONS_H */
