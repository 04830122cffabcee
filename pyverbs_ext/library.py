# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""libibverbs-ext by ctypes: its structs, its functions, and their errors.

pyverbs keeps its pointers to libibverbs' structs to itself before release 61.
All that the functions called here read of a context is its descriptor, and of
an MR its context and its handle, so they get structs made here. Those are part
of libibverbs' ABI (infiniband/verbs.h).
"""
import ctypes
from ctypes import (POINTER, byref, c_char, c_int, c_size_t, c_uint32,
                    c_uint64, c_void_p)

from pyverbs.pyverbs_error import PyverbsRDMAError

# Loads the Soft-RoCE provider too, if it is installed, which has to happen
# before pyverbs lists the devices.
_library = ctypes.CDLL('libibverbs-ext.so.1', use_errno=True)


class Context(ctypes.Structure):
    """struct ibv_context, up to what is read of it."""
    _fields_ = [('device', c_void_p), ('ops', c_void_p * 32),
                ('cmd_fd', c_int), ('async_fd', c_int)]


class MR(ctypes.Structure):
    """struct ibv_mr."""
    _fields_ = [('context', POINTER(Context)), ('pd', c_void_p),
                ('addr', c_void_p), ('length', c_size_t),
                ('handle', c_uint32), ('lkey', c_uint32), ('rkey', c_uint32)]


class Caps(ctypes.Structure):
    """struct ibv_ext_dmabuf_caps."""
    _fields_ = [('version', c_uint32), ('access_flags', c_uint32)]


class MRAttr(ctypes.Structure):
    """struct ibv_ext_dmabuf_mr_attr."""
    _fields_ = [('comp_mask', c_uint32), ('pin_flags', c_uint32),
                ('offset', c_uint64), ('length', c_uint64),
                ('iova', c_uint64), ('fd', c_int), ('access', c_int)]


class Report(ctypes.Structure):
    """struct ibv_ext_dmabuf_report."""
    _fields_ = [('reason', c_int), ('source', c_int), ('err', c_int),
                ('probe_err', c_int), ('placement', c_uint32),
                ('flags', c_uint32), ('dmabuf_size', c_uint64),
                ('dmabuf_inode', c_uint64), ('dma_segments', c_uint64),
                ('charge', c_uint64), ('page_size', c_uint64),
                ('memlock_limit', c_uint64), ('memlock_used', c_uint64),
                ('exporter', c_char * 32)]


class MRInfo(ctypes.Structure):
    """struct ibv_ext_dmabuf_mr_info."""
    _fields_ = [('mode', c_uint32), ('state', c_uint32),
                ('placement', c_uint32), ('flags', c_uint32),
                ('offset', c_uint64), ('length', c_uint64),
                ('iova', c_uint64), ('dmabuf_size', c_uint64),
                ('dmabuf_inode', c_uint64), ('charged', c_uint64),
                ('dma_segments', c_uint64), ('exporter', c_char * 32)]


class Event(ctypes.Structure):
    """struct ibv_ext_dmabuf_event."""
    _fields_ = [('cookie', c_void_p), ('type', c_int)]


class EventChannel(ctypes.Structure):
    """struct ibv_ext_dmabuf_event_channel."""
    _fields_ = [('context', POINTER(Context)), ('fd', c_int)]


def _function(name, restype, *argtypes):
    function = getattr(_library, name)
    function.restype = restype
    function.argtypes = argtypes
    return function


_query_caps = _function('_ibv_ext_query_dmabuf_caps', c_int,
                        POINTER(Context), POINTER(Caps), c_size_t)
_query_mr = _function('_ibv_ext_query_dmabuf_mr', c_int,
                      POINTER(MR), POINTER(MRInfo), c_size_t)
_probe = _function('_ibv_ext_probe_dmabuf_fd', c_int,
                   c_int, POINTER(MRAttr), POINTER(Report), c_size_t)
_create_channel = _function('ibv_ext_create_dmabuf_event_channel',
                            POINTER(EventChannel), POINTER(Context))
_destroy_channel = _function('ibv_ext_destroy_dmabuf_event_channel', c_int,
                             POINTER(EventChannel))
_watch = _function('ibv_ext_watch_dmabuf_mr', c_int,
                   POINTER(MR), POINTER(EventChannel), c_void_p)
_unwatch = _function('ibv_ext_unwatch_dmabuf_mr', c_int,
                     POINTER(MR), POINTER(EventChannel))
_get_event = _function('_ibv_ext_get_dmabuf_event', c_int,
                       POINTER(EventChannel), POINTER(Event), c_size_t)
_reason_str = _function('ibv_ext_dmabuf_reason_str', ctypes.c_char_p, c_int)


def _check(what, err):
    if err:
        raise PyverbsRDMAError(f'Failed to {what}', err)


def make_context(context):
    """The struct of a pyverbs Context."""
    return Context(cmd_fd=context.cmd_fd)


def make_mr(context, handle):
    """The struct of an MR; it keeps that of its context alive."""
    return MR(context=ctypes.pointer(context), handle=handle)


def query_caps(context):
    """ibv_ext_query_dmabuf_caps(3)."""
    caps = Caps()
    _check('query the dma-buf capabilities',
           _query_caps(byref(context), byref(caps), ctypes.sizeof(caps)))
    return caps


def query_mr(mr):
    """ibv_ext_query_dmabuf_mr(3)."""
    info = MRInfo()
    _check('query the dma-buf MR',
           _query_mr(byref(mr), byref(info), ctypes.sizeof(info)))
    return info


def probe(cmd_fd, attr):
    """ibv_ext_probe_dmabuf(3)."""
    report = Report()
    _check('probe the dma-buf',
           _probe(cmd_fd, byref(attr), byref(report), ctypes.sizeof(report)))
    return report


def create_channel(context):
    """ibv_ext_create_dmabuf_event_channel(3); the context has to live on."""
    channel = _create_channel(byref(context))
    if not channel:
        _check('create the event channel', ctypes.get_errno())
    return channel


def destroy_channel(channel):
    """ibv_ext_destroy_dmabuf_event_channel(3)."""
    _check('destroy the event channel', _destroy_channel(channel))


def watch(mr, channel, cookie):
    """ibv_ext_watch_dmabuf_mr(3)."""
    _check('watch the MR', _watch(byref(mr), channel, cookie))


def unwatch(mr, channel):
    """ibv_ext_unwatch_dmabuf_mr(3)."""
    _check('end the watch', _unwatch(byref(mr), channel))


def get_event(channel):
    """ibv_ext_get_dmabuf_event(3), without other threads having to wait."""
    event = Event()
    _check('get an event',
           _get_event(channel, byref(event), ctypes.sizeof(event)))
    return event


def reason_str(reason):
    """ibv_ext_dmabuf_reason_str(3)."""
    return _reason_str(reason).decode()
