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

/* These four are taken when the driver is bound. */
bool edu_allow_revoke = true;
module_param_named(allow_revoke, edu_allow_revoke, bool, 0644);
MODULE_PARM_DESC(allow_revoke, "The device can stop access to an MR on demand (default: Y)");

uint edu_stop_op = EDU_IB_STOP_RESETS;
module_param_named(stop_op, edu_stop_op, uint, 0644);
MODULE_PARM_DESC(stop_op, "How the driver stops the device, see edu_ib.h (default: 1)");

uint edu_importers = 1;
module_param_named(importers, edu_importers, uint, 0644);
MODULE_PARM_DESC(importers, "How many RDMA devices the function is, 1 or 2 (default: 1)");

static bool edu_probe_reset;
module_param_named(probe_reset, edu_probe_reset, bool, 0644);
MODULE_PARM_DESC(probe_reset, "The driver resets the device when it is bound to it (default: N)");

ulong edu_page_sizes = GENMASK(31, PAGE_SHIFT);
module_param_named(page_sizes, edu_page_sizes, ulong, 0444);
MODULE_PARM_DESC(page_sizes, "A bit for each page size (default: 4 KiB to 2 GiB)");

bool edu_plain_revocable;
module_param_named(plain_revocable, edu_plain_revocable, bool, 0644);
MODULE_PARM_DESC(
	plain_revocable,
	"Plain registrations use ib_umem_dmabuf_get_pinned_revocable_and_lock() (default: N)");

bool edu_pause;
module_param_named(pause, edu_pause, bool, 0644);
MODULE_PARM_DESC(
	pause,
	"The driver waits until this is N where it has an MR and the device does not (default: N)");

uint edu_command_limit = 30000;
module_param_named(command_limit, edu_command_limit, uint, 0644);
MODULE_PARM_DESC(command_limit,
		 "How long the driver waits for a command, in milliseconds (default: 30000)");

/* In the following, a command is a number or a bit by enum edu_ib_command. */
uint edu_delay[EDU_IB_NUM_COMMANDS];
module_param_array_named(delay, edu_delay, uint, NULL, 0644);
MODULE_PARM_DESC(delay, "What each command takes the device, in milliseconds (default: 0,0,0)");

uint edu_fail;
module_param_named(fail, edu_fail, uint, 0644);
MODULE_PARM_DESC(fail, "Commands that fail (default: 0)");

uint edu_hang;
module_param_named(hang, edu_hang, uint, 0644);
MODULE_PARM_DESC(hang, "Commands that the device executes when this is 0 again (default: 0)");

uint edu_skip;
module_param_named(skip, edu_skip, uint, 0644);
MODULE_PARM_DESC(skip, "How many of those succeed before one fails or hangs (default: 0)");

struct edu_counts edu_counts;

/* The device, if the driver is bound to it; its users hold the lock. */
static DEFINE_MUTEX(the_function_lock);
static struct edu_function *the_function;

static void get_counters(struct edu_ib_counters *counters)
{
	*counters = (struct edu_ib_counters){
		.mrs = atomic_read(&edu_counts.mrs),
		.paused = atomic_read(&edu_counts.paused),
		.callbacks = atomic_read(&edu_counts.callbacks),
		.stops = atomic_read(&edu_counts.stops),
		.timeouts = atomic_read(&edu_counts.timeouts),
		.refused = atomic_read(&edu_counts.refused),
	};
	edu_hw_counters(counters);
}

/* The driver stays bound for as long as there is a reference to one of its devices. */
static int transfer(const struct edu_ib_transfer *args)
{
	struct edu_function *function;
	struct ib_device *ibdev = NULL;
	int ret;

	mutex_lock(&the_function_lock);
	function = the_function;
	if (function && ib_device_try_get(&function->devs[0]->ibdev))
		ibdev = &function->devs[0]->ibdev;
	mutex_unlock(&the_function_lock);
	if (!ibdev)
		return -ENODEV;
	ret = edu_engine_transfer(function, args);
	ib_device_put(ibdev);
	return ret;
}

static long edu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct edu_ib_transfer args;
	struct edu_ib_counters counters;
	struct edu_ib_mr_info info;
	int ret;

	switch (cmd) {
	case EDU_IB_TRANSFER:
		if (copy_from_user(&args, user, sizeof(args)))
			return -EFAULT;
		return transfer(&args);
	case EDU_IB_MR_INFO:
		if (copy_from_user(&info, user, sizeof(info)))
			return -EFAULT;
		ret = edu_hw_mr_info(&info);
		if (!ret && copy_to_user(user, &info, sizeof(info)))
			ret = -EFAULT;
		return ret;
	case EDU_IB_COUNTERS:
		get_counters(&counters);
		return copy_to_user(user, &counters, sizeof(counters)) ? -EFAULT : 0;
	default:
		return -ENOTTY;
	}
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

static int edu_set_up_pci(struct edu_function *function)
{
	struct pci_dev *pdev = function->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	ret = pcim_iomap_regions(pdev, BIT(0), EDU_IB_NAME);
	if (ret)
		return ret;
	function->mmio = pcim_iomap_table(pdev)[0];
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	return 0;
}

static int edu_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct edu_function *function;
	int ret;

	function = devm_kzalloc(&pdev->dev, sizeof(*function), GFP_KERNEL);
	if (!function)
		return -ENOMEM;
	function->pdev = pdev;
	pci_set_drvdata(pdev, function);

	ret = edu_set_up_pci(function);
	if (ret)
		return ret;
	ret = edu_hw_attach(pdev);
	if (ret)
		return ret;
	if (edu_probe_reset)
		edu_hw_reset();
	ret = edu_engine_init(function);
	if (ret)
		return ret;
	ret = edu_verbs_init(function);
	if (ret)
		goto err_engine;
	/*
	 * Not before the core has agreed: it refuses a device that was stopped and
	 * still knows keys.
	 */
	pci_set_master(pdev);
	ret = edu_verbs_register(function);
	if (ret)
		goto err_master;

	mutex_lock(&the_function_lock);
	the_function = function;
	mutex_unlock(&the_function_lock);
	return 0;

err_master:
	pci_clear_master(pdev);
	edu_verbs_destroy(function);
err_engine:
	edu_engine_destroy(function);
	return ret;
}

static void edu_remove(struct pci_dev *pdev)
{
	struct edu_function *function = pci_get_drvdata(pdev);

	mutex_lock(&the_function_lock);
	the_function = NULL;
	mutex_unlock(&the_function_lock);

	edu_verbs_unregister(function);
	WARN_ON(atomic_read(&edu_counts.mrs));
	pci_clear_master(pdev);
	edu_verbs_destroy(function);
	edu_engine_destroy(function);
}

/* Transfers that are under way end before a reset, and none begins until it is over. */
static void set_resetting(struct pci_dev *pdev, bool resetting)
{
	struct edu_function *function = pci_get_drvdata(pdev);

	edu_hw_lock();
	function->resetting = resetting;
	edu_hw_unlock();
}

static void edu_reset_prepare(struct pci_dev *pdev)
{
	set_resetting(pdev, true);
}

static void edu_reset_done(struct pci_dev *pdev)
{
	set_resetting(pdev, false);
}

static const struct pci_error_handlers edu_error_handlers = {
	.reset_prepare = edu_reset_prepare,
	.reset_done = edu_reset_done,
};

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
	.err_handler = &edu_error_handlers,
};

static int __init edu_init(void)
{
	int ret;

	ret = edu_hw_init();
	if (ret)
		return ret;
	ret = misc_register(&edu_misc);
	if (ret)
		goto err_hw;
	ret = pci_register_driver(&edu_driver);
	if (ret)
		goto err_misc;
	return 0;

err_misc:
	misc_deregister(&edu_misc);
err_hw:
	edu_hw_exit();
	return ret;
}
module_init(edu_init);

static void __exit edu_exit(void)
{
	pci_unregister_driver(&edu_driver);
	misc_deregister(&edu_misc);
	edu_hw_exit();
}
module_exit(edu_exit);

MODULE_DESCRIPTION("RDMA device that does real DMA to dma-bufs, for tests");
MODULE_LICENSE("GPL");
