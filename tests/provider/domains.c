// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Thread domains and parent domains: what is created with one works with what
 * is created with its protection domain, and what is in use stays.
 */
#include "fixture.h"
#include "test.h"

static struct ibv_td *alloc_td(struct fixture *f)
{
	struct ibv_td_init_attr attr = {};
	struct ibv_td *td = ibv_alloc_td(f->context, &attr);

	assert_non_null(td);
	return td;
}

static struct ibv_pd *alloc_parent(struct fixture *f, struct ibv_td *td)
{
	struct ibv_parent_domain_init_attr attr = { .pd = f->pd, .td = td };
	struct ibv_pd *parent = ibv_alloc_parent_domain(f->context, &attr);

	assert_non_null(parent);
	return parent;
}

/* From a region of the parent domain to one of the protection domain, by QPs without locks. */
static void test_traffic(void **state)
{
	static uint8_t from[PAGE], to[PAGE];
	struct fixture *f = *state;
	struct ibv_td *td = alloc_td(f);
	struct ibv_pd *parent = alloc_parent(f, td);
	struct ibv_mr *from_mr = ibv_reg_mr(parent, from, sizeof(from), IBV_ACCESS_LOCAL_WRITE);
	struct ibv_mr *to_mr =
		ibv_reg_mr(f->pd, to, sizeof(to), IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	struct rc_bytes bytes = { .addr = (uintptr_t)from, .length = sizeof(from) };

	assert_true(from_mr && to_mr);
	memset(from, 0x5a, sizeof(from));
	bytes.key = from_mr->lkey;
	assert_errno(rc_pair_create(&f->pair, parent), 0, "QPs in the parent domain");
	for (int i = 0; i < 100; i++)
		assert_int_equal(rc_write(&f->pair, bytes, (uintptr_t)to, to_mr->rkey),
				 IBV_WC_SUCCESS);
	assert_memory_equal(to, from, sizeof(to));

	rc_pair_destroy(&f->pair);
	deregister(from_mr);
	deregister(to_mr);
	assert_errno(ibv_dealloc_pd(parent), 0, "parent domain");
	assert_errno(ibv_dealloc_td(td), 0, "thread domain");
}

static void test_in_use(void **state)
{
	struct fixture *f = *state;
	struct ibv_td *td = alloc_td(f);
	struct ibv_pd *parent = alloc_parent(f, td);

	assert_errno(ibv_dealloc_td(td), EBUSY, "thread domain of a parent domain");
	assert_errno(ibv_dealloc_pd(f->pd), EBUSY, "protection domain of a parent domain");
	assert_errno(ibv_dealloc_pd(parent), 0, "parent domain");
	assert_errno(ibv_dealloc_td(td), 0, "thread domain");
}

/* A parent domain without a thread domain, in a CQ */
static void test_without_thread_domain(void **state)
{
	struct fixture *f = *state;
	struct ibv_pd *parent = alloc_parent(f, NULL);
	struct ibv_cq_init_attr_ex attr = {
		.cqe = 1,
		.comp_mask = IBV_CQ_INIT_ATTR_MASK_PD,
		.parent_domain = parent,
	};
	struct ibv_cq_ex *cq = ibv_create_cq_ex(f->context, &attr);

	assert_non_null(cq);
	assert_errno(ibv_destroy_cq(ibv_cq_ex_to_cq(cq)), 0, "CQ");
	assert_errno(ibv_dealloc_pd(parent), 0, "parent domain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_traffic),
		TEST(test_in_use),
		TEST(test_without_thread_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
