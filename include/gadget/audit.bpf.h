/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The kernel's audit records: what it hands to auditd, or prints in its log where there is none.
 */
#pragma once

#include <gadget/gadget.bpf.h>

/* As ausearch prints them; others are shown as numbers. */
enum audit_type {
	SYSCALL = 1300,
	PATH = 1302,
	CONFIG_CHANGE = 1305,
	SOCKADDR = 1306,
	CWD = 1307,
	EXECVE = 1309,
	EOE = 1320,
	CAPSET = 1322,
	NETFILTER_PKT = 1324,
	NETFILTER_CFG = 1325,
	SECCOMP = 1326,
	PROCTITLE = 1327,
	KERN_MODULE = 1330,
	BPF = 1334,
	AVC = 1400,
	LANDLOCK_ACCESS = 1423,
	LANDLOCK_DOMAIN = 1424,
	ANOM_PROMISCUOUS = 1700,
	ANOM_ABEND = 1701,
	ANOM_LINK = 1702,
};

struct sk_buff___of_audit {
	unsigned char *data;
	unsigned int len;
} __attribute__((preserve_access_index));

struct audit_buffer___of_kernel {
	struct sk_buff___of_audit *skb;
} __attribute__((preserve_access_index));

struct audit_record {
	enum audit_type type;
	const char *text; /* in the kernel, not terminated */
	__u32 length;
};

/*
 * buffer: what audit_log_end() is given. False: it has no text, or is of a packet, which is not the
 * current process's.
 */
static __always_inline bool audit_record_read(const struct audit_buffer___of_kernel *buffer,
					      struct audit_record *ret)
{
	enum { HEAD = 16, TYPE_AT = 4 }; /* struct nlmsghdr */
	struct sk_buff___of_audit *skb = buffer ? BPF_CORE_READ(buffer, skb) : NULL;
	const char *data;
	__u32 length;
	__u16 type = 0;

	if (!skb)
		return false;
	data = (const char *)BPF_CORE_READ(skb, data);
	length = BPF_CORE_READ(skb, len);
	bpf_probe_read_kernel(&type, sizeof(type), data + TYPE_AT);
	if (length <= HEAD || type == NETFILTER_PKT)
		return false;
	*ret = (struct audit_record){type, data + HEAD, length - HEAD};
	return true;
}
