# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""The enums of infiniband/verbs_ext.h."""
import enum


class Access(enum.IntFlag):
    """enum ibv_ext_dmabuf_access_flags: what a device takes."""
    PINNED = 1 << 16
    REQUIRE_P2P = 1 << 17
    ALLOW_REVOKE = 1 << 18


class PinFlags(enum.IntFlag):
    """enum ibv_ext_dmabuf_pin_flags."""
    REQUIRE_P2P = 1 << 0
    ALLOW_REVOKE = 1 << 1


class Reason(enum.IntEnum):
    """enum ibv_ext_dmabuf_reason: see ibv_ext_reg_dmabuf_mr(3)."""
    NONE = 0
    NO_KERNEL_SUPPORT = 1
    NO_PROVIDER_SUPPORT = 2
    NO_DEVICE_SUPPORT = 3
    NO_P2P_KERNEL = 4
    BAD_FLAGS = 5
    BAD_ACCESS = 6
    BAD_FD = 7
    READ_ONLY_FD = 8
    BAD_RANGE = 9
    MISALIGNED = 10
    POLICY = 11
    MEMLOCK = 12
    CGROUP = 13
    EXPORTER_REFUSED_ATTACH = 14
    EXPORTER_NEEDS_REVOKE = 15
    EXPORTER_REFUSED_PIN = 16
    EXPORTER_CONFLICT = 17
    MAP_FAILED = 18
    NO_P2P_PATH = 19
    IN_SYSTEM_MEMORY = 20
    NO_CPU_ACCESS = 21
    PAGE_SIZE = 22
    DEVICE_LIMIT = 23
    REVOKED = 24
    DEVICE_REMOVED = 25
    DEVICE_ERROR = 26
    NO_MEMORY = 27
    INTERRUPTED = 28
    TIMED_OUT = 29


class Mode(enum.IntEnum):
    """enum ibv_ext_dmabuf_mode."""
    DYNAMIC = 1
    PINNED = 2


class State(enum.IntEnum):
    """enum ibv_ext_dmabuf_state."""
    LIVE = 1
    REVOKED = 2


class Placement(enum.IntEnum):
    """enum ibv_ext_dmabuf_placement."""
    UNKNOWN = 0
    SYSTEM = 1
    DEVICE = 2
    MIXED = 3


class MRFlags(enum.IntFlag):
    """enum ibv_ext_dmabuf_mr_flags."""
    REQUESTED_PIN = 1 << 0
    REVOCABLE = 1 << 1
    CPU_ACCESS = 1 << 2


class ReportSource(enum.IntEnum):
    """enum ibv_ext_dmabuf_report_source."""
    NONE = 0
    REGISTRATION = 1
    PROBE = 2


class EventType(enum.IntEnum):
    """enum ibv_ext_dmabuf_event_type."""
    REVOKED = 1 << 16
