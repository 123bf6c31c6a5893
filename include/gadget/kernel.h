/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * The kernel's types as far as gadgets look into them, for x86-64 and arm64. Fields are found by
 * name when the object is loaded (CO-RE), so only names and types matter here, not places, and the
 * build needs no kernel of its own. A gadget that needs more declares it itself:
 *
 *   struct name { type field; } __attribute__((preserve_access_index));
 *
 * Stands in for vmlinux.h; do not include linux/ headers beside it.
 */
#pragma once

#define __VMLINUX_H__ /* bpf/bpf_tracing.h asks this to know how registers are named here */

#include <gadget/bpf_interface.h>

/* ---- registers of this architecture, as bpf/bpf_tracing.h names them ------------------------ */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip,
		cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
};
struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			__u64 regs[31];
			__u64 sp, pc, pstate;
		};
	};
	__u64 orig_x0;
	__s32 syscallno;
};
#else
#error "compile with -D__TARGET_ARCH_x86 or -D__TARGET_ARCH_arm64"
#endif

struct hlist_node {
	struct hlist_node *next;
};
struct hlist_head {
	struct hlist_node *first;
};

/* ---- namespaces and cgroups ----------------------------------------------------------------- */

struct ns_common {
	unsigned int inum;
};
struct mnt_namespace {
	struct ns_common ns;
};
struct pid_namespace {
	struct ns_common ns;
	unsigned int level;
};
struct user_namespace {
	struct ns_common ns;
	struct user_namespace *parent;
	int level;
};
struct net {
	struct ns_common ns;
};
struct new_utsname {
	char nodename[65];
};
struct uts_namespace {
	struct new_utsname name;
	struct ns_common ns;
};
struct nsproxy {
	struct uts_namespace *uts_ns;
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct pid_namespace *pid_ns_for_children;
};

struct kernfs_node {
	const char *name;
	__u64 id;
};
struct cgroup_root {
	int hierarchy_id;
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};
struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};
struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* by enum cgroup_subsys_id */
	struct cgroup *dfl_cgrp;
};

/* ---- tasks ---------------------------------------------------------------------------------- */

struct upid {
	int nr;
	struct pid_namespace *ns;
};
struct pid {
	unsigned int level;
	struct upid numbers[1];
};
typedef struct {
	unsigned int val;
} kuid_t;
typedef struct {
	unsigned int val;
} kgid_t;
typedef struct {
	__u64 val;
} kernel_cap_t;
struct cred {
	kuid_t uid, euid;
	kgid_t gid, egid;
	kernel_cap_t cap_permitted, cap_effective, cap_bset;
	struct user_namespace *user_ns;
};
struct tty_driver {
	int major, minor_start;
	const char *name;
};
struct tty_struct {
	int index;
	struct tty_driver *driver;
	char name[64];
};
typedef struct {
	int counter;
} atomic_t;
typedef struct {
	__s64 counter;
} atomic64_t;
typedef struct {
	unsigned long sig[1];
} sigset_t;
struct signal_struct {
	struct tty_struct *tty;
	atomic_t live;	/* threads that have not begun to exit */
	int nr_threads; /* that are not gone */
	unsigned int flags;
	int group_exit_code;
	short oom_score_adj;
};
struct kernel_siginfo {
	int si_signo, si_errno, si_code;
};
struct mm_struct {
	unsigned long start_stack, arg_start, arg_end, env_start, env_end, total_vm;
	atomic64_t pgtables_bytes;
	struct file *exe_file;
};
struct thread_info {
	unsigned long flags; /* arm64: TIF_32BIT */
	__u32 status;	     /* x86: TS_COMPAT */
};
struct callback_head {
	struct callback_head *next;
};
struct seccomp {
	int mode; /* SECCOMP_MODE_… */
};
struct task_struct {
	struct thread_info thread_info;
	struct callback_head *task_works; /* what it does before it returns from its call */
	void *stack;			  /* the kernel's, from its lowest address */
	struct seccomp seccomp;
	unsigned int flags;
	int exit_state, exit_code;
	pid_t pid, tgid;
	struct task_struct *real_parent, *parent, *group_leader;
	struct pid *thread_pid;
	__u64 start_time, start_boottime;
	const struct cred *real_cred, *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	sigset_t blocked;
	struct mm_struct *mm;
	struct css_set *cgroups;
	kuid_t loginuid;
	unsigned int sessionid;
};

/* ---- files ---------------------------------------------------------------------------------- */

struct qstr {
	union {
		struct {
			__u32 hash, len;
		};
		__u64 hash_len;
	};
	const unsigned char *name;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};
struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct fs_struct {
	struct path root, pwd;
};
struct file_system_type {
	const char *name;
};
struct super_block {
	dev_t s_dev;
	unsigned long s_magic;
	struct file_system_type *s_type;
};
struct inode {
	umode_t i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	dev_t i_rdev;
	__s64 i_size;
	__s64 i_ctime_sec; /* since 6.11 */
	__u32 i_ctime_nsec;
};
struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
};
struct inode___6_10 { /* since 6.6 */
	struct timespec64 __i_ctime;
};
struct inode___6_5 {
	struct timespec64 i_ctime;
};
struct file {
	unsigned int f_flags;
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
	__s64 f_pos;
	struct callback_head f_task_work; /* since 6.5 */
};
struct file___6_4 { /* since 6.0 */
	struct callback_head f_rcuhead;
};
struct file___5_19 {
	union {
		struct callback_head fu_rcuhead;
	} f_u;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct filename {
	const char *name;
};
struct open_how {
	__u64 flags, mode, resolve;
};
struct linux_binprm {
	struct file *file, *executable;
	const char *filename, *interp;
	int argc, envc;
};
/*
 * Only in the kernel's BTF where overlayfs is built in; the upper dentry stands right behind
 * vfs_inode.
 */
struct ovl_inode {
	struct inode vfs_inode;
	struct dentry *__upperdentry;
};

/* ---- sockets -------------------------------------------------------------------------------- */

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be16 u6_addr16[8];
		__be32 u6_addr32[4];
	} in6_u;
};
struct in_addr {
	__be32 s_addr;
};
struct sockaddr {
	unsigned short sa_family;
	char sa_data[14];
};
struct sockaddr_in {
	unsigned short sin_family;
	__be16 sin_port;
	struct in_addr sin_addr;
};
struct sockaddr_in6 {
	unsigned short sin6_family;
	__be16 sin6_port;
	__be32 sin6_flowinfo;
	struct in6_addr sin6_addr;
	__u32 sin6_scope_id;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	unsigned long skc_flags;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
};
struct sock_cgroup_data {
	struct cgroup *cgroup;
};
struct sock_cgroup_data___5_14 { /* up to that release: a pointer, or other things marked by the
				    lowest bits */
	__u64 val;
};
struct sock {
	struct sock_common __sk_common;
	__u16 sk_type, sk_protocol;
	int sk_err;
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
	kuid_t sk_uid;
	struct bpf_local_storage *sk_bpf_storage;
};
/* What SK_STORAGE maps have for a socket (since 5.10): a list with an element for each map. */
struct bpf_local_storage {
	struct hlist_head list;
};
struct bpf_local_storage_data {
	struct bpf_local_storage_map *smap;
	__u8 data[0];
};
struct bpf_local_storage_elem {
	struct hlist_node snode;
	struct bpf_local_storage_data sdata;
};
struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
	__be32 inet_saddr;
};
struct tcp_sock {
	__u64 bytes_received, bytes_acked, bytes_sent, bytes_retrans;
	__u32 srtt_us, total_retrans;
};
typedef enum {
	SS_CONNECTING = 2,
} socket_state;
struct socket {
	short type;
	socket_state state;
	struct file *file;
	struct sock *sk;
};
enum {
	SOCK_DONE = 1, /* bit of skc_flags: the other end's FIN was received */
};
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

/* ---- io_uring ------------------------------------------------------------------------------- */

/* A request begins with a union of what its kinds need: struct io_open for an open. */
struct io_cqe {
	__s32 res;
};
struct io_kiocb {
	__u8 opcode;
	struct io_cqe cqe; /* since 6.0 */
};
struct io_open {
	__u32 file_slot; /* since 5.15 */
	struct filename *filename;
	struct open_how how;
};
struct delayed_filename { /* since 7.0 */
	struct filename *__incomplete_filename;
};
struct io_open___7_0 {
	struct delayed_filename filename;
};
enum {
	IORING_OP_OPENAT = 18,
	IORING_OP_OPENAT2 = 28,
};

/* ---- iterators ------------------------------------------------------------------------------ */

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id, seq_num;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};
struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	kuid_t uid;
};

#pragma clang attribute pop

/* ---- constants ------------------------------------------------------------------------------ */

#define BPF_F_CURRENT_NETNS (-1L)
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define AT_FDCWD -100
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR 0x200
#define AT_SYMLINK_FOLLOW 0x400
#define AT_EMPTY_PATH 0x1000
#define O_WRONLY 01
#define O_CREAT 0100
#define O_TRUNC 01000
#define __O_TMPFILE 020000000
#define __FMODE_EXEC 040 /* in f_flags: opened to be executed */
#define ENOENT 2
#define EINTR 4
#define EBADF 9
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define EINVAL 22
#define EISCONN 106
#define ECONNABORTED 103
#define EALREADY 114
#define EINPROGRESS 115
#define ERESTARTSYS 512
#define MSG_PEEK 2
#define SIGNAL_GROUP_EXIT 4 /* in signal_struct.flags: the process as a whole ends */
#define PF_KTHREAD 0x00200000
#define I_CTIME_QUERIED (1u << 31) /* in i_ctime_nsec, since 6.13 */
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define ANON_INODE_FS_MAGIC 0x09041934
