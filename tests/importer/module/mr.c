// SPDX-License-Identifier: GPL-2.0
/*
 * MRs over dma-bufs, the way drivers of real devices are meant to have them.
 */

#include <linux/delay.h>
#include <linux/dma-buf.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <rdma/ib_umem.h>
#include <rdma/iter.h>

#include "internal.h"

struct edu_mr *edu_mr_find_locked(struct edu_dev *edu, u32 key)
{
	lockdep_assert_held(&edu->engine);
	return xa_load(&edu->mrs, key);
}

/*
 * What hardware does with an address: @part of the @length bytes are at @addr.
 */
int edu_mr_locate_locked(struct edu_dev *edu, u32 key, u64 iova, u32 length, bool write,
			 dma_addr_t *addr, u32 *part)
{
	struct edu_mr *mr = edu_mr_find_locked(edu, key);
	u64 pos;

	if (!mr || mr->revoked)
		return -EFAULT;
	if (iova < mr->ibmr.iova || iova - mr->ibmr.iova > mr->ibmr.length ||
	    length > mr->ibmr.length - (iova - mr->ibmr.iova) ||
	    (write && !(mr->access & IB_ACCESS_LOCAL_WRITE)))
		return -EACCES;

	/* The list starts with the page that holds the first byte. */
	pos = iova - ALIGN_DOWN(mr->ibmr.iova, mr->page_size);
	*addr = mr->pages[div64_u64(pos, mr->page_size)] + (pos & (mr->page_size - 1));
	*part = min3(length, (u32)EDU_PIECE, (u32)(mr->page_size - (pos & (mr->page_size - 1))));
	return 0;
}

/* The core wants access to end. The reservation lock is held. */
static void stop_access(void *priv)
{
	struct edu_mr *mr = priv;
	struct edu_dev *edu = to_edu_dev(mr->ibmr.device);

	msleep(READ_ONCE(edu_revoke_delay));
	mutex_lock(&edu->engine);
	mr->callbacks++;
	edu->callbacks++;
	/* The lock is that of the transfer that may have been under way. */
	if (!READ_ONCE(edu_fail_revoke))
		mr->revoked = true;
	mutex_unlock(&edu->engine);

	/* As if the command had failed. */
	if (READ_ONCE(edu_fail_revoke))
		ib_dmabuf_quiesce(&edu->ibdev);
}

/* With the reservation lock held, whatever it is. */
static struct ib_umem_dmabuf *get_umem_and_lock(struct edu_dev *edu, u64 offset, u64 length, int fd,
						int access, struct uverbs_attr_bundle *attrs)
{
	struct ib_umem_dmabuf *umem_dmabuf;

	if (edu_plain_revocable && !ib_dmabuf_pin_requested(attrs))
		return ib_umem_dmabuf_get_pinned_revocable_and_lock(&edu->ibdev, offset, length, fd,
								    access);

	umem_dmabuf =
		ib_umem_dmabuf_get_pinned_attrs(&edu->ibdev, offset, length, fd, access, attrs);
	if (!IS_ERR(umem_dmabuf))
		ib_umem_dmabuf_revoke_lock(umem_dmabuf);
	return umem_dmabuf;
}

static struct edu_mr *make_mr(struct ib_umem *umem, u64 iova, u64 length, int access)
{
	struct ib_block_iter biter;
	u64 page_size;
	struct edu_mr *mr;
	size_t num, i = 0;

	page_size = ib_umem_find_best_pgsz(umem, edu_page_sizes, iova);
	if (!page_size)
		return ERR_PTR(-EINVAL);
	num = ib_umem_num_dma_blocks(umem, page_size);
	mr = kvzalloc(struct_size(mr, pages, num), GFP_KERNEL);
	if (!mr)
		return ERR_PTR(-ENOMEM);

	mr->num_pages = num;
	mr->page_size = page_size;
	mr->access = access;
	mr->ibmr.iova = iova;
	mr->ibmr.length = length;
	rdma_umem_for_each_dma_block(umem, &biter, page_size)
	{
		if (WARN_ON(i == num))
			break;
		mr->pages[i++] = rdma_block_iter_dma_address(&biter);
	}
	WARN_ON(i != num);
	return mr;
}

static int give_to_hardware(struct edu_dev *edu, struct edu_mr *mr)
{
	u32 key;
	int ret;

	mutex_lock(&edu->engine);
	ret = xa_alloc_cyclic(&edu->mrs, &key, mr, XA_LIMIT(1, U32_MAX), &edu->next_key,
			      GFP_KERNEL);
	if (ret >= 0) {
		mr->ibmr.lkey = mr->ibmr.rkey = key;
		edu->num_mrs++;
		ret = 0;
	}
	mutex_unlock(&edu->engine);
	return ret;
}

struct ib_mr *edu_reg_user_mr_dmabuf(struct ib_pd *pd, u64 offset, u64 length, u64 iova, int fd,
				     int access, struct uverbs_attr_bundle *attrs)
{
	struct edu_dev *edu = to_edu_dev(pd->device);
	struct ib_umem_dmabuf *umem_dmabuf;
	struct edu_mr *mr;
	int ret;

	umem_dmabuf = get_umem_and_lock(edu, offset, length, fd, access, attrs);
	if (IS_ERR(umem_dmabuf))
		return ERR_CAST(umem_dmabuf);
	if (umem_dmabuf->revoked) {
		ret = -ENODEV;
		goto err_unlock;
	}

	mr = make_mr(&umem_dmabuf->umem, iova, length, access);
	if (IS_ERR(mr)) {
		ret = PTR_ERR(mr);
		goto err_unlock;
	}
	mr->umem_dmabuf = umem_dmabuf;
	mr->ibmr.device = &edu->ibdev;
	ret = give_to_hardware(edu, mr);
	if (ret)
		goto err_mr;

	if (edu_allow_revoke)
		ib_umem_dmabuf_set_revoke_locked(umem_dmabuf, stop_access, mr);
	ib_umem_dmabuf_revoke_unlock(umem_dmabuf);
	return &mr->ibmr;

err_mr:
	kvfree(mr);
err_unlock:
	ib_umem_dmabuf_revoke_unlock(umem_dmabuf);
	ib_umem_release(&umem_dmabuf->umem);
	return ERR_PTR(ret);
}

int edu_dereg_mr(struct ib_mr *ibmr, struct ib_udata *udata)
{
	struct edu_mr *mr = container_of(ibmr, struct edu_mr, ibmr);
	struct edu_dev *edu = to_edu_dev(ibmr->device);

	ib_umem_dmabuf_revoke_lock(mr->umem_dmabuf);
	mutex_lock(&edu->engine);
	xa_erase(&edu->mrs, ibmr->lkey);
	edu->num_mrs--;
	mutex_unlock(&edu->engine);
	/* Nobody revokes what the device has forgotten. */
	ib_umem_dmabuf_set_revoke_locked(mr->umem_dmabuf, NULL, NULL);
	ib_umem_dmabuf_revoke_unlock(mr->umem_dmabuf);

	ib_umem_release(&mr->umem_dmabuf->umem);
	kvfree(mr);
	return 0;
}
