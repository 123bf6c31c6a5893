// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Calls by which a process changes its ids, groups or capabilities. What it has is looked at before
 * and after the call, so that it is seen what really changed.
 */
#include <gadget/gadget.bpf.h>

GADGET("Trace changes of user ids, group ids and capabilities\n"
       "Shows each setuid, setgid, setreuid, setregid, setresuid, setresgid, setfsuid, setfsgid, "
       "setgroups and capset: what was asked for, what the thread had before and has now, and the "
       "error. Ids before and now are the machine's; those asked for are of the process's own user "
       "namespace.",
       LIMITS("Ids and capabilities that change by an exec (set-user-ID programs, file "
	      "capabilities) or by a new user namespace are not shown: see trace_exec and "
	      "trace_unshare. setfsuid and setfsgid never report an error.")
	       SELFTEST("perl -e '$> = 1'", "new.euid==1"));

PARAM(bool, failed, false, "Show only calls that failed");

enum id_operation {
	setuid,
	setgid,
	setreuid,
	setregid,
	setresuid,
	setresgid,
	setfsuid,
	setfsgid,
	setgroups,
	capset,
};

struct capabilities {
	g_capability_set effective DOC("Capabilities in force") COL(hidden);
	g_capability_set permitted DOC("Those that it may put in force") COL(hidden);
	g_capability_set inheritable DOC("Those that an exec may keep") COL(hidden);
};

/* The same, shown otherwise. */
struct asked_capabilities {
	g_capability_set effective DOC("Capabilities in force") COL(width=32, skip-empty);
	g_capability_set permitted DOC("Those that it may put in force") COL(hidden, skip-empty);
	g_capability_set inheritable DOC("Those that an exec may keep") COL(hidden, skip-empty);
};

/* What a thread has. */
struct identity {
	g_uid uid DOC("Real user id") COL(hidden);
	g_uid euid DOC("Effective user id") COL(width=9);
	g_uid suid DOC("Saved user id") COL(hidden);
	g_uid fsuid DOC("User id for files") COL(hidden);
	g_gid gid DOC("Real group id") COL(hidden);
	g_gid egid DOC("Effective group id") COL(width=9);
	g_gid sgid DOC("Saved group id") COL(hidden);
	g_gid fsgid DOC("Group id for files") COL(hidden);
	struct capabilities caps;
};

struct setuid_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum id_operation operation DOC("Call") COL(width=9);
	g_errno error DOC("Why it failed") COL(width=8);
	g_text ids DOC(
		"Ids that were asked for, in the call's order; -1: leave it. Of setgroups the "
		"first 32") COL(width=24);
	struct identity old DOC("Before the call");
	struct identity new DOC("After it");
	struct asked_capabilities asked DOC("What capset asked for");
	__u32 groups DOC("Number of groups that setgroups asked for") COL(hidden, skip-empty);
};

/* A number takes up to 11 bytes. */
enum { MAX_IDS = 32, ID_DIGITS = 10, IDS_BYTES = 384, ID_TEXT_BYTES = 512 };

TRACER(setids, setuid_event, IDS_BYTES);

struct setuid_call {
	g_container container;
	__u32 operation;
	__u32 n_ids; /* of `ids` */
	__u32 groups;
	__u32 ids[MAX_IDS];
	struct asked_capabilities asked;
	struct identity old;
};
PENDING(calls, setuid_call);

/* ---- ids as text ----------------------------------------------------------------------------- */

struct id_text {
	__u32 length;
	char text[ID_TEXT_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct id_text);
} id_texts SEC(".maps");

static __always_inline struct id_text *id_text(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&id_texts, &zero);
}

static __always_inline void add_char(struct id_text *t, char c)
{
	__u32 at = t->length & (ID_TEXT_BYTES - 1);

	barrier_var(at);
	t->text[at] = c;
	t->length = at + 1;
}

/* A global function, so that the verifier looks at it once, not for each number. */
__noinline int add_id(__u32 id)
{
	struct id_text *t = id_text();
	__u32 power = 1000000000;
	bool begun = false;

	if (!t)
		return 0;
	if (t->length)
		add_char(t, ',');
	if (id == (__u32)-1) {
		add_char(t, '-');
		id = 1;
	}
	for (int i = 0; i < ID_DIGITS; i++) {
		__u32 digit = id / power % 10;

		begun |= digit || power == 1;
		if (begun)
			add_char(t, '0' + digit);
		power /= 10;
	}
	return 0;
}

static __always_inline void fill_ids(struct setuid_event *e, const struct setuid_call *call)
{
	struct id_text *t = id_text();

	if (!t)
		return;
	t->length = 0;
	for (int i = 0; i < MAX_IDS && i < call->n_ids; i++)
		add_id(call->ids[i]);
	text_copy(setids, e, ids, t->text, t->length, IDS_BYTES);
	if (call->groups > MAX_IDS)
		e->ids.length |= G_TRUNCATED;
}

/* ---- what the thread has --------------------------------------------------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct cred___all {
	kuid_t uid, euid, suid, fsuid;
	kgid_t gid, egid, sgid, fsgid;
	kernel_cap_t cap_effective, cap_permitted, cap_inheritable;
};
#pragma clang attribute pop

static __always_inline void look_at(struct identity *id)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	const struct cred___all *cred = (const void *)BPF_CORE_READ(task, cred);

	id->uid = BPF_CORE_READ(cred, uid.val);
	id->euid = BPF_CORE_READ(cred, euid.val);
	id->suid = BPF_CORE_READ(cred, suid.val);
	id->fsuid = BPF_CORE_READ(cred, fsuid.val);
	id->gid = BPF_CORE_READ(cred, gid.val);
	id->egid = BPF_CORE_READ(cred, egid.val);
	id->sgid = BPF_CORE_READ(cred, sgid.val);
	id->fsgid = BPF_CORE_READ(cred, fsgid.val);
	/* Two words of 32 bits before 6.3, one of 64 since then: the same bytes. */
	bpf_core_read(&id->caps.effective, sizeof(id->caps.effective), &cred->cap_effective);
	bpf_core_read(&id->caps.permitted, sizeof(id->caps.permitted), &cred->cap_permitted);
	bpf_core_read(&id->caps.inheritable, sizeof(id->caps.inheritable), &cred->cap_inheritable);
}

/* ---- the calls ------------------------------------------------------------------------------- */

static __always_inline struct setuid_call *begin(__u32 operation)
{
	struct setuid_call *call;
	g_container c;

	if (!wanted(&c))
		return NULL;
	call = pending_begin(calls, c);
	if (!call)
		return NULL;
	call->container = c;
	call->operation = operation;
	call->n_ids = 0;
	call->groups = 0;
	__builtin_memset(&call->asked, 0, sizeof(call->asked));
	look_at(&call->old);
	return call;
}

static __always_inline int enter(__u32 operation, __u32 n, __u32 first, __u32 second, __u32 third)
{
	struct setuid_call *call = begin(operation);

	if (!call)
		return 0;
	call->n_ids = n;
	call->ids[0] = first;
	call->ids[1] = second;
	call->ids[2] = third;
	return 0;
}

static __always_inline int leave(__s64 ret)
{
	struct setuid_call *call = pending_end(calls);
	struct setuid_event *e;
	/* These two return the id of before. */
	bool tells = call && call->operation != setfsuid && call->operation != setfsgid;

	if (!call || (failed && (!tells || ret >= 0)))
		return 0;
	e = record_begin(setids, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->operation = call->operation;
	e->error = tells && ret < 0 ? -ret : 0;
	e->old = call->old;
	look_at(&e->new);
	e->asked = call->asked;
	e->groups = call->groups;
	fill_ids(e, call);
	record_submit(setids, e);
	return 0;
}

#define LEAVE(name)                               \
	SEC("tp/syscalls/sys_exit_" #name)        \
	int exit_##name(struct syscall_exit *ctx) \
	{                                         \
		return leave(ctx->ret);           \
	}

/* Calls of one, two and three ids: a program must not touch arguments that its call has not. */
#define CALL_1(name)                                       \
	SEC("tp/syscalls/sys_enter_" #name)                \
	int enter_##name(struct syscall_enter *ctx)        \
	{                                                  \
		return enter(name, 1, ctx->args[0], 0, 0); \
	}                                                  \
	LEAVE(name)
#define CALL_2(name)                                                  \
	SEC("tp/syscalls/sys_enter_" #name)                           \
	int enter_##name(struct syscall_enter *ctx)                   \
	{                                                             \
		return enter(name, 2, ctx->args[0], ctx->args[1], 0); \
	}                                                             \
	LEAVE(name)
#define CALL_3(name)                                                             \
	SEC("tp/syscalls/sys_enter_" #name)                                      \
	int enter_##name(struct syscall_enter *ctx)                              \
	{                                                                        \
		return enter(name, 3, ctx->args[0], ctx->args[1], ctx->args[2]); \
	}                                                                        \
	LEAVE(name)

CALL_1(setuid)
CALL_1(setgid)
CALL_1(setfsuid)
CALL_1(setfsgid)
CALL_2(setreuid)
CALL_2(setregid)
CALL_3(setresuid)
CALL_3(setresgid)

SEC("tp/syscalls/sys_enter_setgroups")
int enter_setgroups(struct syscall_enter *ctx)
{
	struct setuid_call *call = begin(setgroups);
	__u32 n = ctx->args[0];
	__u64 bytes;

	if (!call)
		return 0;
	call->groups = n;
	if (n > MAX_IDS)
		n = MAX_IDS;
	bytes = n * sizeof(call->ids[0]);
	barrier_var(bytes); /* or the compiler tests another variable than the verifier looks at */
	if (bytes <= sizeof(call->ids) &&
	    !bpf_probe_read_user(call->ids, bytes, (const void *)ctx->args[1]))
		call->n_ids = n;
	return 0;
}
LEAVE(setgroups)

/* uapi/linux/capability.h: the lower 32 of each set, then the upper ones. */
struct capset_data {
	__u32 effective, permitted, inheritable;
};

SEC("tp/syscalls/sys_enter_capset")
int enter_capset(struct syscall_enter *ctx)
{
	struct setuid_call *call = begin(capset);
	struct capset_data data[2] = {};

	if (!call)
		return 0;
	bpf_probe_read_user(data, sizeof(data), (const void *)ctx->args[1]);
	call->asked.effective = data[0].effective | (__u64)data[1].effective << 32;
	call->asked.permitted = data[0].permitted | (__u64)data[1].permitted << 32;
	call->asked.inheritable = data[0].inheritable | (__u64)data[1].inheritable << 32;
	return 0;
}
LEAVE(capset)
