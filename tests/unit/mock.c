// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#define _GNU_SOURCE
#include "mock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <netlink/msg.h>
#include <rdma/ib_user_ioctl_cmds.h>
#include <rdma/rdma_netlink.h>

struct mock mock;

static const struct ib_uverbs_dmabuf_caps patched = {
	.magic = 0x646d61627566706eULL,
	.version = 1,
	.access_flags = 0x70000,
};

static const struct ib_uverbs_dmabuf_mr_info live_mr = {
	.mode = IB_UVERBS_DMABUF_MODE_PINNED,
	.state = IB_UVERBS_DMABUF_STATE_LIVE,
	.placement = IB_UVERBS_DMABUF_PLACEMENT_SYSTEM,
	.flags = IB_UVERBS_DMABUF_MR_REQUESTED_PIN | IB_UVERBS_DMABUF_MR_CPU_ACCESS,
	.offset = 0x1000,
	.length = 0x2000,
	.iova = 0x7000,
	.dmabuf_size = 0x10000,
	.dmabuf_inode = 77,
	.charged = 0x10001,
	.dma_segments = 3,
	.exporter = "udmabuf",
};

static const struct ib_uverbs_dmabuf_probe nothing_wrong = {
	.placement = IB_UVERBS_DMABUF_PLACEMENT_SYSTEM,
	.flags = IB_UVERBS_DMABUF_MR_REQUESTED_PIN,
	.dmabuf_size = 0x10000,
	.dmabuf_inode = 78,
	.dma_segments = 4,
	.page_size = 0x200000,
	.charge = 0x10002,
	.memlock_limit = UINT64_MAX,
	.memlock_used = 0x30000,
	.exporter = "system",
};

struct mock_device *mock_add_device(uint32_t driver_id)
{
	/* the library's cache outlives a test, so device numbers are not used again */
	static unsigned int next_minor = 192;
	struct mock_device *device = &mock.devices[mock.num_devices++];

	device->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_true(device->fd >= 0);
	device->rdev = makedev(231, next_minor++);
	device->node_dev = makedev(0, 50);
	device->node_ino = 1;
	device->node_nlink = 1;
	device->node_ctim.tv_sec = 1700000000;
	device->driver_id = driver_id;
	device->context.cmd_fd = device->fd;
	device->pd.context = &device->context;
	return device;
}

static const char usual_mountinfo[] =
	"22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
	"23 22 0:6 / /dev rw,nosuid shared:2 - devtmpfs udev rw,mode=755\n"
	"24 23 0:50 / /dev/container rw - tmpfs tmpfs rw,size=65536k\n";

int mock_setup(void **state)
{
	(void)state;
	memset(&mock, 0, sizeof(mock));
	mock.caps = (struct mock_answer){ .data = &patched, .size = sizeof(patched) };
	mock.mr_info = (struct mock_answer){ .data = &live_mr, .size = sizeof(live_mr) };
	mock.probe = (struct mock_answer){ .data = &nothing_wrong, .size = sizeof(nothing_wrong) };
	mock.mountinfo = usual_mountinfo;
	mock.nl_closed = true;
	mock.events = -1;
	mock.max_mr_size = UINT64_MAX;
	mock_add_device(RDMA_DRIVER_RXE);
	mock.mr.context = &mock.devices[0].context;
	mock.mr.handle = 0x11223344;
	return 0;
}

int mock_teardown(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < mock.num_devices; i++)
		close(mock.devices[i].fd);
	if (mock.events >= 0)
		close(mock.events);
	return 0;
}

/* uverbs */

static struct mock_device *find_device(int fd)
{
	unsigned int i;

	for (i = 0; i < mock.num_devices; i++)
		if (mock.devices[i].fd == fd)
			return &mock.devices[i];
	return NULL;
}

int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st)
{
	struct mock_device *device = find_device(fd);
	int ret = __real_fstat(fd, st);

	mock.num_fstats++;
	if (!ret && device) {
		st->st_rdev = device->rdev;
		st->st_dev = device->node_dev;
		st->st_ino = device->node_ino;
		st->st_nlink = device->node_nlink;
		st->st_ctim = device->node_ctim;
	}
	return ret;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	assert_string_equal(path, "/proc/self/mountinfo");
	assert_string_equal(mode, "re");
	mock.num_mountinfo_reads++;
	if (mock.mountinfo)
		return fmemopen((void *)mock.mountinfo, strlen(mock.mountinfo), "r");
	errno = ENOENT;
	return NULL;
}

static void record_ioctl(int fd, unsigned long request, const struct ib_uverbs_ioctl_hdr *hdr)
{
	unsigned int n = atomic_fetch_add(&mock.num_ioctls, 1);
	struct mock_ioctl *call;

	/* the threads of the concurrency test make more than are kept */
	if (n >= MOCK_MAX_CALLS)
		return;
	call = &mock.ioctls[n];
	call->fd = fd;
	call->request = request;
	call->length = hdr->length;
	call->method = hdr->method_id;
	call->driver_id = hdr->driver_id;
	if (hdr->length <= sizeof(call->bytes))
		memcpy(call->bytes, hdr, hdr->length);
}

/* As uverbs_copy_to() and a handler that zeroes what it does not know. */
static void answer_out(struct ib_uverbs_attr *attr, const struct mock_answer *answer)
{
	size_t size = answer->size < attr->len ? answer->size : attr->len;

	memcpy((void *)(uintptr_t)attr->data, answer->data, size);
	attr->flags |= UVERBS_ATTR_F_VALID_OUTPUT;
}

static int answer(struct ib_uverbs_attr *attr, const struct mock_answer *answer)
{
	if (!answer->err)
		answer_out(attr, answer);
	return answer->err;
}

/* A datagram socket keeps events apart, as an event file does. */
static int make_event_file(struct ib_uverbs_attr *attr)
{
	int fds[2];

	if (mock.event_file_err)
		return mock.event_file_err;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	if (mock.events >= 0)
		close(mock.events);
	mock.events = fds[1];
	mock.event_file = fds[0];
	attr->data_s64 = fds[0];
	return 0;
}

static int add_watch(const struct ib_uverbs_attr *attrs)
{
	if (mock.watch_err)
		return mock.watch_err;
	assert_true(mock.num_watches < MOCK_MAX_WATCHES);
	mock.watches[mock.num_watches++] = (struct mock_watch){
		.handle = attrs[0].data,
		.fd = attrs[1].data_s64,
		.cookie = attrs[2].data,
	};
	if (mock.in_watch)
		mock.in_watch();
	return 0;
}

static int remove_watches(struct ib_uverbs_attr *attrs)
{
	unsigned int i, left = 0;

	if (mock.unwatch_err)
		return mock.unwatch_err;
	for (i = 0; i < mock.num_watches; i++)
		if (mock.watches[i].handle != attrs[0].data ||
		    mock.watches[i].fd != attrs[1].data_s64 ||
		    mock.watches[i].cookie != attrs[2].data)
			mock.watches[left++] = mock.watches[i];
	if (left == mock.num_watches)
		return ENOENT;
	mock.num_watches = left;
	*(uint32_t *)(uintptr_t)attrs[3].data = 0;
	attrs[3].flags |= UVERBS_ATTR_F_VALID_OUTPUT;
	return 0;
}

ssize_t __real_read(int fd, void *buf, size_t size);
ssize_t __wrap_read(int fd, void *buf, size_t size)
{
	ssize_t ret = __real_read(fd, buf, size);

	if (ret > 0 && mock.after_read)
		mock.after_read();
	return ret;
}

#define METHOD(object, method) ((object) << 16 | (method))

static int run_method(struct ib_uverbs_ioctl_hdr *hdr)
{
	if (mock.removed_err && mock.num_regs)
		return mock.removed_err;
	switch (METHOD(hdr->object_id, hdr->method_id)) {
	case METHOD(UVERBS_OBJECT_DEVICE, 16):
		return answer(&hdr->attrs[0], &mock.caps);
	case METHOD(UVERBS_OBJECT_DEVICE, 17):
		mock.num_probes++;
		return answer(&hdr->attrs[5], &mock.probe);
	case METHOD(UVERBS_OBJECT_MR, 16):
		return answer(&hdr->attrs[1], &mock.mr_info);
	case METHOD(UVERBS_OBJECT_MR, 17):
		return add_watch(hdr->attrs);
	case METHOD(UVERBS_OBJECT_MR, 18):
		return remove_watches(hdr->attrs);
	case METHOD(UVERBS_OBJECT_ASYNC_EVENT, UVERBS_METHOD_ASYNC_EVENT_ALLOC):
		return make_event_file(&hdr->attrs[0]);
	default:
		return EPROTONOSUPPORT;
	}
}

/* The checks of ib_uverbs_ioctl(), in its order. */
static int uverbs_ioctl(int fd, unsigned long request, struct ib_uverbs_ioctl_hdr *hdr)
{
	struct mock_device *device = find_device(fd);

	if (fcntl(fd, F_GETFD) < 0)
		return EBADF;
	if (!device || request != 0xc0181b01)
		return ENOTTY;
	record_ioctl(fd, request, hdr);
	if (mock.ioctl_err)
		return mock.ioctl_err;
	if (hdr->length != sizeof(*hdr) + hdr->num_attrs * sizeof(hdr->attrs[0]))
		return EINVAL;
	if (hdr->reserved1 || hdr->reserved2)
		return EPROTONOSUPPORT;
	if (hdr->driver_id != device->driver_id)
		return EINVAL;
	return run_method(hdr);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;
	int err;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	err = uverbs_ioctl(fd, request, arg);
	if (!err)
		return 0;
	errno = err;
	return -1;
}

/* libibverbs */

struct ibv_mr *__wrap_ibv_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t length,
					uint64_t iova, int fd, int access)
{
	struct mock_reg *reg = &mock.regs[mock.num_regs++];

	*reg = (struct mock_reg){ pd, offset, length, iova, fd, access, mock.num_ioctls };
	if (mock.no_provider_op)
		errno = EOPNOTSUPP;
	else if (mock.cgroup_is_full)
		errno = EAGAIN;
	else if ((offset ^ iova) & 0xfff)
		errno = EINVAL;
	else if (mock.reg_err)
		errno = mock.reg_err;
	else
		return &mock.mr;
	return NULL;
}

int __wrap_ibv_query_device(struct ibv_context *context, struct ibv_device_attr *attr)
{
	assert_ptr_equal(context, &mock.devices[0].context);
	if (!mock.max_mr_size)
		return EIO;
	memset(attr, 0x5a, sizeof(*attr));
	attr->max_mr_size = mock.max_mr_size;
	return 0;
}

/* RDMA netlink: what the library's requests are answered, on the wire. */

uint64_t mock_encode_dev(dev_t rdev)
{
	uint64_t minor_ = minor(rdev);

	return (minor_ & 0xff) | (uint64_t)major(rdev) << 8 | (minor_ & ~0xffULL) << 12;
}

#define MAX_REPLY 16384

/* A request and its answers stay in one thread. */
static _Thread_local struct {
	_Alignas(8) uint8_t bytes[MAX_REPLY];
	size_t length;
} reply;

static struct nlmsghdr *begin_reply(const struct nlmsghdr *request, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *hdr = (void *)(reply.bytes + reply.length);

	*hdr = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN,
				  .nlmsg_type = type,
				  .nlmsg_flags = flags,
				  .nlmsg_seq = request->nlmsg_seq,
				  .nlmsg_pid = request->nlmsg_pid };
	return hdr;
}

static void put_bytes(struct nlmsghdr *hdr, const void *data, size_t size)
{
	memcpy((char *)hdr + hdr->nlmsg_len, data, size);
	memset((char *)hdr + hdr->nlmsg_len + size, 0, NLMSG_ALIGN(size) - size);
	hdr->nlmsg_len += NLMSG_ALIGN(size);
}

static void put_attr(struct nlmsghdr *hdr, uint16_t type, const void *data, uint16_t size)
{
	struct nlattr attr = { .nla_type = type };

	if (mock.nl_short_attr == type)
		size = 2;
	attr.nla_len = NLA_HDRLEN + size;
	put_bytes(hdr, &attr, sizeof(attr));
	put_bytes(hdr, data, size);
}

static void end_reply(const struct nlmsghdr *hdr)
{
	reply.length += hdr->nlmsg_len;
	assert_true(reply.length <= MAX_REPLY);
}

static void reply_error(const struct nlmsghdr *request, int err)
{
	struct nlmsghdr *hdr = begin_reply(request, NLMSG_ERROR, 0);
	struct nlmsgerr error = { .error = -err, .msg = *request };

	put_bytes(hdr, &error, sizeof(error));
	end_reply(hdr);
}

static void reply_dump(const struct nlmsghdr *request)
{
	struct nlmsghdr *hdr;
	unsigned int i;
	int done = 0;

	for (i = 0; i < mock.num_nl_devices; i++) {
		hdr = begin_reply(request, request->nlmsg_type, NLM_F_MULTI);
		put_attr(hdr, RDMA_NLDEV_ATTR_DEV_INDEX, &mock.nl_devices[i].index, 4);
		put_attr(hdr, RDMA_NLDEV_ATTR_DEV_NAME, "rxe0", 5);
		end_reply(hdr);
	}
	hdr = begin_reply(request, NLMSG_DONE, NLM_F_MULTI);
	put_bytes(hdr, &done, sizeof(done));
	end_reply(hdr);
}

static const struct mock_nl_device *find_nl_device(uint32_t index)
{
	unsigned int i;

	for (i = 0; i < mock.num_nl_devices; i++)
		if (mock.nl_devices[i].index == index)
			return &mock.nl_devices[i];
	return NULL;
}

static void reply_chardev(struct nlmsghdr *request)
{
	const struct nlattr *index = nlmsg_find_attr(request, 0, RDMA_NLDEV_ATTR_DEV_INDEX);
	const struct mock_nl_device *device = find_nl_device(*(const uint32_t *)(index + 1));
	struct nlmsghdr *hdr;
	uint64_t abi = 2;

	if (!device || device->err) {
		reply_error(request, device ? device->err : EINVAL);
		return;
	}
	hdr = begin_reply(request, request->nlmsg_type, 0);
	if (device->driver_id >= 0)
		put_attr(hdr, RDMA_NLDEV_ATTR_UVERBS_DRIVER_ID, &device->driver_id, 4);
	put_attr(hdr, RDMA_NLDEV_ATTR_CHARDEV, &device->chardev, 8);
	put_attr(hdr, RDMA_NLDEV_ATTR_CHARDEV_ABI, &abi, 8);
	put_attr(hdr, RDMA_NLDEV_ATTR_CHARDEV_NAME, "uverbs0", 8);
	end_reply(hdr);
}

int __real_nl_connect(struct nl_sock *sock, int protocol);
int __wrap_nl_connect(struct nl_sock *sock, int protocol)
{
	assert_int_equal(protocol, NETLINK_RDMA);
	if (mock.nl_closed)
		return -NLE_PROTO_MISMATCH;
	reply.length = 0;
	/* a family that every kernel has; what is sent does not reach it */
	return __real_nl_connect(sock, NETLINK_ROUTE);
}

/* In the executable these come before libc's for libnl. */
__attribute__((visibility("default"))) ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct nlmsghdr *request = msg->msg_iov[0].iov_base;
	unsigned int n = atomic_fetch_add(&mock.num_nl_requests, 1);

	(void)flags;
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(msg->msg_iovlen, 1);
	if (mock.nl_send_errno) {
		errno = mock.nl_send_errno;
		return -1;
	}
	if (n < 4 && request->nlmsg_len <= sizeof(mock.nl_requests[0])) {
		memcpy(mock.nl_requests[n], request, request->nlmsg_len);
		mock.nl_request_length[n] = request->nlmsg_len;
	}
	if (request->nlmsg_type == RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_GET_CHARDEV))
		reply_chardev(request);
	else if (mock.nl_dump_err)
		reply_error(request, mock.nl_dump_err);
	else
		reply_dump(request);
	return request->nlmsg_len;
}

__attribute__((visibility("default"))) ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct sockaddr_nl *from = msg->msg_name;
	size_t size = reply.length;

	(void)fd;
	if (!reply.length) {
		errno = EAGAIN;
		return -1;
	}
	*from = (struct sockaddr_nl){ .nl_family = AF_NETLINK };
	msg->msg_namelen = sizeof(*from);
	msg->msg_controllen = 0;
	msg->msg_flags = 0;
	if (size > msg->msg_iov[0].iov_len) {
		size = msg->msg_iov[0].iov_len;
		msg->msg_flags = MSG_TRUNC;
	}
	memcpy(msg->msg_iov[0].iov_base, reply.bytes, size);
	if (flags & MSG_PEEK)
		return flags & MSG_TRUNC ? reply.length : size;
	reply.length = 0;
	return size;
}

/* Allocation, as far as the library asks for it. */

static bool alloc_fails(void)
{
	return mock.fail_alloc && ++mock.num_allocs == mock.fail_alloc;
}

struct nl_sock *__real_nl_socket_alloc(void);
struct nl_sock *__wrap_nl_socket_alloc(void)
{
	return alloc_fails() ? NULL : __real_nl_socket_alloc();
}

struct nl_msg *__real_nlmsg_alloc_simple(int type, int flags);
struct nl_msg *__wrap_nlmsg_alloc_simple(int type, int flags)
{
	return alloc_fails() ? NULL : __real_nlmsg_alloc_simple(type, flags);
}

int __wrap_nla_put_u32(struct nl_msg *msg, int type, uint32_t value)
{
	return alloc_fails() ? -NLE_NOMEM : nla_put(msg, type, sizeof(value), &value);
}

void *__real_calloc(size_t num, size_t size);
void *__wrap_calloc(size_t num, size_t size)
{
	if (alloc_fails()) {
		errno = ENOMEM;
		return NULL;
	}
	return __real_calloc(num, size);
}

/* Files that the library sets up */

static bool file_fails(void)
{
	if (!mock.fail_file || ++mock.num_files != mock.fail_file)
		return false;
	errno = EMFILE;
	return true;
}

int __real_eventfd(unsigned int value, int flags);
int __wrap_eventfd(unsigned int value, int flags)
{
	return file_fails() ? -1 : __real_eventfd(value, flags);
}

int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags)
{
	return file_fails() ? -1 : __real_epoll_create1(flags);
}

int __real_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	return file_fails() ? -1 : __real_epoll_ctl(epfd, op, fd, event);
}

/* loading */

void *__wrap_dlopen(const char *path, int flags)
{
	mock.num_dlopens++;
	mock.dlopen_path = path;
	mock.dlopen_flags = flags;
	return mock.dlopen_fails ? NULL : &mock;
}

unsigned long __wrap_getauxval(unsigned long type)
{
	assert_int_equal(type, AT_SECURE);
	return mock.at_secure;
}
