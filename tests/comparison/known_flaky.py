# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Tests of rdma-core that pass or fail by chance on Soft-RoCE, whatever the provider, and why.

They are run several times, and compared by how often they pass. A test belongs here only when it
was seen to both pass and fail with rdma-core's own provider on the unpatched kernel.
"""

KNOWN_FLAKY = {
    "tests.test_cq.CQTest.test_resize_cq":
        "posts some sends and expects their completions in the CQ at once, without polling; "
        "Soft-RoCE sends in a worker, which may or may not have been faster",
}

TIMES = 8
