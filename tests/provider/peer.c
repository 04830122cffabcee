// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "peer.h"
#include "test.h"

#define NETDEV "peer0"
#define DEVICE_ADDRESS "192.0.2.1"
#define PEER_ADDRESS "192.0.2.2"
#define PEER_MAC "02:00:00:00:00:02"
#define ROCE_PORT 4791
#define TIMEOUT_MS 20000

#define FLUSH_GLOBAL 1
#define QP_ACCESS_FLUSH_GLOBAL (1 << 8)

struct bth {
	uint8_t opcode;
	uint8_t flags;
	uint16_t pkey;
	uint32_t qpn;
	uint32_t psn;
} __attribute__((packed));

struct reth {
	uint64_t addr;
	uint32_t rkey;
	uint32_t length;
} __attribute__((packed));

struct headers {
	struct ether_header ether;
	struct iphdr ip;
	struct udphdr udp;
	struct bth bth;
} __attribute__((packed));

#define ICRC_SIZE 4
#define ACK_REQUEST (1U << 31)

static int tap = -1;

static uint32_t crc32(uint32_t crc, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;

	while (length--) {
		crc ^= *at++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

/* Of a packet and what follows its headers; fields that change on the way count as ones. */
static uint32_t icrc(const struct headers *headers, const void *rest, size_t length)
{
	static const uint64_t no_lrh = -1UL;
	struct headers masked = *headers;
	uint32_t crc;

	masked.ip.tos = 0xff;
	masked.ip.ttl = 0xff;
	masked.ip.check = 0xffff;
	masked.udp.check = 0xffff;
	masked.bth.qpn |= htonl(0xff000000);
	crc = crc32(-1U, &no_lrh, sizeof(no_lrh));
	crc = crc32(crc, &masked.ip, sizeof(masked) - offsetof(struct headers, ip));
	return ~crc32(crc, rest, length);
}

static uint16_t ip_checksum(struct iphdr ip)
{
	uint16_t words[sizeof(ip) / 2];
	uint32_t sum = 0;

	memcpy(words, &ip, sizeof(words));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static void peer_gid(union ibv_gid *gid)
{
	struct in_addr addr;

	inet_pton(AF_INET, PEER_ADDRESS, &addr);
	memset(gid, 0, sizeof(*gid));
	memset(gid->raw + 10, 0xff, 2);
	memcpy(gid->raw + 12, &addr, sizeof(addr));
}

int peer_open(void)
{
	struct ifreq request = { .ifr_name = NETDEV, .ifr_flags = IFF_TAP | IFF_NO_PI };

	if (system("modprobe -q tun"))
		return ENODEV;
	tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (tap < 0)
		return errno;
	if (ioctl(tap, TUNSETIFF, &request))
		return errno;
	if (system("ip addr add " DEVICE_ADDRESS "/24 dev " NETDEV " && ip link set " NETDEV
		   " up && ip neigh add " PEER_ADDRESS " lladdr " PEER_MAC " dev " NETDEV
		   " nud permanent && rdma link add " PEER_DEVICE " type rxe netdev " NETDEV))
		return EIO;
	return 0;
}

void peer_close(void)
{
	if (system("rdma link delete " PEER_DEVICE))
		print_error(PEER_DEVICE " is still there\n");
	close(tap);
}

/* Answers of a connection that a test has done with */
static void forget_answers(void)
{
	struct pollfd poll_fd = { .fd = tap, .events = POLLIN };
	uint8_t frame[2048];

	while (poll(&poll_fd, 1, 0) == 1 && read(tap, frame, sizeof(frame)) > 0)
		;
}

int peer_connect(struct rc_pair *pair)
{
	struct ibv_qp_attr attr = {
		.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ |
				   QP_ACCESS_FLUSH_GLOBAL,
	};
	int err;

	peer_gid(&pair->gid);
	err = rc_pair_reset(pair);
	forget_answers();
	return err ? err : ibv_modify_qp(pair->responder, &attr, IBV_QP_ACCESS_FLAGS);
}

void peer_send(const struct rc_pair *pair, const struct peer_request *request)
{
	static uint16_t id;
	struct {
		struct headers headers;
		uint8_t rest[sizeof(uint32_t) + sizeof(struct reth) + PEER_MTU + ICRC_SIZE];
	} __attribute__((packed)) packet = {
		.headers = {
			.ether.ether_type = htons(ETHERTYPE_IP),
			.ip = {
				.version = 4,
				.ihl = sizeof(struct iphdr) / 4,
				.id = htons(++id),
				.ttl = 64,
				.protocol = IPPROTO_UDP,
			},
			.udp = { .source = htons(ROCE_PORT), .dest = htons(ROCE_PORT) },
			.bth = {
				.opcode = request->opcode,
				.pkey = 0xffff,
				.qpn = htonl(pair->responder->qp_num),
				.psn = htonl(request->psn | ACK_REQUEST),
			},
		},
	};
	const struct reth reth = {
		.addr = htobe64(request->addr),
		.rkey = htonl(request->rkey),
		.length = htonl(request->length),
	};
	const uint32_t feth = htonl(FLUSH_GLOBAL);
	struct ifreq name = { .ifr_name = NETDEV };
	struct headers *h = &packet.headers;
	size_t length = 0, total;
	uint32_t crc;
	int fd;

	if (request->opcode == PEER_FLUSH) {
		memcpy(packet.rest, &feth, sizeof(feth));
		length = sizeof(feth);
	}
	memcpy(packet.rest + length, &reth, sizeof(reth));
	length += sizeof(reth);
	memcpy(packet.rest + length, request->payload, request->payload_length);
	length += request->payload_length;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &name), 0);
	close(fd);
	memcpy(h->ether.ether_dhost, name.ifr_hwaddr.sa_data, ETH_ALEN);
	inet_pton(AF_INET, PEER_ADDRESS, &h->ip.saddr);
	inet_pton(AF_INET, DEVICE_ADDRESS, &h->ip.daddr);
	total = sizeof(*h) + length + ICRC_SIZE;
	h->ip.tot_len = htons(total - offsetof(struct headers, ip));
	h->udp.len = htons(total - offsetof(struct headers, udp));
	crc = icrc(h, packet.rest, length);
	/* rxe counts a flush twice: its table of opcodes says that the payload begins at the BTH. */
	if (request->opcode == PEER_FLUSH)
		crc = ~crc32(crc32(~crc, &h->bth, sizeof(h->bth)), packet.rest, length);
	crc = htole32(crc);
	memcpy(packet.rest + length, &crc, sizeof(crc));
	h->ip.check = ip_checksum(h->ip);
	assert_int_equal(write(tap, &packet, total), total);
}

static bool has_aeth(enum peer_opcode opcode)
{
	return opcode != PEER_READ_MIDDLE;
}

void peer_receive(struct peer_answer *answer)
{
	struct pollfd poll_fd = { .fd = tap, .events = POLLIN };
	uint8_t frame[2048], *at;
	struct headers h;
	ssize_t length;
	uint32_t aeth;

	/* Others find the network interesting, too. */
	do {
		if (poll(&poll_fd, 1, TIMEOUT_MS) != 1)
			fail_msg("no answer");
		length = read(tap, frame, sizeof(frame));
		assert_true(length > 0);
		memcpy(&h, frame, sizeof(h));
	} while ((size_t)length < sizeof(h) || h.ether.ether_type != htons(ETHERTYPE_IP) ||
		 h.ip.protocol != IPPROTO_UDP || h.udp.dest != htons(ROCE_PORT));

	answer->opcode = h.bth.opcode;
	answer->psn = ntohl(h.bth.psn) & 0xffffff;
	at = frame + sizeof(h);
	/* pad count */
	length -= sizeof(h) + ICRC_SIZE + (h.bth.flags >> 4 & 3);
	answer->syndrome = 0;
	if (has_aeth(answer->opcode)) {
		memcpy(&aeth, at, sizeof(aeth));
		answer->syndrome = ntohl(aeth) >> 24;
		at += sizeof(aeth);
		length -= sizeof(aeth);
	}
	assert_true(length >= 0 && length <= PEER_MTU);
	answer->length = length;
	memcpy(answer->payload, at, length);
}
