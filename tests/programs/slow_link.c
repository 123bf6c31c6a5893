// SPDX-License-Identifier: Apache-2.0
/*
 * slow_link DEVICE BYTES: from now on the device sends so many bytes a second, and the rest waits
 * in its queue (tbf). As `tc qdisc add dev DEVICE root tbf rate …` does.
 */
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct request {
	struct nlmsghdr header;
	struct tcmsg tc;
	char attributes[512];
};

static struct rtattr *add(struct request *r, unsigned short type, const void *value, size_t len)
{
	struct rtattr *a = (void *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), value, len);
	r->header.nlmsg_len =
		(unsigned int)(NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

int main(int argc, char **argv)
{
	struct request r = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(r.tc)),
			   .nlmsg_type = RTM_NEWQDISC,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK},
		.tc = {.tcm_parent = TC_H_ROOT},
	};
	struct tc_tbf_qopt tbf = {.rate = {.linklayer = TC_LINKLAYER_ETHERNET}, .limit = 1 << 20};
	unsigned int burst = 2000;
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[1024];
	} answer = {};
	struct rtattr *options;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (argc != 3)
		return 2;
	r.tc.tcm_ifindex = (int)if_nametoindex(argv[1]);
	tbf.rate.rate = (unsigned int)strtoul(argv[2], NULL, 10);
	add(&r, TCA_KIND, "tbf", 4);
	options = add(&r, TCA_OPTIONS, NULL, 0);
	add(&r, TCA_TBF_PARMS, &tbf, sizeof(tbf));
	add(&r, TCA_TBF_BURST, &burst, sizeof(burst));
	options->rta_len = (unsigned short)((char *)&r + r.header.nlmsg_len - (char *)options);
	if (send(fd, &r, r.header.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		return 1;
	return -answer.error.error;
}
