/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Program and current folder of the process that a socket belongs to (owner.bpf.h), for records of
 * packets, which come when that process is not the current one. They are noted at the socket when
 * the process makes, connects or (UDP, without connection) uses it; what a listener accepts has the
 * listener's.
 *
 *   PACKET_TRACER(dns, dns_event, OWNER_PATHS_BYTES + 8192);
 *
 *   text_owner_paths(dns, e, owner_paths_of(sk, owner));    fills e->exepath and e->cwd
 *
 * Including it gives the gadget a flag --paths, without which its programs are not there. Of a path
 * the last OWNER_PATH_MAX bytes are kept.
 */
#pragma once

#include <gadget/owner.bpf.h>
#include <gadget/path.bpf.h>

PARAM(bool, paths, false, "Find the processes' programs and folders (fields exepath and cwd)");

enum { OWNER_PATH_MAX = 512, OWNER_PATHS_BYTES = 2 * OWNER_PATH_MAX };

struct g_owner_path {
	__u32 length;
	bool cut;
	char text[OWNER_PATH_MAX] __attribute__((aligned(8)));
};

struct g_owner_paths {
	g_pid pid; /* 0: not noted, or not as a whole */
	struct g_owner_path exepath, cwd;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct g_owner_paths);
} g_owner_paths SEC(".maps");

/*
 * Who walks on this CPU. A newer kernel may run another task's program in the middle of a walk,
 * which then finds another name here, and is worth nothing.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} g_owner_walks SEC(".maps");

static __always_inline void g_owner_path_take(struct g_owner_path *to, const struct path *path)
{
	struct g_path_walk *w = g_path_walk();
	__u32 at;

	to->length = 0;
	to->cut = g_path_resolve((__u64)path);
	if (!w)
		return;
	at = w->at;
	if (at < G_PATH_MAX - OWNER_PATH_MAX) {
		at = G_PATH_MAX - OWNER_PATH_MAX;
		to->cut = true;
	}
	if (at > G_PATH_MAX)
		return;
	to->length = G_PATH_MAX - at;
	/* The second half of the walk's text is there to be read too far. */
	bpf_probe_read_kernel(to->text, OWNER_PATH_MAX, w->text + at);
}

static __always_inline void g_owner_paths_note(struct g_owner_paths *noted)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 me = bpf_get_current_pid_tgid();
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);
	volatile __u64 *walks;
	__u32 zero = 0;

	walks = bpf_map_lookup_elem(&g_owner_walks, &zero);
	if (!noted || !walks || !exe)
		return;
	*walks = me;
	noted->pid = 0;
	g_owner_path_take(&noted->exepath, &exe->f_path);
	g_owner_path_take(&noted->cwd, &BPF_CORE_READ(task, fs)->pwd);
	if (*walks == me)
		noted->pid = me >> 32;
}

WHEN(paths)
SEC("cgroup/sock_create")
int g_owner_paths_made(struct bpf_sock *sk)
{
	g_owner_paths_note(
		bpf_sk_storage_get(&g_owner_paths, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE));
	return 1;
}

static __always_inline int g_owner_paths_used(struct bpf_sock_addr *ctx)
{
	g_container c;

	if (wanted_container(&c))
		g_owner_paths_note(bpf_sk_storage_get(&g_owner_paths, ctx->sk, 0,
						      BPF_LOCAL_STORAGE_GET_F_CREATE));
	return 1;
}

#define G_OWNER_PATHS_USED(HOOK)                            \
	WHEN(paths)                                         \
	SEC("cgroup/" #HOOK)                                \
	int g_owner_paths_##HOOK(struct bpf_sock_addr *ctx) \
	{                                                   \
		return g_owner_paths_used(ctx);             \
	}
G_OWNER_PATHS_USED(connect4)
G_OWNER_PATHS_USED(connect6)
G_OWNER_PATHS_USED(sendmsg4)
G_OWNER_PATHS_USED(sendmsg6)
G_OWNER_PATHS_USED(recvmsg4)
G_OWNER_PATHS_USED(recvmsg6)

/* NULL: not known of this owner. sk: a whole socket, or NULL. */
static __always_inline struct g_owner_paths *owner_paths_of(struct bpf_sock *sk,
							    const struct g_process *owner)
{
	struct g_owner_paths *noted;

	if (!paths || !sk || !owner)
		return NULL;
	noted = bpf_sk_storage_get(&g_owner_paths, sk, 0, 0);
	return noted && noted->pid == owner->pid ? noted : NULL;
}

/* By words: Linux 5.10 forgets the bounds of a length that it has to keep on the stack. */
#define g_text_owner_path(NAME, e, field, path)                                          \
	do {                                                                             \
		text_copy(NAME, e, field, (path)->text, (path)->length, OWNER_PATH_MAX); \
		if ((path)->cut)                                                         \
			(e)->field.length |= G_TRUNCATED;                                \
	} while (0)

/* Both take up to OWNER_PATHS_BYTES of the record's tail. */
#define text_owner_paths(NAME, e, noted)                                   \
	do {                                                               \
		struct g_owner_paths *p_ = (noted);                        \
                                                                           \
		if (p_) {                                                  \
			g_text_owner_path(NAME, e, exepath, &p_->exepath); \
			g_text_owner_path(NAME, e, cwd, &p_->cwd);         \
		}                                                          \
	} while (0)
