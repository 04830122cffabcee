// SPDX-License-Identifier: GPL-2.0
/*
 * MRs over dma-bufs, the way drivers of real devices are meant to have them.
 */

#include <linux/delay.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <rdma/ib_umem.h>
#include <rdma/ib_user_dmabuf.h>
#include <rdma/iter.h>
#include <rdma/uverbs_ioctl.h>

#include "internal.h"

/**
 * struct edu_mr - an MR
 * @ibmr: as verbs know it
 * @edu: what it is on; in @ibmr it is there too late for a revocation
 * @umem: its memory
 * @plain_revocable: @umem is from ib_umem_dmabuf_get_pinned_revocable_and_lock()
 */
struct edu_mr {
	struct ib_mr ibmr;
	struct edu_dev *edu;
	struct ib_umem *umem;
	bool plain_revocable;
};

/* The exporter takes the memory back, so access has to end. The reservation lock is held. */
static void revoke(void *priv)
{
	struct edu_mr *mr = priv;
	struct edu_dev *edu = mr->edu;

	atomic_inc(&edu_counts.callbacks);
	if (!(edu->function->ops.access_flags & IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE) ||
	    edu_command(edu, EDU_IB_REVOKE, mr->ibmr.lkey, NULL))
		ib_dmabuf_stop(&edu->ibdev);
}

/* From here to end_command() the exporter does not take the memory back. */
static int begin_command(struct edu_mr *mr)
{
	struct ib_umem_dmabuf *umem_dmabuf = to_ib_umem_dmabuf(mr->umem);

	if (!mr->plain_revocable)
		return ib_umem_dmabuf_begin(mr->umem);
	ib_umem_dmabuf_revoke_lock(umem_dmabuf);
	if (!umem_dmabuf->revoked)
		return 0;
	ib_umem_dmabuf_revoke_unlock(umem_dmabuf);
	return -ENODEV;
}

static void end_command(struct edu_mr *mr, bool device_has_it)
{
	struct ib_umem_dmabuf *umem_dmabuf = to_ib_umem_dmabuf(mr->umem);

	if (!mr->plain_revocable) {
		ib_umem_dmabuf_end(mr->umem, device_has_it ? revoke : NULL, mr);
		return;
	}
	ib_umem_dmabuf_set_revoke_locked(umem_dmabuf, device_has_it ? revoke : NULL, mr);
	ib_umem_dmabuf_revoke_unlock(umem_dmabuf);
}

static bool pin_requested(struct uverbs_attr_bundle *attrs)
{
	u32 access;

	return !uverbs_get_flags32(&access, attrs, UVERBS_ATTR_REG_DMABUF_MR_ACCESS_FLAGS,
				   U32_MAX) &&
	       access & IB_UVERBS_ACCESS_DMABUF_PINNED;
}

static struct ib_umem_dmabuf *get_umem(struct edu_mr *mr, u64 offset, u64 length, int fd,
				       int access, struct uverbs_attr_bundle *attrs)
{
	struct ib_umem_dmabuf *umem_dmabuf;

	mr->plain_revocable = edu_plain_revocable && !pin_requested(attrs);
	if (!mr->plain_revocable)
		return ib_umem_dmabuf_get_pinned_attrs(&mr->edu->ibdev, offset, length, fd, access,
						       attrs);
	umem_dmabuf = ib_umem_dmabuf_get_pinned_revocable_and_lock(&mr->edu->ibdev, offset, length,
								   fd, access);
	if (!IS_ERR(umem_dmabuf))
		ib_umem_dmabuf_revoke_unlock(umem_dmabuf);
	return umem_dmabuf;
}

static struct edu_hw_mr *make_hw_mr(struct ib_umem *umem, u64 iova, u64 length, int access)
{
	struct ib_block_iter biter;
	struct edu_hw_mr *hw_mr;
	u64 page_size;
	size_t num, i = 0;

	page_size = ib_umem_find_best_pgsz(umem, edu_page_sizes, iova);
	if (!page_size)
		return ERR_PTR(-EINVAL);
	num = ib_umem_num_dma_blocks(umem, page_size);
	hw_mr = kvzalloc(struct_size(hw_mr, pages, num), GFP_KERNEL);
	if (!hw_mr)
		return ERR_PTR(-ENOMEM);

	hw_mr->num_pages = num;
	hw_mr->page_size = page_size;
	hw_mr->access = access;
	hw_mr->iova = iova;
	hw_mr->length = length;
	rdma_umem_for_each_dma_block(umem, &biter, page_size)
	{
		if (WARN_ON(i == num))
			break;
		hw_mr->pages[i++] = rdma_block_iter_dma_address(&biter);
	}
	WARN_ON(i != num);
	return hw_mr;
}

/* The driver has a region, and the device does not. */
static void pause(void)
{
	atomic_inc(&edu_counts.paused);
	while (READ_ONCE(edu_pause))
		msleep(10);
	atomic_dec(&edu_counts.paused);
}

static int give_to_hardware(struct edu_mr *mr, u64 iova, u64 length, int access)
{
	struct edu_hw_mr *hw_mr;
	int ret;

	hw_mr = make_hw_mr(mr->umem, iova, length, access);
	if (IS_ERR(hw_mr))
		return PTR_ERR(hw_mr);
	ret = edu_command(mr->edu, EDU_IB_REG, mr->ibmr.lkey, hw_mr);
	if (ret == -ETIMEDOUT) {
		/* The device may yet execute it, so it cannot be trusted with freed memory. */
		ib_dmabuf_stop(&mr->edu->ibdev);
		/* As later registrations are told. A time-out would be the exporter's. */
		ret = -EIO;
	}
	return ret;
}

struct ib_mr *edu_reg_user_mr_dmabuf(struct ib_pd *pd, u64 offset, u64 length, u64 iova, int fd,
				     int access, REG_DMABUF_DMAH struct uverbs_attr_bundle *attrs)
{
	struct ib_umem_dmabuf *umem_dmabuf;
	struct edu_mr *mr;
	int ret;

	if (access & ~(EDU_ACCESS | IB_ACCESS_OPTIONAL))
		return ERR_PTR(-EOPNOTSUPP);
	mr = kzalloc(sizeof(*mr), GFP_KERNEL);
	if (!mr)
		return ERR_PTR(-ENOMEM);
	mr->edu = to_edu_dev(pd->device);
	mr->ibmr.length = length;

	umem_dmabuf = get_umem(mr, offset, length, fd, access, attrs);
	if (IS_ERR(umem_dmabuf)) {
		ret = PTR_ERR(umem_dmabuf);
		goto err_mr;
	}
	mr->umem = &umem_dmabuf->umem;
	ret = edu_hw_alloc_key(&mr->ibmr.lkey);
	if (ret)
		goto err_umem;
	mr->ibmr.rkey = mr->ibmr.lkey;

	pause();
	ret = begin_command(mr);
	if (ret)
		goto err_key;
	ret = give_to_hardware(mr, iova, length, access);
	end_command(mr, !ret);
	if (ret)
		goto err_key;
	atomic_inc(&edu_counts.mrs);
	return &mr->ibmr;

err_key:
	edu_hw_free_key(mr->ibmr.lkey);
err_umem:
	ib_umem_release(mr->umem);
err_mr:
	kfree(mr);
	return ERR_PTR(ret);
}

/* The device may fail to do it: then the MR stays. That is no reason to stop the device. */
int edu_dereg_mr(struct ib_mr *ibmr, struct ib_udata *udata)
{
	struct edu_mr *mr = container_of(ibmr, struct edu_mr, ibmr);
	bool live = !begin_command(mr);
	int ret;

	/* A region that was revoked still has its key. */
	ret = edu_command(mr->edu, EDU_IB_DEREG, ibmr->lkey, NULL);
	if (ret && edu_is_stopped(mr->edu))
		ret = 0;
	if (live)
		end_command(mr, ret);
	if (ret)
		return ret;

	pause();
	ib_umem_release(mr->umem);
	kfree(mr);
	atomic_dec(&edu_counts.mrs);
	return 0;
}
