// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's "edu" PCI device as an RDMA device that registers dma-bufs and does real
 * DMA to them.
 */

#include <linux/dma-mapping.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "internal.h"

bool edu_allow_revoke = true;
module_param_named(allow_revoke, edu_allow_revoke, bool, 0444);
MODULE_PARM_DESC(allow_revoke, "The device can stop access to an MR on demand (default: Y)");

bool edu_fail_revoke;
module_param_named(fail_revoke, edu_fail_revoke, bool, 0644);
MODULE_PARM_DESC(fail_revoke, "Its command to do so fails (default: N)");

uint edu_revoke_delay;
module_param_named(revoke_delay, edu_revoke_delay, uint, 0644);
MODULE_PARM_DESC(revoke_delay, "What it takes the device, in milliseconds (default: 0)");

bool edu_plain_revocable;
module_param_named(plain_revocable, edu_plain_revocable, bool, 0644);
MODULE_PARM_DESC(
	plain_revocable,
	"Plain registrations use ib_umem_dmabuf_get_pinned_revocable_and_lock() (default: N)");

ulong edu_page_sizes = GENMASK(31, PAGE_SHIFT);
module_param_named(page_sizes, edu_page_sizes, ulong, 0444);
MODULE_PARM_DESC(page_sizes, "A bit for each page size (default: 4 KiB to 2 GiB)");

/* The device, if there is one; its users hold the lock. */
static DEFINE_MUTEX(the_device_lock);
static struct edu_dev *the_device;

static int mr_info(struct edu_dev *edu, struct edu_ib_mr_info *info)
{
	struct edu_mr *mr;
	int ret = 0;

	mutex_lock(&edu->engine);
	mr = edu_mr_find_locked(edu, info->key);
	if (mr) {
		info->revoked = mr->revoked;
		info->callbacks = mr->callbacks;
		info->pages = mr->num_pages;
		info->page_size = mr->page_size;
	} else {
		ret = -ENOENT;
	}
	mutex_unlock(&edu->engine);
	return ret;
}

static void get_counters(struct edu_dev *edu, struct edu_ib_counters *counters)
{
	u16 command = 0;

	mutex_lock(&edu->engine);
	pci_read_config_word(edu->pdev, PCI_COMMAND, &command);
	*counters = (struct edu_ib_counters){
		.mrs = edu->num_mrs,
		.callbacks = edu->callbacks,
		.bus_master = !!(command & PCI_COMMAND_MASTER),
	};
	mutex_unlock(&edu->engine);
}

static long edu_ioctl_device(struct edu_dev *edu, unsigned int cmd, void __user *user)
{
	struct edu_ib_transfer transfer;
	struct edu_ib_counters counters;
	struct edu_ib_mr_info info;
	int ret;

	switch (cmd) {
	case EDU_IB_TRANSFER:
		if (copy_from_user(&transfer, user, sizeof(transfer)))
			return -EFAULT;
		return edu_engine_transfer(edu, &transfer);
	case EDU_IB_MR_INFO:
		if (copy_from_user(&info, user, sizeof(info)))
			return -EFAULT;
		ret = mr_info(edu, &info);
		if (!ret && copy_to_user(user, &info, sizeof(info)))
			ret = -EFAULT;
		return ret;
	case EDU_IB_COUNTERS:
		get_counters(edu, &counters);
		return copy_to_user(user, &counters, sizeof(counters)) ? -EFAULT : 0;
	default:
		return -ENOTTY;
	}
}

static long edu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct edu_dev *edu;
	long ret = -ENODEV;

	mutex_lock(&the_device_lock);
	edu = the_device;
	if (edu && !ib_device_try_get(&edu->ibdev))
		edu = NULL;
	mutex_unlock(&the_device_lock);

	if (edu) {
		ret = edu_ioctl_device(edu, cmd, (void __user *)arg);
		ib_device_put(&edu->ibdev);
	}
	return ret;
}

static const struct file_operations edu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = edu_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice edu_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = EDU_IB_NAME,
	.fops = &edu_fops,
	.mode = 0600,
};

static int edu_set_up_pci(struct edu_dev *edu)
{
	struct pci_dev *pdev = edu->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_iomap_regions(pdev, BIT(0), EDU_IB_NAME);
	if (ret)
		return ret;
	edu->mmio = pcim_iomap_table(pdev)[0];
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	pci_set_master(pdev);
	return 0;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu_dev *edu;
	int ret;

	edu = ib_alloc_device(edu_dev, ibdev);
	if (!edu)
		return -ENOMEM;
	edu->pdev = pdev;
	xa_init_flags(&edu->mrs, XA_FLAGS_ALLOC1);
	pci_set_drvdata(pdev, edu);

	ret = edu_set_up_pci(edu);
	if (ret)
		goto err_device;
	ret = edu_engine_init(edu);
	if (ret)
		goto err_master;
	ret = edu_verbs_register(edu);
	if (ret)
		goto err_engine;

	mutex_lock(&the_device_lock);
	if (!the_device)
		the_device = edu;
	mutex_unlock(&the_device_lock);
	return 0;

err_engine:
	edu_engine_destroy(edu);
err_master:
	pci_clear_master(pdev);
err_device:
	ib_dealloc_device(&edu->ibdev);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu_dev *edu = pci_get_drvdata(pdev);

	mutex_lock(&the_device_lock);
	if (the_device == edu)
		the_device = NULL;
	mutex_unlock(&the_device_lock);

	edu_verbs_unregister(edu);
	WARN_ON(edu->num_mrs);
	pci_clear_master(pdev);
	edu_engine_destroy(edu);
	ib_dealloc_device(&edu->ibdev);
}

static const struct pci_device_id edu_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{},
};
MODULE_DEVICE_TABLE(pci, edu_ids);

static struct pci_driver edu_driver = {
	.name = EDU_IB_NAME,
	.id_table = edu_ids,
	.probe = edu_probe,
	.remove = edu_remove,
};

static int __init edu_init(void)
{
	int ret;

	ret = misc_register(&edu_misc);
	if (ret)
		return ret;
	ret = pci_register_driver(&edu_driver);
	if (ret)
		misc_deregister(&edu_misc);
	return ret;
}
module_init(edu_init);

static void __exit edu_exit(void)
{
	pci_unregister_driver(&edu_driver);
	misc_deregister(&edu_misc);
}
module_exit(edu_exit);

MODULE_DESCRIPTION("RDMA device that does real DMA to dma-bufs, for tests");
MODULE_LICENSE("GPL");
