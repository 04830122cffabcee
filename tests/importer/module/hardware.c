// SPDX-License-Identifier: GPL-2.0
/*
 * The part of the device that QEMU's edu does not have: an admin queue, and keys
 * with the lists of pages behind them.
 *
 * As in a real device, this state belongs to the hardware. It is there before the
 * driver is bound and stays after it is unbound. It goes by the device's own reset,
 * by a reset of the PCI function, bound or not, and when the module is unloaded,
 * which stands for switching the machine off.
 *
 * There is one device, so this is one object.
 */

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "internal.h"

#define QUEUE_DEPTH 64

/* How often the firmware looks whether it may go on, in milliseconds */
#define POLL 10

/*
 * A PCI reset clears the data of an MSI, which nothing else uses. So this number
 * is there until the function is reset, whoever does that.
 */
#define MARKER 0x0ed0

enum fault {
	FAULT_NONE,
	FAULT_FAIL,
	FAULT_HANG,
};

/**
 * struct edu_command - a slot of the admin queue
 * @work: the firmware's, which executes it
 * @done: it was executed, or never will be
 * @users: the driver, until it reaps the command, and the firmware, until the
 *	command has ended; 0: the slot is free
 * @op: what to do
 * @key: with what
 * @mr: for EDU_IB_REG, the command's until it is executed
 * @fault: what goes wrong
 * @generation: of the hardware when it was submitted
 * @status: 0 or a negative errno, when @done
 */
struct edu_command {
	struct work_struct work;
	struct completion done;
	atomic_t users;
	enum edu_ib_command op;
	u32 key;
	struct edu_hw_mr *mr;
	enum fault fault;
	u32 generation;
	int status;
};

static struct {
	struct pci_dev *pdev;
	struct workqueue_struct *firmware;
	struct edu_command queue[QUEUE_DEPTH];
	/* for what follows, and for the registers of the DMA engine */
	struct mutex lock;
	/* struct edu_hw_mr by key; a key without one is reserved */
	struct xarray keys;
	/* a hint, so that a key does not come again soon */
	u32 next_key;
	/* how often it was reset */
	u32 generation;
	/* commands that are not executed yet for that reason */
	atomic_t hanging;
} hw;

static void forget_locked(void)
{
	struct edu_hw_mr *mr;
	unsigned long key;

	xa_for_each(&hw.keys, key, mr) kvfree(mr);
	xa_destroy(&hw.keys);
	hw.generation++;
}

/* Notices a reset of the PCI function. */
static void check_reset_locked(void)
{
	int offset = hw.pdev->msi_cap + PCI_MSI_DATA_64;
	u16 marker;

	lockdep_assert_held(&hw.lock);
	pci_read_config_word(hw.pdev, offset, &marker);
	if (marker == MARKER)
		return;
	forget_locked();
	pci_write_config_word(hw.pdev, offset, MARKER);
}

void edu_hw_lock(void)
{
	mutex_lock(&hw.lock);
	if (hw.pdev)
		check_reset_locked();
}

int edu_hw_lock_interruptible(void)
{
	int ret = mutex_lock_interruptible(&hw.lock);

	if (!ret)
		check_reset_locked();
	return ret;
}

void edu_hw_unlock(void)
{
	mutex_unlock(&hw.lock);
}

static bool is_bus_master(void)
{
	u16 command;

	pci_read_config_word(hw.pdev, PCI_COMMAND, &command);
	return command & PCI_COMMAND_MASTER;
}

/* The device's own reset. The lock is that of the transfer that may be under way. */
void edu_hw_reset(void)
{
	edu_hw_lock();
	forget_locked();
	edu_hw_unlock();
}

int edu_hw_alloc_key(u32 *key)
{
	int ret;

	edu_hw_lock();
	ret = xa_alloc_cyclic(&hw.keys, key, NULL, XA_LIMIT(1, U32_MAX), &hw.next_key, GFP_KERNEL);
	edu_hw_unlock();
	return ret < 0 ? ret : 0;
}

/* Which the device was never told of */
void edu_hw_free_key(u32 key)
{
	xa_release(&hw.keys, key);
}

/*
 * What hardware does with an address: @part of the @length bytes are at @addr.
 */
int edu_hw_locate_locked(u32 key, u64 iova, u32 length, bool write, dma_addr_t *addr, u32 *part)
{
	struct edu_hw_mr *mr = xa_load(&hw.keys, key);
	u64 pos;

	lockdep_assert_held(&hw.lock);
	if (!mr || mr->revoked)
		return -EFAULT;
	if (iova < mr->iova || iova - mr->iova > mr->length ||
	    length > mr->length - (iova - mr->iova) ||
	    (write && !(mr->access & IB_ACCESS_LOCAL_WRITE)))
		return -EACCES;

	pos = iova - ALIGN_DOWN(mr->iova, mr->page_size);
	*addr = mr->pages[div64_u64(pos, mr->page_size)] + (pos & (mr->page_size - 1));
	*part = min3(length, (u32)EDU_PIECE, (u32)(mr->page_size - (pos & (mr->page_size - 1))));
	return 0;
}

int edu_hw_mr_info(struct edu_ib_mr_info *info)
{
	struct edu_hw_mr *mr;

	edu_hw_lock();
	mr = xa_load(&hw.keys, info->key);
	if (mr) {
		info->revoked = mr->revoked;
		info->pages = mr->num_pages;
		info->page_size = mr->page_size;
	}
	edu_hw_unlock();
	return mr ? 0 : -ENOENT;
}

/* The hardware's part of them */
void edu_hw_counters(struct edu_ib_counters *counters)
{
	struct edu_hw_mr *mr;
	unsigned long key;

	edu_hw_lock();
	xa_for_each(&hw.keys, key, mr) counters->keys++;
	counters->next_key = max(hw.next_key, 1U);
	counters->resets = hw.generation;
	counters->hanging = atomic_read(&hw.hanging);
	counters->bus_master = hw.pdev && is_bus_master();
	edu_hw_unlock();
}

static bool was_reset(const struct edu_command *cmd)
{
	bool reset;

	edu_hw_lock();
	reset = cmd->generation != hw.generation;
	edu_hw_unlock();
	return reset;
}

static int execute_locked(struct edu_command *cmd)
{
	struct edu_hw_mr *mr;
	int ret;

	if (cmd->generation != hw.generation || cmd->fault == FAULT_FAIL)
		return -EIO;
	switch (cmd->op) {
	case EDU_IB_REG:
		ret = xa_err(xa_store(&hw.keys, cmd->key, cmd->mr, GFP_KERNEL));
		if (!ret)
			cmd->mr = NULL;
		return ret;
	case EDU_IB_REVOKE:
		mr = xa_load(&hw.keys, cmd->key);
		if (mr)
			mr->revoked = true;
		return 0;
	case EDU_IB_DEREG:
		kvfree(xa_erase(&hw.keys, cmd->key));
		return 0;
	default:
		return -EINVAL;
	}
}

static void execute(struct work_struct *work)
{
	struct edu_command *cmd = container_of(work, struct edu_command, work);
	unsigned long end = jiffies + msecs_to_jiffies(READ_ONCE(edu_delay[cmd->op]));

	while (time_before(jiffies, end) && !was_reset(cmd))
		msleep(min(POLL, jiffies_to_msecs(end - jiffies)));
	if (cmd->fault == FAULT_HANG)
		atomic_inc(&hw.hanging);
	while (cmd->fault == FAULT_HANG && (READ_ONCE(edu_hang) & BIT(cmd->op)) && !was_reset(cmd))
		msleep(POLL);

	edu_hw_lock();
	cmd->status = execute_locked(cmd);
	edu_hw_unlock();
	if (cmd->fault == FAULT_HANG)
		atomic_dec(&hw.hanging);
	kvfree(cmd->mr);
	cmd->mr = NULL;

	/* The device writes its answer to the driver's memory, if it can. */
	while (cmd->op == EDU_IB_DEREG && !is_bus_master() && !was_reset(cmd))
		msleep(POLL);
	complete_all(&cmd->done);
	atomic_dec_return(&cmd->users);
}

static enum fault next_fault_locked(enum edu_ib_command op)
{
	if (!((edu_fail | edu_hang) & BIT(op)))
		return FAULT_NONE;
	if (edu_skip) {
		edu_skip--;
		return FAULT_NONE;
	}
	return edu_fail & BIT(op) ? FAULT_FAIL : FAULT_HANG;
}

/* NULL: the queue is full. @mr is the command's if it is not. */
struct edu_command *edu_hw_submit(enum edu_ib_command op, u32 key, struct edu_hw_mr *mr)
{
	struct edu_command *cmd;
	unsigned int i;

	for (i = 0; i < QUEUE_DEPTH; i++) {
		cmd = &hw.queue[i];
		if (!atomic_cmpxchg(&cmd->users, 0, 2))
			break;
	}
	if (i == QUEUE_DEPTH)
		return NULL;

	reinit_completion(&cmd->done);
	cmd->op = op;
	cmd->key = key;
	cmd->mr = mr;
	edu_hw_lock();
	cmd->generation = hw.generation;
	cmd->fault = next_fault_locked(op);
	edu_hw_unlock();
	queue_work(hw.firmware, &cmd->work);
	return cmd;
}

bool edu_hw_wait(struct edu_command *cmd, unsigned long timeout)
{
	return wait_for_completion_timeout(&cmd->done, timeout);
}

/*
 * The driver is done with the command. Returns what came of it; -ETIMEDOUT: the
 * firmware still has it, and may execute it at any time.
 */
int edu_hw_reap(struct edu_command *cmd)
{
	int ret = completion_done(&cmd->done) ? cmd->status : -ETIMEDOUT;

	atomic_dec_return(&cmd->users);
	return ret;
}

int edu_hw_attach(struct pci_dev *pdev)
{
	if (hw.pdev)
		return hw.pdev == pdev ? 0 : -EBUSY;
	if (!pdev->msi_cap)
		return -ENODEV;
	hw.pdev = pci_dev_get(pdev);
	return 0;
}

int edu_hw_init(void)
{
	unsigned int i;

	hw.firmware = alloc_workqueue("edu_firmware", WQ_UNBOUND, QUEUE_DEPTH);
	if (!hw.firmware)
		return -ENOMEM;
	mutex_init(&hw.lock);
	xa_init_flags(&hw.keys, XA_FLAGS_ALLOC1);
	for (i = 0; i < QUEUE_DEPTH; i++) {
		INIT_WORK(&hw.queue[i].work, execute);
		init_completion(&hw.queue[i].done);
	}
	return 0;
}

/* The driver is not bound any more. Commands that hang end with the reset. */
void edu_hw_exit(void)
{
	edu_hw_reset();
	destroy_workqueue(hw.firmware);
	pci_dev_put(hw.pdev);
}
