/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * A kernel for libibverbs-ext: uverbs devices, RDMA netlink, and libibverbs'
 * calls. The library's sources are linked with --wrap
 * for what is mocked here.
 */
#ifndef MOCK_H
#define MOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <rdma/rdma_user_ioctl_cmds.h>
#include <infiniband/verbs_ext.h>

#define MOCK_MAX_DEVICES 4
#define MOCK_MAX_CALLS 256
#define MOCK_MAX_WATCHES 16

/* A uverbs device open at fd. Its node is not in devtmpfs, unless a test puts it there. */
struct mock_device {
	int fd;
	dev_t rdev;
	dev_t node_dev;
	ino_t node_ino;
	nlink_t node_nlink;
	struct timespec node_ctim;
	_Atomic uint32_t driver_id;
	struct ibv_context context;
	struct ibv_pd pd;
};

struct mock_ioctl {
	int fd;
	unsigned long request;
	size_t length;
	uint8_t bytes[sizeof(struct ib_uverbs_ioctl_hdr) + 6 * sizeof(struct ib_uverbs_attr)];
	uint16_t method;
	uint32_t driver_id;
};

struct mock_reg {
	struct ibv_pd *pd;
	uint64_t offset;
	size_t length;
	uint64_t iova;
	int fd;
	int access;
	unsigned int ioctls_before;
};

/* A watch that the kernel has. */
struct mock_watch {
	uint32_t handle;
	int fd;
	uint64_t cookie;
};

/* What a query answers: 0 or an errno value, and a struct of the kernel's own size. */
struct mock_answer {
	int err;
	const void *data;
	size_t size;
};

struct mock_nl_device {
	uint32_t index;
	uint64_t chardev; /* as the kernel encodes it */
	int driver_id;	  /* -1: not told */
	int err;	  /* of GET_CHARDEV */
};

struct mock {
	struct mock_device devices[MOCK_MAX_DEVICES];
	unsigned int num_devices;

	struct mock_answer caps;
	struct mock_answer mr_info;
	struct mock_answer probe;
	unsigned int num_probes;
	int watch_err;
	int unwatch_err;
	struct mock_watch watches[MOCK_MAX_WATCHES];
	unsigned int num_watches;
	void (*in_watch)(void);	  /* called before the ioctl returns */
	void (*after_read)(void); /* called before read() returns an event */
	int event_file;		  /* the one made last */
	int events;		  /* what is written here is read from it */
	int event_file_err;
	int ioctl_err;	 /* of every ioctl, whatever it asks */
	int removed_err; /* of every method after the registration: the device is gone */
	_Atomic unsigned int num_fstats;
	const char *mountinfo; /* NULL: cannot be read */
	unsigned int num_mountinfo_reads;
	_Atomic unsigned int num_ioctls;
	struct mock_ioctl ioctls[MOCK_MAX_CALLS];

	bool nl_closed;
	int nl_dump_err;
	uint16_t nl_short_attr; /* an attribute that comes without its end */
	int nl_send_errno;
	const struct mock_nl_device *nl_devices;
	unsigned int num_nl_devices;
	uint8_t nl_requests[4][128];
	size_t nl_request_length[4];
	_Atomic unsigned int num_nl_requests;

	/* the call that sets up a file, counted from 1, that fails with EMFILE */
	unsigned int fail_file;
	unsigned int num_files;

	/* the call to an allocating function, counted from 1, that fails */
	unsigned int fail_alloc;
	unsigned int num_allocs;

	int reg_err;
	bool no_provider_op;
	bool cgroup_is_full;
	struct mock_reg regs[4];
	unsigned int num_regs;
	struct ibv_mr mr;
	uint64_t max_mr_size;

	const char *dlopen_path;
	int dlopen_flags;
	unsigned int num_dlopens;
	bool dlopen_fails;
	unsigned long at_secure;
};

extern struct mock mock;

/* cmocka's setup and teardown: one device, driver id rxe, patched kernel, no netlink */
int mock_setup(void **state);
int mock_teardown(void **state);

/* The file system of nodes in devtmpfs, as mock.mountinfo has it at first. */
#define MOCK_DEVTMPFS makedev(0, 6)

/* Add a device with a number that no test had before. */
struct mock_device *mock_add_device(uint32_t driver_id);

/* The number as RDMA netlink has it. */
uint64_t mock_encode_dev(dev_t rdev);

/* A method that the mock knows no more of than a kernel does. */
#define MOCK_NO_SUCH_METHOD 0x0fff

#endif /* MOCK_H */
