# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Programs that people run on RDMA devices: how each is started, and how it tells success."""

import dataclasses

# In arguments: {device}, {ip} and {gid}, the index of the GID of {ip}.

# What a server does when it can be connected to
TCP = "tcp"  # listens on a TCP port
CM = "cm"  # listens on an address of librdmacm

# What the results of the perftest programs begin with: size and iterations. The figures after
# those may be "inf" where the machine is too busy for perftest to find out how fast it is.
PERFTEST_RESULT = r"^ *\d+ +\d+ +(?:[\d.]|inf|-?nan)"


@dataclasses.dataclass(frozen=True)
class Case:
    group: str
    name: str
    server: str
    client: str
    expected: str  # a regular expression; the client prints it when it has done its work
    listens: str = TCP
    environment: dict = dataclasses.field(default_factory=dict)


def perftest(program, options="", listens=TCP):
    command = f"{program} -d {{device}} -x {{gid}} -F {options}"
    return Case("perftest", f"{program} {options}".strip(), command, command + " {ip}",
                PERFTEST_RESULT, listens)


def pingpong(program, options=""):
    command = f"{program} -d {{device}} -g {{gid}} -n 200 {options}"
    return Case("ibverbs-utils", f"{program} {options}".strip(), command, command + " {ip}",
                r"^200 iters in ")


def cm(program, server, client, expected):
    return Case("rdmacm-utils", f"{program} {client}".strip(), f"{program} {server}",
                f"{program} {client}", expected, CM)


def fabric(provider, endpoint):
    command = f"fi_pingpong -p {provider} -e {endpoint} -I 20 -S 1024 -c"
    return Case("libfabric", f"fi_pingpong -p {provider} -e {endpoint}", command,
                command + " {ip}", r"^1k +20 +=20 ",
                # Looking for all kinds of fabric takes longer than the rest; a CQ for more peers
                # is larger than Soft-RoCE's can be.
                environment={"FI_PROVIDER": "verbs,ofi_rxm,ofi_rxd", "FI_UNIVERSE_SIZE": "4"})


# The link-local IPv6 address: on Soft-RoCE, ud_verbs gets no answer over IPv4.
UCX_ENVIRONMENT = {"UCX_IB_GID_INDEX": "0"}


def uct(transport, test):
    """UCX's transports, one by one"""
    command = f"ucx_perftest -d {{device}}:1 -x {transport} -t {test} -n 50 -w 5"
    return Case("UCX", f"ucx_perftest -x {transport} -t {test}", command, command + " {ip}",
                r"^Final: +50 ", environment=UCX_ENVIRONMENT)


def ucp(transports, test):
    """UCX's protocols over the transports"""
    command = f"ucx_perftest -t {test} -n 50 -w 5"
    return Case("UCX", f"UCX_TLS={transports} ucx_perftest -t {test}", command,
                command + " {ip}", r"^Final: +50 ",
                environment={**UCX_ENVIRONMENT, "UCX_TLS": transports,
                             "UCX_NET_DEVICES": "{device}:1"})


# Messages that are sent again as a whole. With several QPs on a busy machine packets get lost, and
# Soft-RoCE does not resume in the middle of a message: "remote invalid request" with either
# provider, on the unpatched kernel as well.
ONE_PACKET = "-s 4096"

CASES = (
    perftest("ib_send_bw", "-c RC -n 300"),
    perftest("ib_send_bw", "-c RC -n 300 -e"),
    perftest("ib_send_bw", "-c UC -n 300"),
    perftest("ib_send_bw", "-c UC -n 300 -e"),
    perftest("ib_send_bw", "-c UD -s 1024 -n 300"),
    perftest("ib_send_bw", "-c UD -s 1024 -n 300 -e"),
    perftest("ib_send_bw", "-c RC -n 300 -b"),
    perftest("ib_send_bw", f"-c RC -n 300 -q 4 --use-srq {ONE_PACKET}"),
    perftest("ib_send_bw", "-c RC -n 300 -R", CM),
    perftest("ib_send_lat", "-c RC -n 100"),
    # Not -c RC -e: hangs by chance, with either provider.
    perftest("ib_send_lat", "-c UC -n 100"),
    perftest("ib_send_lat", "-c UC -n 100 -e"),
    perftest("ib_send_lat", "-c UD -n 100"),
    perftest("ib_send_lat", "-c UD -n 100 -e"),
    perftest("ib_send_lat", "-c RC -n 100 -s 64 -I 64"),
    perftest("ib_write_bw", "-c RC -n 300"),
    perftest("ib_write_bw", "-c UC -n 300"),
    perftest("ib_write_bw", f"-c RC -n 400 -q 4 -l 8 {ONE_PACKET}"),
    perftest("ib_write_lat", "-c RC -n 100"),
    perftest("ib_write_lat", "-c UC -n 100"),
    perftest("ib_read_bw", "-n 300"),
    perftest("ib_read_lat", "-n 100"),
    perftest("ib_read_lat", "-n 100 -e"),
    perftest("ib_atomic_bw", "-A FETCH_AND_ADD -n 300"),
    perftest("ib_atomic_bw", "-A CMP_AND_SWAP -n 300"),
    perftest("ib_atomic_bw", "-A FETCH_AND_ADD -n 300 -e"),
    perftest("ib_atomic_lat", "-A FETCH_AND_ADD -n 100"),
    pingpong("ibv_rc_pingpong", "-c"),
    pingpong("ibv_rc_pingpong", "-c -e -N"),
    pingpong("ibv_uc_pingpong", "-c"),
    pingpong("ibv_ud_pingpong", "-c"),
    pingpong("ibv_srq_pingpong", "-c -e"),
    cm("rping", "-s -a {ip} -v -V -C 20 -S 1000", "-c -a {ip} -v -V -C 20 -S 1000",
       r"^ping data: rdma-ping-19"),
    cm("ucmatose", "-b {ip} -c 4 -C 10", "-s {ip} -c 4 -C 10", r"^return status 0$"),
    cm("udaddy", "-b {ip} -C 10", "-s {ip} -C 10", r"^return status 0$"),
    cm("rstream", "-b {ip} -S 4096 -C 100 -T v", "-s {ip} -S 4096 -C 100 -T v", r"^\S+ +4k "),
    fabric("verbs", "msg"),
    fabric("verbs", "dgram"),
    fabric("verbs;ofi_rxm", "rdm"),
    fabric("verbs;ofi_rxd", "rdm"),
    uct("rc_verbs", "am_lat"),
    uct("rc_verbs", "put_bw"),
    uct("rc_verbs", "get -D bcopy"),
    uct("rc_verbs", "add_lat"),
    uct("ud_verbs", "am_lat"),
    ucp("rc_verbs,ud_verbs", "tag_lat"),
    ucp("ud_verbs", "tag_lat"),
)
