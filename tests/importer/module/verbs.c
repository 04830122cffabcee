// SPDX-License-Identifier: GPL-2.0
/*
 * The RDMA device: all that registering memory needs, and nothing else.
 */

#include <linux/pci.h>
#include <rdma/ib_user_dmabuf.h>
#include <rdma/ib_verbs.h>

#include "internal.h"

IMPORT_DMA_BUF_SYMBOLS;

static int edu_query_device(struct ib_device *ibdev, struct ib_device_attr *attr,
			    struct ib_udata *udata)
{
	memset(attr, 0, sizeof(*attr));
	attr->max_mr_size = EDU_IB_MAX_MR_SIZE;
	attr->page_size_cap = edu_page_sizes;
	attr->max_mr = INT_MAX;
	attr->max_pd = INT_MAX;
	return 0;
}

static int edu_query_port(struct ib_device *ibdev, u32 port, struct ib_port_attr *attr)
{
	attr->state = IB_PORT_DOWN;
	attr->phys_state = IB_PORT_PHYS_STATE_DISABLED;
	attr->max_mtu = IB_MTU_4096;
	attr->active_mtu = IB_MTU_4096;
	attr->active_speed = IB_SPEED_SDR;
	attr->active_width = IB_WIDTH_1X;
	return 0;
}

static int edu_get_port_immutable(struct ib_device *ibdev, u32 port,
				  struct ib_port_immutable *immutable)
{
	return 0;
}

static enum rdma_link_layer edu_get_link_layer(struct ib_device *ibdev, u32 port)
{
	return IB_LINK_LAYER_UNSPECIFIED;
}

static int edu_alloc_ucontext(struct ib_ucontext *context, struct ib_udata *udata)
{
	return 0;
}

static void edu_dealloc_ucontext(struct ib_ucontext *context)
{
}

static void edu_disassociate_ucontext(struct ib_ucontext *context)
{
}

static int edu_alloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

static int edu_dealloc_pd(struct ib_pd *pd, struct ib_udata *udata)
{
	return 0;
}

struct edu_ucontext {
	struct ib_ucontext ibucontext;
};

struct edu_pd {
	struct ib_pd ibpd;
};

/* rxe's provider asks for nothing of its own, so it serves in user space. */
static const struct ib_device_ops edu_ops = {
	.owner = THIS_MODULE,
	.driver_id = RDMA_DRIVER_RXE,
	.uverbs_abi_ver = 2,

	.alloc_pd = edu_alloc_pd,
	.alloc_ucontext = edu_alloc_ucontext,
	.dealloc_pd = edu_dealloc_pd,
	.dealloc_ucontext = edu_dealloc_ucontext,
	.dereg_mr = edu_dereg_mr,
	.disassociate_ucontext = edu_disassociate_ucontext,
	.fill_res_mr_entry = ib_dmabuf_fill_res_mr_entry,
	.get_link_layer = edu_get_link_layer,
	.get_port_immutable = edu_get_port_immutable,
	.query_device = edu_query_device,
	.query_port = edu_query_port,
	.reg_user_mr_dmabuf = edu_reg_user_mr_dmabuf,

	INIT_RDMA_OBJ_SIZE(ib_pd, edu_pd, ibpd),
	INIT_RDMA_OBJ_SIZE(ib_ucontext, edu_ucontext, ibucontext),
};

/* The device's own way to stop all it does; see enum edu_ib_stop_op. */
static int edu_stop(struct ib_device *ibdev)
{
	struct edu_dev *edu = to_edu_dev(ibdev);

	atomic_inc(&edu_counts.stops);
	WRITE_ONCE(edu->function->stopped, true);
	switch (edu_stop_op) {
	case EDU_IB_STOP_RESETS:
		edu_hw_reset();
		return 0;
	case EDU_IB_STOP_LIES:
		return 0;
	default:
		return -EIO;
	}
}

static int init_one(struct edu_function *function)
{
	struct device *dev = &function->pdev->dev;
	struct edu_dev *edu;
	int ret;

	edu = ib_alloc_device(edu_dev, ibdev);
	if (!edu)
		return -ENOMEM;
	edu->function = function;
	edu->ibdev.node_type = RDMA_NODE_UNSPECIFIED;
	edu->ibdev.phys_port_cnt = 1;
	edu->ibdev.num_comp_vectors = 1;
	edu->ibdev.dev.parent = dev;
	ib_set_device_ops(&edu->ibdev, &edu_ops);

	ret = ib_dmabuf_importer_register(&edu->ibdev, dev, &function->ops);
	if (ret)
		ib_dealloc_device(&edu->ibdev);
	else
		function->devs[function->num_devs++] = edu;
	return ret;
}

/* The RDMA devices, which nobody can use yet */
int edu_verbs_init(struct edu_function *function)
{
	int ret = 0;

	function->ops = (struct ib_dmabuf_importer_ops){
		.access_flags =
			IB_UVERBS_ACCESS_DMABUF_PINNED | IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P |
			(edu_allow_revoke ? IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE : 0) | EDU_ACCESS,
		.page_sizes = edu_page_sizes,
		.stop = edu_stop_op == EDU_IB_STOP_NONE ? NULL : edu_stop,
	};
	while (!ret && function->num_devs < clamp(edu_importers, 1, EDU_MAX_IMPORTERS))
		ret = init_one(function);
	if (ret)
		edu_verbs_destroy(function);
	return ret;
}

void edu_verbs_destroy(struct edu_function *function)
{
	struct edu_dev *edu;

	while (function->num_devs) {
		edu = function->devs[--function->num_devs];
		ib_dmabuf_importer_unregister(&edu->ibdev);
		ib_dealloc_device(&edu->ibdev);
	}
}

int edu_verbs_register(struct edu_function *function)
{
	unsigned int i;
	int ret;

	for (i = 0; i < function->num_devs; i++) {
		ret = ib_register_device(&function->devs[i]->ibdev, "edu%d", &function->pdev->dev);
		if (ret)
			goto err;
	}
	return 0;

err:
	while (i--)
		ib_unregister_device(&function->devs[i]->ibdev);
	return ret;
}

void edu_verbs_unregister(struct edu_function *function)
{
	unsigned int i;

	for (i = 0; i < function->num_devs; i++)
		ib_unregister_device(&function->devs[i]->ibdev);
}
