/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Types of a record's fields, the same bytes for the BPF program that fills them and the host that
 * shows them. A typedef's name chooses how a field is shown, parsed in filters and written as JSON
 * (src/columns/format.c has a row for each). Include after fixed-width types __u8 … __u64 exist.
 */
#pragma once

/* A word of description, carried in the object's BTF; gadget.bpf.h tells which words there are. */
#ifdef __bpf__
#define G_TAG(text) __attribute__((btf_decl_tag(text)))
#else
#define G_TAG(text)
#endif

/*
 * On a field of a record or key. COL: hidden, right, fixed, skip-empty, width=N,
 * ellipsis=start|middle|end|none.
 */
#define DOC(text) G_TAG("doc:" text)
#define COL(...) G_TAG("col:" #__VA_ARGS__)

typedef __u64 g_time;	  /* CLOCK_BOOTTIME, ns; JSON: RFC 3339 */
typedef __s64 g_walltime; /* ns since 1970, as file systems keep times; 0 = none; JSON: RFC 3339 */
typedef __u64 g_duration; /* ns */
typedef __u64 g_bytes;	  /* a number of bytes */
typedef __u64 g_milli;	  /* thousandths; shown as 1.5 */
typedef __u64 g_percent;  /* parts of 10^9, or ns of a second; shown as percents: 1.25 */
typedef __u64 g_hex;	  /* a number that people read as 0x1f: an address */
typedef __u64
	g_container; /* which container, for this run of ig: slot in the low 32 bits; never shown */
typedef __u64 g_cgroup; /* cgroup v2 id */
typedef __u32 g_mntns;	/* inode numbers of namespaces */
typedef __u32 g_netns;
typedef __u32 g_pidns;
typedef __u32 g_userns;
typedef __u32 g_pid; /* in the host's pid namespace */
typedef __u32 g_uid;
typedef __u32 g_gid;
typedef __u32 g_user;  /* the same ids, shown by name: of the container's own /etc/passwd and */
typedef __u32 g_group; /* /etc/group, of the host's where it is in none */
typedef char g_comm[16];
typedef __s32 g_errno; /* positive; 0 = no error */
typedef __u32 g_signal;
/*
 * Why a signal was sent, si_code. Codes above 0 but SI_KERNEL mean different things for different
 * signals: these are signal << 16 | si_code.
 */
typedef __s32 g_signal_code;
/*
 * A system call: the kernel's AUDIT_ARCH_… << 32 | its number there, so that it has its right name
 * on any machine. G_NO_SYSCALL: none.
 */
typedef __u64 g_syscall;
#define G_NO_SYSCALL 0xffffffffffffffffull
typedef __u32 g_capability;	/* CAP_* */
typedef __u64 g_capability_set; /* 1 << CAP_* */
typedef __s32 g_fd;	    /* -1 = none */
typedef __s32 g_cpu;	    /* -1 = not of one alone: shown empty */
typedef __u32 g_open_flags; /* O_* of this architecture */
typedef __u32 g_file_mode;  /* S_I* */
typedef __u32 g_dev;	    /* kernel's dev_t: major << 20 | minor */
typedef __u64 g_inode;
typedef __u16 g_port;	  /* host byte order */
typedef __u8 g_ipproto;	  /* IPPROTO_* */
typedef __u8 g_tcp_state; /* TCP_ESTABLISHED … as in the kernel */
typedef __u8 g_bool;	  /* 0 or 1 */
typedef __u32 g_tty;	  /* as in /proc/PID/stat: 0 = none; JSON and text: name, such as pts/3 */
typedef __u8 g_addr[16];  /* IPv6; IPv4 as ::ffff:a.b.c.d */

/*
 * Text of any length: its bytes lie in the record's tail, at `offset` from the record's start. The
 * highest bit of `length` says that the text was cut.
 */
struct g_text_place {
	__u32 offset;
	__u32 length;
};
#define G_TRUNCATED 0x80000000u
typedef struct g_text_place g_text;	      /* bytes, not NUL-terminated */
typedef struct g_text_place g_octets;	      /* bytes, shown in hexadecimal */
typedef struct g_text_place g_args;	      /* NUL-terminated strings, one after the other */
typedef struct g_text_place g_ustack;	      /* struct g_user_stack; the host makes g_args of it */
typedef struct g_text_place g_kstack;	      /* __u64 addresses, innermost first; likewise */
typedef struct g_text_place g_container_name; /* a g_cgroup; the host makes its container's name
						 of it, g_text */

/*
 * In tables: ids of stacks that lie in a map (stack.bpf.h). The host makes g_args of them as well.
 * 0: none; below G_STACK_IDS: the errno by which there is none.
 */
typedef __u64 g_ustack_id;
typedef __u64 g_kstack_id;
typedef __u64 g_ustack_files; /* a user stack's id: its files, with their build ids */
#define G_STACK_IDS 4096

/*
 * A user stack as the kernel gives it, innermost frame first. Where a file has a build id the frame
 * is that and the place in the file, which need no look at the process, else an address.
 */
#define G_STACK_FRAMES 60 /* so that a user stack in a map takes 2 KiB with all around it */
#define G_KSTACK_BYTES (G_STACK_FRAMES * sizeof(__u64))
struct g_user_stack {
	__u64 start_stack; /* of its address space: another one after an exec */
	__u32 pid;
	__u32 parent;	       /* pid: it may have the same files, when the process is gone */
	struct g_stack_frame { /* the kernel's struct bpf_stack_build_id */
		__s32 status;  /* G_FRAME_…; 0: none */
		__u8 build_id[20];
		__u64 where; /* bytes from the file's start, or the address */
	} frames[G_STACK_FRAMES];
};
enum { G_FRAME_BUILD_ID = 1, G_FRAME_ADDRESS = 2 };

/*
 * A histogram, as a field of a table's value (histogram.bpf.h): data[i] counts values in
 * [2^i, 2^(i+1)), the first one 0 as well, the last one all that is larger. The host adds up those
 * of several rows, and draws them (-o histogram).
 */
#define G_LOG2_SLOTS 32
typedef __u64 g_log2[G_LOG2_SLOTS];
typedef __u64 g_unit; /* of the values: G_UNIT_… */
enum { G_UNIT_NONE, G_UNIT_NS, G_UNIT_US, G_UNIT_MS, G_UNIT_BYTES };

struct g_histogram {
	g_unit unit G_TAG("doc:Unit of the values");
	g_log2 data G_TAG("doc:How many values lay in each interval");
};

struct g_endpoint {
	g_addr addr G_TAG("doc:IP address");
	g_port port G_TAG("doc:Port");
	g_ipproto proto G_TAG("doc:TCP, UDP …");
	__u8 version G_TAG("doc:Version of IP: 4 or 6");
};

/*
 * Whose an address is, as far as this machine can tell. Each begins as the place of a g_addr in the
 * record (text_peer()); the host makes texts of them.
 */
typedef struct g_text_place g_peer_kind; /* pod, container, host, loopback; raw: none of these */
typedef struct g_text_place g_peer_name;
typedef struct g_text_place g_peer_namespace;
typedef struct g_text_place g_peer_labels; /* g_args: key=value */

struct g_peer {
	g_addr addr G_TAG("doc:IP address of the other end");
	g_peer_kind kind G_TAG("doc:pod or container on this machine, host: the machine itself, "
			       "loopback, raw: none of these") G_TAG("col:width=9");
	g_peer_name name G_TAG("doc:Name of the pod or container") G_TAG("col:width=20");
	g_peer_namespace namespace G_TAG("doc:The pod's namespace") G_TAG("col:hidden");
	g_peer_labels labels G_TAG("doc:Labels of the pod or container") G_TAG("col:hidden");
};

/* How a packet went through its socket. */
enum g_packet_type { HOST /* received */, OUTGOING };

/* Names take no room: they are the ids, shown otherwise. */
struct g_creds {
	union {
		g_uid uid G_TAG("doc:User id") G_TAG("col:hidden");
		g_user user G_TAG("doc:User's name in the container's own /etc/passwd; its id "
				  "where there is none") G_TAG("col:hidden");
	};
	union {
		g_gid gid G_TAG("doc:Group id") G_TAG("col:hidden");
		g_group group G_TAG("doc:Group's name in the container's own /etc/group; its id "
				    "where there is none") G_TAG("col:hidden");
	};
};

struct g_parent {
	g_comm comm G_TAG("doc:Name of the parent process") G_TAG("col:hidden");
	g_pid pid G_TAG("doc:Process id of the parent") G_TAG("col:hidden");
};

/* The process that did it. */
struct g_process {
	g_comm comm G_TAG("doc:Name of the process");
	g_pid pid G_TAG("doc:Process id");
	g_pid tid G_TAG("doc:Thread id") G_TAG("col:hidden");
	struct g_creds creds;
	struct g_parent parent;
	g_mntns mntns_id G_TAG("doc:Mount namespace") G_TAG("col:hidden");
};

/* One container's counters in a tracer's counter map: seen = output + lost. */
struct g_counters {
	__u64 seen; /* passed the look-up and the predicate */
	__u64 lost; /* could not be put out: ring or table full */
};

/* Places behind the slots of g_counters that hold the gadget's name, NUL-padded. */
#define G_NAME_SLOTS 2
#define G_NAME_BYTES (G_NAME_SLOTS * sizeof(struct g_counters))

/* What only user space can learn of a BPF program: programs.bpf.h. */
struct g_program {
	__u64 run_time, runs; /* ns; as long as they were counted */
	__u64 map_bytes;
	__u32 maps, pad;
};

/*
 * Keys of the map `g_wanted`: a cgroup v2 id, or a namespace's inode number with the highest bit
 * set. Its value is the g_container, or G_BY_NAMESPACE: "this cgroup holds several containers (or a
 * container and the host), look at the namespace".
 */
#define G_NAMESPACE_KEY 0x8000000000000000ull
#define G_BY_NAMESPACE 0xffffffffffffffffull
#define G_NOBODY 0xffffffffffffffffull /* a g_container that is none */
#define G_HOST 0 /* g_container of the host's own processes: slot 0 */
#define G_SLOTS 16385
