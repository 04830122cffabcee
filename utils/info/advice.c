// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include "advice.h"
#include "settings.h"

#define REASON(name) [IBV_EXT_DMABUF_REASON_##name] = #name
#define ADVICE(name) [IBV_EXT_DMABUF_REASON_##name]

static const char *const names[] = {
	REASON(NONE),
	REASON(NO_KERNEL_SUPPORT),
	REASON(NO_PROVIDER_SUPPORT),
	REASON(NO_DEVICE_SUPPORT),
	REASON(NO_P2P_KERNEL),
	REASON(BAD_FLAGS),
	REASON(BAD_ACCESS),
	REASON(BAD_FD),
	REASON(READ_ONLY_FD),
	REASON(BAD_RANGE),
	REASON(MISALIGNED),
	REASON(POLICY),
	REASON(MEMLOCK),
	REASON(CGROUP),
	REASON(EXPORTER_REFUSED_ATTACH),
	REASON(EXPORTER_NEEDS_REVOKE),
	REASON(EXPORTER_REFUSED_PIN),
	REASON(EXPORTER_CONFLICT),
	REASON(MAP_FAILED),
	REASON(NO_P2P_PATH),
	REASON(IN_SYSTEM_MEMORY),
	REASON(NO_CPU_ACCESS),
	REASON(PAGE_SIZE),
	REASON(DEVICE_LIMIT),
	REASON(REVOKED),
	REASON(DEVICE_REMOVED),
	REASON(DEVICE_ERROR),
	REASON(NO_MEMORY),
	REASON(INTERRUPTED),
	REASON(TIMED_OUT),
};

#define SEE_KERNEL_LOG "The kernel's log (dmesg) may say more."

static const char *const advice[] = {
	ADVICE(NO_KERNEL_SUPPORT) =
		"Boot a kernel with the patches of this project, or install its modules: on Debian "
		"the package ib-dmabuf-pinned-dkms.",
	ADVICE(NO_PROVIDER_SUPPORT) =
		"For a Soft-RoCE device install the provider rxe-dmabuf (on Debian the package "
		"ibverbs-provider-rxe-dmabuf) and leave RDMAV_DRIVERS and IBV_DRIVERS unset; for "
		"others a newer rdma-core is needed.",
	ADVICE(NO_DEVICE_SUPPORT) =
		"Ask only for what is listed for the device, or use another device. On a kernel "
		"of a distribution the device's driver may be the distribution's own: "
		"ibv_dmabuf_stat shows which RDMA modules have been replaced.",
	ADVICE(NO_P2P_KERNEL) = "The kernel needs CONFIG_PCI_P2PDMA.",
	ADVICE(BAD_FLAGS) = "The request has a flag that is not known here; the library or the "
			    "kernel may be older than the program.",
	ADVICE(BAD_ACCESS) = "Remote write and remote atomic access need local write access.",
	ADVICE(BAD_FD) = "Pass a file descriptor that the exporter's driver returned for a dma-buf "
			 "and that is still open.",
	ADVICE(READ_ONLY_FD) =
		"Have the buffer exported for reading and writing (O_RDWR, DRM_RDWR), "
		"or ask only for access that reads.",
	ADVICE(BAD_RANGE) = "Offset and length have to lie in the dma-buf.",
	ADVICE(MISALIGNED) = "Choose an iova that has the same offset in its page as the region "
			     "has in the dma-buf.",
	ADVICE(POLICY) = "The administrator decides in " PIN_POLICY_FILE
			 ": \"off\" forbids every pin; with \"revocable\" a pin has to allow "
			 "revocation.",
	ADVICE(MEMLOCK) =
		"The whole dma-buf counts against RLIMIT_MEMLOCK. Raise the limit (ulimit -l, "
		"limits.conf(5), LimitMEMLOCK= of a systemd service, --ulimit memlock= of a "
		"container), or give the process CAP_IPC_LOCK.",
	ADVICE(CGROUP) = "Raise the limit in rdma.max of the process' cgroup or of one above: "
			 "dmabuf_pinned counts bytes, hca_object counts regions.",
	ADVICE(EXPORTER_REFUSED_ATTACH) =
		"The exporter's driver does not share this buffer with this device. For device "
		"memory both may have to be below one PCIe root port or switch. " SEE_KERNEL_LOG,
	ADVICE(EXPORTER_NEEDS_REVOKE) =
		"Allow revocation (--allow-revoke here, IBV_EXT_DMABUF_PIN_ALLOW_REVOKE in a "
		"program), on a device for which allow-revoke is listed.",
	ADVICE(EXPORTER_REFUSED_PIN) =
		"The exporter's driver does not keep this buffer where it is. Other flags at its "
		"allocation, or less pinned memory, may help. " SEE_KERNEL_LOG,
	ADVICE(EXPORTER_CONFLICT) =
		"Somebody else has the buffer pinned or mapped in another place. Try again when "
		"that has ended, or register before it begins.",
	ADVICE(MAP_FAILED) = "The exporter's driver or the IOMMU had no room or no way to map the "
			     "buffer. " SEE_KERNEL_LOG,
	ADVICE(NO_P2P_PATH) =
		"Put device and exporter below one PCIe root port or switch (lspci -tv shows the "
		"tree), on a host bridge that forwards between its ports, and look at ACS and the "
		"IOMMU; or do without --require-p2p if a copy in system memory will do.",
	ADVICE(IN_SYSTEM_MEMORY) =
		"The memory is the host's, or the exporter moves it there for this device: allocate "
		"it on the accelerator, or do without --require-p2p.",
	ADVICE(NO_CPU_ACCESS) =
		"Soft-RoCE copies with the CPU and needs the exporter's kernel mapping (vmap). For "
		"udmabuf use ordinary pages, not huge ones.",
	ADVICE(PAGE_SIZE) =
		"Align offset, iova and the allocation to larger pages, or use a device "
		"with smaller ones.",
	ADVICE(DEVICE_LIMIT) = "Register less: ibv_devinfo -v shows max_mr and max_mr_size, and "
			       "regions of one revocable pin are limited in number.",
	ADVICE(REVOKED) = "The buffer is gone for good. Allocate and register another one.",
	ADVICE(DEVICE_REMOVED) = "The device was unplugged, unbound or reset. Open it again when "
				 "it is back.",
	ADVICE(DEVICE_ERROR) = "The device failed a command. " SEE_KERNEL_LOG,
	ADVICE(NO_MEMORY) = "The kernel, the exporter or the device has no memory left for it.",
	ADVICE(INTERRUPTED) = "Try again.",
	ADVICE(TIMED_OUT) = "Somebody uses the buffer for very long (a GPU job, a lock), or the "
			    "device does not answer. " SEE_KERNEL_LOG,
};

const char *reason_name(enum ibv_ext_dmabuf_reason reason)
{
	unsigned int i = reason;

	return i < sizeof(names) / sizeof(names[0]) ? names[i] : "UNKNOWN";
}

const char *reason_advice(enum ibv_ext_dmabuf_reason reason)
{
	unsigned int i = reason;

	return i < sizeof(advice) / sizeof(advice[0]) ? advice[i] : NULL;
}
