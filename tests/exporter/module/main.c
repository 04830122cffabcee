// SPDX-License-Identifier: GPL-2.0
/*
 * An exporter of dma-bufs that behave as a test wants: its device and ioctls.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "internal.h"

static int dt_ioctl_create(void __user *arg)
{
	struct dmabuf_test_create args;
	struct dma_buf *dmabuf;
	int fd;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	dmabuf = dt_buffer_create(&args);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	fd = dma_buf_fd(dmabuf, O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

static int dt_fill(struct dt_buffer *buf, struct dmabuf_test_memory_range *args, bool check)
{
	struct dt_memory *mem;
	u8 found = 0;
	u64 end;

	if (check_add_overflow(args->offset, args->length, &end) || end > buf->dmabuf->size ||
	    args->value > U8_MAX)
		return -EINVAL;
	mem = dt_buffer_memory(buf, args->age);
	if (IS_ERR(mem))
		return PTR_ERR(mem);

	if (check) {
		args->found_offset =
			dt_memory_find_other(mem, args->offset, args->length, args->value, &found);
		args->found = found;
	} else {
		dt_memory_fill(mem, args->offset, args->length, args->value);
	}
	dt_memory_put(mem);
	return 0;
}

union dt_args {
	s32 fd; /* the first of each */
	struct dmabuf_test_behave behave;
	struct dmabuf_test_move move;
	struct dmabuf_test_revoke revoke;
	struct dmabuf_test_memory_range range;
	struct dmabuf_test_fence fence;
	struct dmabuf_test_counters counters;
};

static int dt_buffer_ioctl(struct dt_buffer *buf, unsigned int cmd, union dt_args *args)
{
	switch (cmd) {
	case DMABUF_TEST_BEHAVE:
		return dt_buffer_behave(buf, &args->behave);
	case DMABUF_TEST_MOVE:
		return dt_buffer_move(buf, &args->move);
	case DMABUF_TEST_REVOKE:
		return dt_buffer_revoke(buf, &args->revoke);
	case DMABUF_TEST_UNREVOKE:
		return dt_buffer_unrevoke(buf);
	case DMABUF_TEST_FILL:
		return dt_fill(buf, &args->range, false);
	case DMABUF_TEST_CHECK:
		return dt_fill(buf, &args->range, true);
	case DMABUF_TEST_FREE_OLD:
		return dt_buffer_free_old(buf);
	case DMABUF_TEST_FENCE:
		return dt_buffer_fence(buf, args->fence.delay_ms);
	case DMABUF_TEST_SIGNAL:
		dt_fence_signal_all(buf);
		return 0;
	case DMABUF_TEST_COUNTERS:
		dt_buffer_counters(buf, &args->counters);
		return 0;
	default:
		return -ENOTTY;
	}
}

/* Commands for a dma-buf: the fd is the argument, or the first field of what it points to. */
static long dt_ioctl_buffer(unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	size_t size = _IOC_SIZE(cmd);
	union dt_args args = {};
	struct dma_buf *dmabuf;
	struct dt_buffer *buf;
	long ret;

	if (size > sizeof(args))
		return -ENOTTY;
	if (!size)
		args.fd = arg;
	else if (copy_from_user(&args, user, size))
		return -EFAULT;

	dmabuf = dma_buf_get(args.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	buf = dt_buffer_from(dmabuf);
	ret = buf ? dt_buffer_ioctl(buf, cmd, &args) : -EINVAL;
	dma_buf_put(dmabuf);

	if (!ret && _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, &args, size))
		ret = -EFAULT;
	return ret;
}

static long dt_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct dt_importer *imp = file->private_data;
	void __user *user = (void __user *)arg;
	struct dmabuf_test_importer state = {};
	struct dmabuf_test_delayed delayed = {};
	struct dmabuf_test_attach attach;
	struct dmabuf_test_delay delay;
	struct dmabuf_test_poke poke;
	int ret;

	switch (cmd) {
	case DMABUF_TEST_CREATE:
		return dt_ioctl_create(user);
	case DMABUF_TEST_ATTACH:
		if (copy_from_user(&attach, user, sizeof(attach)))
			return -EFAULT;
		return dt_importer_attach(imp, &attach);
	case DMABUF_TEST_STEP:
		return dt_importer_step(imp, arg);
	case DMABUF_TEST_IMPORTER:
		ret = dt_importer_state(imp, &state);
		if (!ret && copy_to_user(user, &state, sizeof(state)))
			ret = -EFAULT;
		return ret;
	case DMABUF_TEST_POKE:
		if (copy_from_user(&poke, user, sizeof(poke)))
			return -EFAULT;
		return dt_importer_poke(imp, &poke);
	case DMABUF_TEST_DELAY:
		if (copy_from_user(&delay, user, sizeof(delay)))
			return -EFAULT;
		return dt_delay_set(file, &delay);
	case DMABUF_TEST_DELAYED:
		ret = dt_delay_read(&delayed);
		if (!ret && copy_to_user(user, &delayed, sizeof(delayed)))
			ret = -EFAULT;
		return ret;
	default:
		return dt_ioctl_buffer(cmd, arg);
	}
}

static int dt_open(struct inode *inode, struct file *file)
{
	/* misc_open() leaves its struct miscdevice here. */
	struct miscdevice *misc = file->private_data;
	struct dt_importer *imp;

	imp = dt_importer_create(misc->this_device);
	if (!imp)
		return -ENOMEM;
	file->private_data = imp;
	return 0;
}

static int dt_release(struct inode *inode, struct file *file)
{
	dt_delay_close(file);
	dt_importer_destroy(file->private_data);
	return 0;
}

static const struct file_operations dt_fops = {
	.owner = THIS_MODULE,
	.open = dt_open,
	.release = dt_release,
	.unlocked_ioctl = dt_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice dt_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = DMABUF_TEST_NAME,
	.fops = &dt_fops,
	.mode = 0600,
};

static int __init dt_init(void)
{
	int ret;

	ret = dt_fence_init();
	if (ret)
		return ret;
	ret = dt_device_register();
	if (ret)
		goto err_fence;
	ret = misc_register(&dt_misc);
	if (ret)
		goto err_device;
	/* For the importer, which maps for it. */
	ret = dma_coerce_mask_and_coherent(dt_misc.this_device, DMA_BIT_MASK(64));
	if (ret)
		goto err_misc;
	return 0;

err_misc:
	misc_deregister(&dt_misc);
err_device:
	dt_device_unregister();
err_fence:
	dt_fence_exit();
	return ret;
}
module_init(dt_init);

static void __exit dt_exit(void)
{
	misc_deregister(&dt_misc);
	dt_device_unregister();
	dt_fence_exit();
}
module_exit(dt_exit);

MODULE_DESCRIPTION("Exporter of dma-bufs for tests");
MODULE_LICENSE("GPL");
