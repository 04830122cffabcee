// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * libfabric_dmabuf DEVICE [COMMAND]
 *
 * A program of libfabric that knows nothing of pinned regions: it registers two udmabufs
 * with FI_MR_DMABUF, runs COMMAND, writes from one to the other by fi_write() and compares
 * all bytes. A call that fails is named, with its error number as exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_rma.h>

#define SIZE (1UL << 20)
#define OFFSET 12345UL
#define LENGTH 500000UL

struct buffer {
	uint8_t *map;
	struct fid_mr *mr;
	int fd;
};

static void check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "libfabric_dmabuf: %s: %s\n", what, fi_strerror(-ret));
	exit(-ret);
}

static int checked(int ret, const char *what)
{
	check(ret < 0 ? -errno : 0, what);
	return ret;
}

static void make_udmabuf(struct buffer *buf)
{
	int dev = checked(open("/dev/udmabuf", O_RDWR | O_CLOEXEC), "/dev/udmabuf");
	int memfd = checked(memfd_create("stacks", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd");
	struct udmabuf_create create = { .memfd = memfd, .size = SIZE };

	checked(ftruncate(memfd, SIZE), "ftruncate");
	checked(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), "F_SEAL_SHRINK");
	buf->fd = checked(ioctl(dev, UDMABUF_CREATE, &create), "UDMABUF_CREATE");
	buf->map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, buf->fd, 0);
	check(buf->map == MAP_FAILED ? -errno : 0, "mmap");
	close(memfd);
	close(dev);
}

static void reg(struct fid_domain *domain, struct buffer *buf)
{
	struct fi_mr_dmabuf dmabuf = { .fd = buf->fd, .len = SIZE };
	struct fi_mr_attr attr = {
		.dmabuf = &dmabuf,
		.iov_count = 1,
		.access = FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE,
		.iface = FI_HMEM_SYSTEM,
	};

	check(fi_mr_regattr(domain, &attr, FI_MR_DMABUF, &buf->mr), "fi_mr_regattr");
}

int main(int argc, char **argv)
{
	struct fi_cq_attr cq_attr = { .format = FI_CQ_FORMAT_CONTEXT };
	struct fi_av_attr av_attr = { .type = FI_AV_TABLE };
	struct fi_info *hints = fi_allocinfo(), *info;
	struct buffer from, to;
	struct fi_cq_entry entry;
	struct fid_fabric *fabric;
	struct fid_domain *domain;
	struct fid_av *av;
	struct fid_cq *cq;
	struct fid_ep *ep;
	char address[256];
	size_t address_size = sizeof(address), i;
	fi_addr_t peer;
	ssize_t ret;

	if (argc < 2 || argc > 3 || !hints)
		return 2;
	hints->caps = FI_MSG | FI_RMA;
	hints->ep_attr->type = FI_EP_RDM;
	hints->fabric_attr->prov_name = strdup("verbs;ofi_rxm");
	hints->domain_attr->name = strdup(argv[1]);
	hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED |
				      FI_MR_PROV_KEY;
	check(fi_getinfo(FI_VERSION(1, 20), NULL, NULL, 0, hints, &info), "fi_getinfo");
	check(fi_fabric(info->fabric_attr, &fabric, NULL), "fi_fabric");
	check(fi_domain(fabric, info, &domain, NULL), "fi_domain");
	check(fi_endpoint(domain, info, &ep, NULL), "fi_endpoint");
	check(fi_cq_open(domain, &cq_attr, &cq, NULL), "fi_cq_open");
	check(fi_av_open(domain, &av_attr, &av, NULL), "fi_av_open");
	check(fi_ep_bind(ep, &cq->fid, FI_TRANSMIT | FI_RECV), "fi_ep_bind");
	check(fi_ep_bind(ep, &av->fid, 0), "fi_ep_bind");
	check(fi_enable(ep), "fi_enable");
	check(fi_getname(&ep->fid, address, &address_size), "fi_getname");
	check(fi_av_insert(av, address, 1, &peer, 0, NULL) == 1 ? 0 : -EADDRNOTAVAIL,
	      "fi_av_insert");

	make_udmabuf(&from);
	make_udmabuf(&to);
	reg(domain, &from);
	reg(domain, &to);
	if (argc == 3)
		check(system(argv[2]) ? -ECHILD : 0, argv[2]);
	for (i = 0; i < SIZE; i++)
		from.map[i] = i % 251 + 1;
	do {
		/* Addresses in a region of a dma-buf are offsets in the dma-buf. */
		ret = fi_write(ep, (void *)OFFSET, LENGTH, fi_mr_desc(from.mr), peer, OFFSET,
			       fi_mr_key(to.mr), NULL);
		if (ret == -FI_EAGAIN)
			fi_cq_read(cq, NULL, 0);
	} while (ret == -FI_EAGAIN);
	check(ret, "fi_write");
	while ((ret = fi_cq_read(cq, &entry, 1)) == -FI_EAGAIN)
		;
	check(ret, "fi_cq_read");
	for (i = 0; i < SIZE; i++) {
		int moved = i >= OFFSET && i < OFFSET + LENGTH;

		if (to.map[i] != (moved ? from.map[i] : 0)) {
			fprintf(stderr, "libfabric_dmabuf: byte %zu is wrong\n", i);
			return EIO;
		}
	}
	printf("libfabric: %lu bytes written from one udmabuf to another\n", LENGTH);
	fi_close(&from.mr->fid);
	fi_close(&to.mr->fid);
	fi_close(&ep->fid);
	fi_close(&av->fid);
	fi_close(&cq->fid);
	fi_close(&domain->fid);
	fi_close(&fabric->fid);
	fi_freeinfo(info);
	fi_freeinfo(hints);
	return 0;
}
