# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Two queue pairs of one process that talk to each other."""
import time

from pyverbs.addr import AH, AHAttr, GlobalRoute
from pyverbs.cq import CQ
from pyverbs.qp import (QP, QPAttr, QPCap, QPEx, QPInitAttr, QPInitAttrEx)
from pyverbs.srq import SRQ, SrqAttr, SrqInitAttr
from pyverbs.wr import RecvWR, SGE, SendWR

import uapi
from cases import PATIENCE, e

PORT = 1
# what a receive buffer of a datagram begins with, in bytes
GRH_LENGTH = 40


def roce_gid_index(device):
    """The port's RoCE v2 GID with an IPv4 address, else its first GID."""
    base = f'/sys/class/infiniband/{device}/ports/{PORT}'
    for index in range(256):
        try:
            with open(f'{base}/gids/{index}', encoding='ascii') as gid, \
                    open(f'{base}/gid_attrs/types/{index}',
                         encoding='ascii') as kind:
                if gid.read().startswith('0000:0000:0000:0000:0000:ffff:') \
                        and kind.read().strip() == 'RoCE v2':
                    return index
        except OSError:
            continue
    return 0


def make_sge(mr, offset, length):
    """Part of a region."""
    return SGE(mr.iova + offset, length, mr.lkey)


def at(mr, offset=0):
    """Part of a region, for the other side."""
    return mr.rkey, mr.iova + offset


class _Pair:
    """Queue pairs 0 and 1, each with a CQ; both are ready to send."""

    DEPTH = 16

    def __init__(self, case):
        self.case = case
        self.gid_index = roce_gid_index(case.device)
        self.gid = case.context.query_gid(PORT, self.gid_index)
        self.cqs = [self._make(CQ, case.context, 4 * self.DEPTH)
                    for _ in range(2)]
        self.cap = QPCap(max_send_wr=self.DEPTH, max_recv_wr=self.DEPTH)
        self.qps = [self._qp(cq) for cq in self.cqs]
        for qp, peer in zip(self.qps, reversed(self.qps)):
            qp.to_rts(self._attr(peer.qp_num))
        self.names = iter(range(1, 1 << 30))

    def _make(self, kind, *args, **kwargs):
        return self.case.closed_at_end(kind(*args, **kwargs))

    def _qp(self, cq):
        """A queue pair that is not connected yet."""
        raise NotImplementedError

    def _attr(self, peer_qpn=0):
        """What to_rts() wants."""
        raise NotImplementedError

    def _ah_attr(self):
        route = GlobalRoute(dgid=self.gid, sgid_index=self.gid_index,
                            hop_limit=64)
        return AHAttr(gr=route, is_global=1, port_num=PORT)

    def wait(self, side):
        """The next completion of a side."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            number, completions = self.cqs[side].poll()
            if number:
                return completions[0]
        self.case.fail('no completion came')

    def expect(self, side, status=None):
        """The next completion of a side, which has this status."""
        status = e.IBV_WC_SUCCESS if status is None else status
        completion = self.wait(side)
        self.case.assertEqual(completion.status, status,
                              f'completion status {completion.status}')
        return completion

    def _send_wr(self, opcode, sge):
        return SendWR(wr_id=next(self.names), opcode=opcode, num_sge=1,
                      sg=[make_sge(*sge)])

    def post(self, side, opcode, sge, remote=None, atomic=None):
        """Post one work request; sge is (mr, offset in it, length)."""
        wr = self._send_wr(opcode, sge)
        if atomic is not None:
            wr.set_wr_atomic(*remote, *atomic)
        elif remote is not None:
            wr.set_wr_rdma(*remote)
        self.qps[side].post_send(wr)

    def run(self, opcode, sge, remote=None, atomic=None, status=None):
        """Post one and wait for it; side 0 is the requester."""
        self.post(0, opcode, sge, remote, atomic)
        return self.expect(0, status)

    def receive(self, sge):
        """Side 1 is ready for a message."""
        self._receiver().post_recv(RecvWR(wr_id=next(self.names), num_sge=1,
                                          sg=[make_sge(*sge)]))

    def _receiver(self):
        return self.qps[1]


class RcPair(_Pair):
    """Connected, reliable."""

    def _attr(self, peer_qpn=0):
        attr = QPAttr(port_num=PORT)
        attr.ah_attr = self._ah_attr()
        attr.qp_access_flags = (uapi.REMOTE_WRITE | uapi.REMOTE_READ |
                                uapi.REMOTE_ATOMIC)
        attr.path_mtu = e.IBV_MTU_1024
        attr.dest_qp_num = peer_qpn
        attr.max_rd_atomic = 1
        attr.max_dest_rd_atomic = 1
        attr.min_rnr_timer = 12
        attr.timeout = 14
        attr.retry_cnt = 7
        attr.rnr_retry = 7
        return attr

    def _qp(self, cq):
        init = QPInitAttr(qp_type=e.IBV_QPT_RC, scq=cq, rcq=cq, cap=self.cap)
        return self._make(QP, self.case.pd, init, self._attr())


class SrqPair(RcPair):
    """Both receive from one shared queue."""

    def __init__(self, case):
        attr = SrqInitAttr(SrqAttr(max_wr=self.DEPTH, max_sge=1))
        self.srq = case.closed_at_end(SRQ(case.pd, attr))
        super().__init__(case)

    def _qp(self, cq):
        init = QPInitAttr(qp_type=e.IBV_QPT_RC, scq=cq, rcq=cq, cap=self.cap,
                          srq=self.srq)
        return self._make(QP, self.case.pd, init, self._attr())

    def _receiver(self):
        return self.srq


class ExtendedPair(RcPair):
    """Work requests are made by the functions of ibv_wr_post(3)."""

    OPERATIONS = (e.IBV_QP_EX_WITH_SEND | e.IBV_QP_EX_WITH_RDMA_WRITE |
                  e.IBV_QP_EX_WITH_RDMA_READ |
                  e.IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD |
                  e.IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP)

    def _qp(self, cq):
        init = QPInitAttrEx(
            qp_type=e.IBV_QPT_RC, scq=cq, rcq=cq, cap=self.cap,
            pd=self.case.pd, send_ops_flags=self.OPERATIONS,
            comp_mask=(e.IBV_QP_INIT_ATTR_PD |
                       e.IBV_QP_INIT_ATTR_SEND_OPS_FLAGS))
        return self._make(QPEx, self.case.context, init, self._attr())

    def post(self, side, opcode, sge, remote=None, atomic=None):
        qp = self.qps[side]
        operation = {
            e.IBV_WR_SEND: qp.wr_send,
            e.IBV_WR_RDMA_WRITE: qp.wr_rdma_write,
            e.IBV_WR_RDMA_READ: qp.wr_rdma_read,
            e.IBV_WR_ATOMIC_FETCH_AND_ADD: qp.wr_atomic_fetch_add,
            e.IBV_WR_ATOMIC_CMP_AND_SWP: qp.wr_atomic_cmp_swp,
        }[opcode]
        qp.wr_start()
        qp.wr_id = next(self.names)
        qp.wr_flags = e.IBV_SEND_SIGNALED
        operation(*(remote or ()), *(atomic or ()))
        qp.wr_set_sge(make_sge(*sge))
        qp.wr_complete()


class UdPair(_Pair):
    """Datagrams, from 0 to 1."""

    QKEY = 0x11111111

    def __init__(self, case):
        super().__init__(case)
        self.ah = self._make(AH, case.pd, attr=self._ah_attr())

    def _attr(self, peer_qpn=0):
        attr = QPAttr(port_num=PORT)
        attr.qkey = self.QKEY
        return attr

    def _qp(self, cq):
        init = QPInitAttr(qp_type=e.IBV_QPT_UD, scq=cq, rcq=cq, cap=self.cap)
        # with an attr, pyverbs would make it ready to send at once
        return self._make(QP, self.case.pd, init)

    def post(self, side, opcode, sge, remote=None, atomic=None):
        wr = self._send_wr(opcode, sge)
        wr.set_wr_ud(self.ah, self.qps[1 - side].qp_num, self.QKEY)
        self.qps[side].post_send(wr)
