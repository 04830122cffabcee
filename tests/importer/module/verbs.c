// SPDX-License-Identifier: GPL-2.0
/*
 * The RDMA device: all that registering memory needs, and nothing else.
 */

#include <linux/pci.h>
#include <rdma/ib_user_dmabuf.h>
#include <rdma/ib_verbs.h>

#include "internal.h"

MODULE_IMPORT_NS(DMA_BUF);

static int edu_query_device(struct ib_device *ibdev, struct ib_device_attr *attr,
			    struct ib_udata *udata)
{
	memset(attr, 0, sizeof(*attr));
	attr->max_mr_size = U64_MAX;
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
	.get_link_layer = edu_get_link_layer,
	.get_port_immutable = edu_get_port_immutable,
	.query_device = edu_query_device,
	.query_port = edu_query_port,
	.reg_user_mr_dmabuf = edu_reg_user_mr_dmabuf,

	INIT_RDMA_OBJ_SIZE(ib_pd, edu_pd, ibpd),
	INIT_RDMA_OBJ_SIZE(ib_ucontext, edu_ucontext, ibucontext),
};

/* One device at a time: PCI has only one, and the parameters are the module's. */
static struct ib_dmabuf_importer_ops edu_importer_ops;

int edu_verbs_register(struct edu_dev *edu)
{
	struct device *dev = &edu->pdev->dev;
	struct ib_device *ibdev = &edu->ibdev;
	int ret;

	ibdev->node_type = RDMA_NODE_UNSPECIFIED;
	ibdev->phys_port_cnt = 1;
	ibdev->num_comp_vectors = 1;
	ibdev->dev.parent = dev;
	ib_set_device_ops(ibdev, &edu_ops);

	edu_importer_ops = (struct ib_dmabuf_importer_ops){
		.access_flags = IB_UVERBS_ACCESS_DMABUF_PINNED |
				IB_UVERBS_ACCESS_DMABUF_REQUIRE_P2P |
				(edu_allow_revoke ? IB_UVERBS_ACCESS_DMABUF_ALLOW_REVOKE : 0),
		.page_sizes = edu_page_sizes,
	};
	ret = ib_dmabuf_importer_register(ibdev, dev, &edu_importer_ops);
	if (ret)
		return ret;
	ret = ib_register_device(ibdev, "edu%d", dev);
	if (ret)
		ib_dmabuf_importer_unregister(ibdev);
	return ret;
}

void edu_verbs_unregister(struct edu_dev *edu)
{
	ib_unregister_device(&edu->ibdev);
	ib_dmabuf_importer_unregister(&edu->ibdev);
}
