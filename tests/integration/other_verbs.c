// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Other verbs that could be given a dma-buf MR or the bits meant for one.
 */
#include <sys/mman.h>

#include "area.h"
#include "fixture.h"
#include "raw_ioctl.h"
#include "rc_pair.h"
#include "test.h"

#define REREG_ALL \
	(IBV_REREG_MR_CHANGE_TRANSLATION | IBV_REREG_MR_CHANGE_PD | IBV_REREG_MR_CHANGE_ACCESS)

static void *anonymous(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(map, MAP_FAILED);
	return map;
}

static void bits_on_ordinary_registrations(void **state)
{
	struct fixture *f = *state;
	void *anon = anonymous(4 * PAGE);
	struct usage before;
	struct raw_mr raw;
	uint32_t bits;

	usage_read(&before);
	for (bits = 1; bits < 8; bits++) {
		int access = ACCESS_ALL | (int)(bits << 16);

		errno = 0;
		assert_null(ibv_reg_mr(f->pd, anon, 4 * PAGE, access));
		assert_errno(errno, EINVAL, "ibv_reg_mr with access %#x", access);
		errno = 0;
		assert_null(ibv_reg_mr_iova(f->pd, anon, 4 * PAGE, 0, access));
		assert_errno(errno, EINVAL, "ibv_reg_mr_iova with access %#x", access);
		assert_errno(raw_reg_mr(f->context->cmd_fd, f->pd->handle, anon, 4 * PAGE, access,
					&raw),
			     EINVAL, "REG_MR with access %#x", access);
	}
	assert_usage(&before, "the bits on ordinary registrations");
	munmap(anon, 4 * PAGE);
}

static void bits_on_rereg_of_an_ordinary_region(void **state)
{
	struct fixture *f = *state;
	void *anon = anonymous(4 * PAGE);
	struct ibv_mr *mr = ibv_reg_mr(f->pd, anon, 4 * PAGE, ACCESS_ALL);
	uint32_t bits;
	int err;

	assert_non_null(mr);
	for (bits = 1; bits < 8; bits++) {
		err = raw_rereg_mr(f->context->cmd_fd, mr->handle, IBV_REREG_MR_CHANGE_ACCESS, anon,
				   4 * PAGE, f->pd->handle, ACCESS_ALL | bits << 16);
		if (err != EINVAL && err != EOPNOTSUPP)
			fail_msg("REREG_MR with bits %#x: %s", bits << 16, strerrorname(err));
	}
	deregister(mr);
	munmap(anon, 4 * PAGE);
}

/* A region that was asked to become something else, and refused, is still what it was. */
static void rereg_refused(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, 4 * PAGE);
	struct dmabuf *source = fixture_buffer(f, SYSTEM_HEAP, 4 * PAGE);
	struct ibv_ext_dmabuf_mr_info before, after;
	struct ibv_mr *mr, *from;
	void *anon = anonymous(4 * PAGE);
	struct area area, expected;
	struct ibv_pd *other;
	struct usage held;
	unsigned int flags, pinned;

	other = ibv_alloc_pd(f->context);
	assert_non_null(other);
	from = register_all(f->pd, source);
	area_init(&expected, source, 1);

	for (pinned = 0; pinned < 2; pinned++) {
		mr = register_with_bits(f->pd, buf, pinned ? IB_UVERBS_ACCESS_DMABUF_PINNED : 0);
		area_init(&area, buf, 2 + pinned);
		before = query_mr(mr);
		usage_read(&held);

		for (flags = 1; flags <= REREG_ALL; flags++) {
			/* libibverbs does not even ask the kernel */
			errno = 0;
			assert_int_equal(ibv_rereg_mr(mr, flags, other, anon, 4 * PAGE, ACCESS_ALL),
					 IBV_REREG_MR_ERR_INPUT);
			assert_errno(errno, EINVAL, "ibv_rereg_mr with flags %#x", flags);

			/* What else a driver can do for a plain region is up to it. */
			if (!pinned && !(flags & IBV_REREG_MR_CHANGE_TRANSLATION))
				continue;
			assert_errno(raw_rereg_mr(f->context->cmd_fd, mr->handle, flags, anon,
						  4 * PAGE, other->handle, ACCESS_ALL),
				     EOPNOTSUPP, "REREG_MR with flags %#x", flags);
			assert_errno(raw_rereg_mr(f->context->cmd_fd, mr->handle, flags, anon,
						  4 * PAGE, other->handle,
						  ACCESS_ALL | IB_UVERBS_ACCESS_DMABUF_PINNED),
				     EOPNOTSUPP, "REREG_MR with PINNED, flags %#x", flags);
		}
		assert_usage(&held, "after all kinds of rereg");

		after = query_mr(mr);
		assert_memory_equal(&before, &after, sizeof(after));
		assert_int_equal(
			rc_write(pair, (struct rc_bytes){ .length = 3 * PAGE, .key = from->lkey },
				 17, mr->rkey),
			IBV_WC_SUCCESS);
		area_expect_copy(&area, 17, &expected, 0, 3 * PAGE);
		area_check(&area, "write after rereg");
		area_free(&area);
		deregister(mr);
	}

	area_free(&expected);
	deregister(from);
	assert_int_equal(ibv_dealloc_pd(other), 0);
	munmap(anon, 4 * PAGE);
}

/*
 * The driver's own answer: it cannot, and nothing has changed; or it can, and it
 * has. Never does the region get a right that the descriptor had not.
 */
static void rereg_of_a_plain_region(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct dmabuf *source = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_mr *mr, *from = register_all(f->pd, source);
	struct rc_bytes bytes = { .length = PAGE, .key = from->lkey };
	const uint8_t zeroes[PAGE] = {};
	int read_only, status, err;

	memset(source->map, 0x35, PAGE);
	for (read_only = 0; read_only < 2; read_only++) {
		struct dmabuf *buf = read_only ? fixture_read_only_buffer(f, PAGE) :
						 fixture_buffer(f, SYSTEM_HEAP, PAGE);

		mr = ibv_reg_dmabuf_mr(f->pd, 0, PAGE, 0, buf->fd, ACCESS_READ);
		assert_non_null(mr);
		err = raw_rereg_mr(f->context->cmd_fd, mr->handle, IBV_REREG_MR_CHANGE_ACCESS, NULL,
				   0, 0, ACCESS_ALL);
		if (err != EOPNOTSUPP)
			assert_errno(err, read_only ? EACCES : 0, "REREG_MR");
		status = rc_write(pair, bytes, 0, mr->rkey);
		assert_int_equal(status, err ? IBV_WC_REM_ACCESS_ERR : IBV_WC_SUCCESS);
		assert_memory_equal(buf->map, err ? zeroes : source->map, PAGE);
		assert_errno(rc_pair_reset(pair), 0, "connecting again");
		deregister(mr);
	}
	deregister(from);
}

/* Also the driver's own, and the MR is then of the other PD, or still of its own. */
static void another_pd_for_a_plain_region(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_mr *mr = register_with_bits(f->pd, buf, 0);
	struct ibv_pd *other = ibv_alloc_pd(f->context);
	int err;

	assert_non_null(other);
	err = raw_rereg_mr(f->context->cmd_fd, mr->handle, IBV_REREG_MR_CHANGE_PD, NULL, 0,
			   other->handle, 0);
	if (err != EOPNOTSUPP)
		assert_errno(err, 0, "REREG_MR");
	assert_errno(ibv_dealloc_pd(err ? f->pd : other), EBUSY, "the PD that has the MR");
	deregister(mr);
	assert_int_equal(ibv_dealloc_pd(other), 0);
}

/* Windows are not offered: the right to bind one is no right of such a region. */
static void window_by_the_provider(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_mr *mr = register_all(f->pd, buf);
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_BIND_MW,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_mw.bind_info = {
			.mr = mr,
			.length = PAGE,
			.mw_access_flags = IBV_ACCESS_REMOTE_READ,
		},
	};
	struct ibv_mw_bind bind = {
		.bind_info = wr.bind_mw.bind_info,
	};
	struct ibv_send_wr *bad;
	struct ibv_mw *mw;

	mw = ibv_alloc_mw(f->pd, IBV_MW_TYPE_1);
	assert_non_null(mw);
	assert_errno(ibv_bind_mw(pair->requester, mw, &bind), EINVAL, "ibv_bind_mw");
	assert_int_equal(ibv_dealloc_mw(mw), 0);

	mw = ibv_alloc_mw(f->pd, IBV_MW_TYPE_2);
	assert_non_null(mw);
	wr.bind_mw.mw = mw;
	wr.bind_mw.rkey = ibv_inc_rkey(mw->rkey);
	assert_errno(ibv_post_send(pair->requester, &wr, &bad), EINVAL, "IBV_WR_BIND_MW");
	assert_int_equal(ibv_dealloc_mw(mw), 0);

	deregister(mr);
}

/*
 * The provider knows the MR for what it is only by its own record. Without it,
 * here because the MR was registered behind its back, the kernel has to refuse.
 */
static void window_by_the_kernel(void **state)
{
	struct fixture *f = *state;
	struct rc_pair *pair = fixture_pair(f);
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	void *anon = anonymous(PAGE);
	struct ibv_mr *ordinary = ibv_reg_mr(f->pd, anon, PAGE, ACCESS_ALL);
	struct raw_region region = {
		.pd = f->pd->handle,
		.fd = buf->fd,
		.length = PAGE,
		.access = ACCESS_ALL | IB_UVERBS_ACCESS_DMABUF_PINNED,
	};
	struct ibv_send_wr wr = {
		.opcode = IBV_WR_BIND_MW,
		.send_flags = IBV_SEND_SIGNALED,
		.bind_mw.bind_info = {
			.mr = ordinary,
			.length = PAGE,
			.mw_access_flags = IBV_ACCESS_REMOTE_READ,
		},
	};
	struct ibv_send_wr *bad;
	struct ibv_mr *to;
	uint32_t own_lkey;
	struct raw_mr mr;
	int status;

	assert_non_null(ordinary);
	assert_errno(raw_reg_dmabuf_mr(f->context->cmd_fd, &region, &mr), 0, "registration");
	wr.bind_mw.mw = ibv_alloc_mw(f->pd, IBV_MW_TYPE_2);
	assert_non_null(wr.bind_mw.mw);
	wr.bind_mw.rkey = ibv_inc_rkey(wr.bind_mw.mw->rkey);

	/* an ordinary MR in name, the dma-buf's by its key */
	own_lkey = ordinary->lkey;
	ordinary->lkey = mr.lkey;
	assert_int_equal(ibv_post_send(pair->requester, &wr, &bad), 0);
	status = rc_wait(pair);
	ordinary->lkey = own_lkey;
	assert_int_equal(status, IBV_WC_MW_BIND_ERR);

	assert_errno(rc_pair_reset(pair), 0, "connecting again");
	to = ibv_reg_mr(f->pd, anon, PAGE, ACCESS_ALL);
	assert_non_null(to);
	status = rc_read(pair,
			 (struct rc_bytes){ .addr = (uintptr_t)anon, .length = 8, .key = to->lkey },
			 0, wr.bind_mw.rkey);
	assert_int_equal(status, IBV_WC_REM_ACCESS_ERR);
	deregister(to);

	assert_int_equal(ibv_dealloc_mw(wr.bind_mw.mw), 0);
	assert_errno(raw_dereg_mr(f->context->cmd_fd, mr.handle), 0, "deregistration");
	deregister(ordinary);
	munmap(anon, PAGE);
}

/* An object that is in use stays. */
static void pd_in_use(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct ibv_mr *mr = register_all(f->pd, buf);

	assert_errno(ibv_dealloc_pd(f->pd), EBUSY, "ibv_dealloc_pd");
	deregister(mr);
}

static void deregistered_twice(void **state)
{
	struct fixture *f = *state;
	struct dmabuf *buf = fixture_buffer(f, UDMABUF, PAGE);
	struct raw_region region = {
		.pd = f->pd->handle,
		.fd = buf->fd,
		.length = PAGE,
		.access = ACCESS_ALL | IB_UVERBS_ACCESS_DMABUF_PINNED,
	};
	struct raw_mr mr;

	assert_errno(raw_reg_dmabuf_mr(f->context->cmd_fd, &region, &mr), 0, "registration");
	assert_errno(raw_dereg_mr(f->context->cmd_fd, mr.handle), 0, "deregistration");
	assert_errno(raw_dereg_mr(f->context->cmd_fd, mr.handle), ENOENT, "the same again");
	assert_errno(raw_dereg_mr(f->context->cmd_fd, f->pd->handle), EINVAL, "a PD");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bits_on_ordinary_registrations),
		TEST(bits_on_rereg_of_an_ordinary_region),
		TEST(rereg_refused),
		TEST(rereg_of_a_plain_region),
		TEST(another_pd_for_a_plain_region),
		TEST(window_by_the_provider),
		TEST(window_by_the_kernel),
		TEST(pd_in_use),
		TEST(deregistered_twice),
	};

	return cmocka_run_group_tests_name("other verbs", tests, NULL, NULL);
}
