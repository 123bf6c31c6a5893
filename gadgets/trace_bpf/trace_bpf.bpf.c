// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * The call bpf(): which programs, maps and links a process makes, attaches and looks for. What a
 * descriptor stands for, one that the call names or one that it gave, is asked of the kernel's own
 * objects.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/bpf_names.h>
#include <gadget/user_text.bpf.h>

GADGET("Trace the system call bpf()\n"
       "Shows each command with its result: for a program or map its type, name, id and size, for "
       "an attachment the hook and the program. Reads and writes of maps' elements, which are "
       "frequent, are shown with --elements.",
       LIMITS("Programs of the container that were loaded before, or by descriptors that it was "
	      "handed, run without a call of its own.")
	       SELFTEST("perl -e '$i = pack(q(Q2), 0xb7, 0x95); $a = pack(q(LLPPx96), 1, 2, $i,"
			" qq(GPL\\0)); syscall(`uname -m` =~ /x86/ ? 321 : 280, 5, $a, 48); "
			"sleep 1'",
			"cmd==BPF_PROG_LOAD"));

PARAM(bool, failed, false, "Show only calls that failed");
PARAM(bool, elements, false, "Show also reads and writes of maps' elements");

struct bpf_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum bpf_cmd cmd DOC("Command") COL(width=24);
	g_errno error DOC("Why it failed") COL(width=10);
	g_fd fd DOC("Descriptor that the process got; -1: none") COL(width=4);
	enum bpf_prog_type prog_type DOC("Type of the program") COL(width=24, skip-empty);
	enum bpf_map_type map_type DOC("Type of the map") COL(width=24, skip-empty);
	char name[16] DOC("Name of the program or map") COL(width=16);
	enum bpf_attach_type
		attach_type DOC("Kind of hook that a program is attached to, or made for")
			COL(hidden);
	__u32 insn_cnt DOC("Instructions of the program") COL(width=8, skip-empty);
	g_text target DOC("Path in the BPF file system, or the raw tracepoint's name")
		COL(width=32);
	__u32 prog_id DOC("Id of the program") COL(hidden, skip-empty);
	__u32 map_id DOC("Id of the map") COL(hidden, skip-empty);
	__u32 link_id DOC("Id of the link") COL(hidden, skip-empty);
	__u32 btf_id DOC("Id of the BTF") COL(hidden, skip-empty);
	g_fd object_fd
		DOC("Descriptor of the program, map, link or BTF that the call names; -1: none")
			COL(hidden);
	g_fd target_fd DOC("Descriptor or interface that is attached to; -1: none") COL(hidden);
	__u32 key_size DOC("Of a new map: bytes of a key") COL(hidden, skip-empty);
	__u32 value_size DOC("Of a new map: bytes of a value") COL(hidden, skip-empty);
	__u32 max_entries DOC("Of a new map: the most elements") COL(hidden, skip-empty);
	__u32 flags DOC("Flags of the new program or map, or of the attachment")
		COL(hidden, skip-empty);
	__u32 btf_size DOC("Of new BTF: bytes") COL(hidden, skip-empty);
};
TRACER(bpf, bpf_event, 4096);

/* ---- the call's arguments -------------------------------------------------------------------- */

/* Those of union bpf_attr (uapi/linux/bpf.h) that are looked at. */
union bpf_arguments {
	__u32 words[32];
	struct {
		__u32 map_type, key_size, value_size, max_entries, map_flags, inner_map_fd, numa;
		char map_name[16];
	};
	struct {
		__u32 prog_type, insn_cnt;
		__u64 insns, license;
		__u32 log_level, log_size;
		__u64 log_buf;
		__u32 kern_version, prog_flags;
		char prog_name[16];
		__u32 prog_ifindex, expected_attach_type;
	};
	struct {
		__u64 text; /* OBJ_PIN, OBJ_GET: the path; RAW_TRACEPOINT_OPEN: the name */
	};
	struct {
		__u32 target_fd, attach_bpf_fd, attach_type, attach_flags;
	} attach;
	struct {
		__u32 prog_fd, target_fd, attach_type, flags;
	} link;
	struct {
		__u32 target_fd, attach_type;
	} query;
	struct {
		__u64 btf, log_buf;
		__u32 size;
	} btf;
};

/* Which word names the descriptor of an object, plus one; 0: none does. */
static const __u8 object_word[] = {
	[BPF_MAP_LOOKUP_ELEM] = 1,
	[BPF_MAP_UPDATE_ELEM] = 1,
	[BPF_MAP_DELETE_ELEM] = 1,
	[BPF_MAP_GET_NEXT_KEY] = 1,
	[BPF_OBJ_PIN] = 3,
	[BPF_PROG_ATTACH] = 2,
	[BPF_PROG_DETACH] = 2,
	[BPF_PROG_TEST_RUN] = 1,
	[BPF_OBJ_GET_INFO_BY_FD] = 1,
	[BPF_RAW_TRACEPOINT_OPEN] = 3,
	[BPF_MAP_LOOKUP_AND_DELETE_ELEM] = 1,
	[BPF_MAP_FREEZE] = 1,
	[BPF_MAP_LOOKUP_BATCH] = 10,
	[BPF_MAP_LOOKUP_AND_DELETE_BATCH] = 10,
	[BPF_MAP_UPDATE_BATCH] = 10,
	[BPF_MAP_DELETE_BATCH] = 10,
	[BPF_LINK_CREATE] = 1,
	[BPF_LINK_UPDATE] = 1,
	[BPF_ITER_CREATE] = 1,
	[BPF_LINK_DETACH] = 1,
	[BPF_PROG_BIND_MAP] = 1,
	[BPF_PROG_STREAM_READ_BY_FD] = 3,
};

/* Does the call give the process a descriptor? */
static __always_inline bool gives_fd(__u32 cmd)
{
	return cmd == BPF_MAP_CREATE || cmd == BPF_PROG_LOAD || cmd == BPF_OBJ_GET ||
	       cmd == BPF_PROG_GET_FD_BY_ID || cmd == BPF_MAP_GET_FD_BY_ID ||
	       cmd == BPF_RAW_TRACEPOINT_OPEN || cmd == BPF_BTF_LOAD ||
	       cmd == BPF_BTF_GET_FD_BY_ID || cmd == BPF_LINK_CREATE ||
	       cmd == BPF_LINK_GET_FD_BY_ID || cmd == BPF_ENABLE_STATS || cmd == BPF_ITER_CREATE ||
	       cmd == BPF_TOKEN_CREATE;
}

static __always_inline bool is_of_elements(__u32 cmd)
{
	return (cmd >= BPF_MAP_LOOKUP_ELEM && cmd <= BPF_MAP_GET_NEXT_KEY) ||
	       cmd == BPF_MAP_LOOKUP_AND_DELETE_ELEM ||
	       (cmd >= BPF_MAP_LOOKUP_BATCH && cmd <= BPF_MAP_DELETE_BATCH);
}

struct bpf_call {
	g_container container;
	__u32 cmd;
	union bpf_arguments args;
	struct user_text text;
};
PENDING(calls, bpf_call);

static __always_inline void fill_program(struct bpf_event *e, const union bpf_arguments *args)
{
	e->prog_type = args->prog_type;
	e->insn_cnt = args->insn_cnt;
	e->flags = args->prog_flags;
	__builtin_memcpy(e->name, args->prog_name, sizeof(e->name));
	/* 0 is a hook, too, but for most types it means that none was said. */
	if (args->expected_attach_type || args->prog_type == BPF_PROG_TYPE_CGROUP_SKB)
		e->attach_type = args->expected_attach_type;
}

static __always_inline void fill_map(struct bpf_event *e, const union bpf_arguments *args)
{
	e->map_type = args->map_type;
	e->key_size = args->key_size;
	e->value_size = args->value_size;
	e->max_entries = args->max_entries;
	e->flags = args->map_flags;
	__builtin_memcpy(e->name, args->map_name, sizeof(e->name));
}

static __always_inline void fill_arguments(struct bpf_event *e, const union bpf_arguments *args)
{
	switch ((__u32)e->cmd) {
	case BPF_MAP_CREATE:
		fill_map(e, args);
		break;
	case BPF_PROG_LOAD:
		fill_program(e, args);
		break;
	case BPF_PROG_ATTACH:
	case BPF_PROG_DETACH:
		e->target_fd = args->attach.target_fd;
		e->attach_type = args->attach.attach_type;
		e->flags = args->attach.attach_flags;
		break;
	case BPF_LINK_CREATE:
		e->target_fd = args->link.target_fd;
		e->attach_type = args->link.attach_type;
		e->flags = args->link.flags;
		break;
	case BPF_PROG_QUERY:
		e->target_fd = args->query.target_fd;
		e->attach_type = args->query.attach_type;
		break;
	case BPF_BTF_LOAD:
		e->btf_size = args->btf.size;
		break;
	case BPF_PROG_GET_FD_BY_ID:
		e->prog_id = args->words[0];
		break;
	case BPF_MAP_GET_FD_BY_ID:
		e->map_id = args->words[0];
		break;
	case BPF_BTF_GET_FD_BY_ID:
		e->btf_id = args->words[0];
		break;
	case BPF_LINK_GET_FD_BY_ID:
		e->link_id = args->words[0];
		break;
	}
}

/* ---- the kernel's objects -------------------------------------------------------------------- */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_prog_aux {
	__u32 id;
	char name[16];
};
struct bpf_prog {
	enum bpf_prog_type type;
	struct bpf_prog_aux *aux;
};
struct bpf_map {
	enum bpf_map_type map_type;
	__u32 id;
	char name[16];
};
struct bpf_link {
	__u32 id;
};
struct btf {
	__u32 id;
};
#pragma clang attribute pop

static __always_inline void describe_program(struct bpf_event *e, const struct bpf_prog *prog)
{
	struct bpf_prog_aux *aux = BPF_CORE_READ(prog, aux);

	e->prog_type = BPF_CORE_READ(prog, type);
	e->prog_id = BPF_CORE_READ(aux, id);
	bpf_core_read_str(e->name, sizeof(e->name), &aux->name);
}

static __always_inline void describe_map(struct bpf_event *e, const struct bpf_map *map)
{
	e->map_type = BPF_CORE_READ(map, map_type);
	e->map_id = BPF_CORE_READ(map, id);
	bpf_core_read_str(e->name, sizeof(e->name), &map->name);
}

#define NAME8(a, b, c, d, e, f, g, h)                                                            \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/* The files of such objects are told apart by their names, as in /proc/PID/fd. */
static __noinline int describe(struct bpf_event *e, int fd)
{
	const struct bpf_link *link;
	const struct btf *btf;
	struct file *file = file_of_fd(fd);
	void *object = BPF_CORE_READ(file, private_data);
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
	__u64 kind = 0;

	if (!file || !e)
		return 0;
	bpf_probe_read_kernel_str(&kind, sizeof(kind), name);
	if (kind == NAME8('b', 'p', 'f', '-', 'p', 'r', 'o', 0))
		describe_program(e, object);
	else if (kind == NAME8('b', 'p', 'f', '-', 'm', 'a', 'p', 0))
		describe_map(e, object);
	else if (kind == NAME8('b', 'p', 'f', '_', 'l', 'i', 'n', 0) ||
		 kind == NAME8('b', 'p', 'f', '-', 'l', 'i', 'n', 0)) {
		link = object;
		e->link_id = BPF_CORE_READ(link, id);
	} else if (kind == NAME8('b', 't', 'f', 0, 0, 0, 0, 0)) {
		btf = object;
		e->btf_id = BPF_CORE_READ(btf, id);
	}
	return 0;
}

/* ---- the call -------------------------------------------------------------------------------- */

SEC("tp/syscalls/sys_enter_bpf")
int enter_bpf(struct syscall_enter *ctx)
{
	__u32 cmd = ctx->args[0], size = ctx->args[2];
	struct bpf_call *call;
	g_container c;

	if ((!elements && is_of_elements(cmd)) || !wanted(&c))
		return 0;
	call = pending_begin(calls, c);
	if (!call)
		return 0;
	call->container = c;
	call->cmd = cmd;
	__builtin_memset(&call->args, 0, sizeof(call->args));
	if (size > sizeof(call->args))
		size = sizeof(call->args);
	bpf_probe_read_user(&call->args, size, (const void *)ctx->args[1]);
	if (cmd == BPF_OBJ_PIN || cmd == BPF_OBJ_GET || cmd == BPF_RAW_TRACEPOINT_OPEN)
		user_text_take(&call->text, (const void *)call->args.text);
	else
		user_text_none(&call->text);
	return 0;
}

SEC("tp/syscalls/sys_exit_bpf")
int exit_bpf(struct syscall_exit *ctx)
{
	struct bpf_call *call = pending_end(calls);
	struct bpf_event *e;
	__u32 word = 0;

	if (!call || (failed && ctx->ret >= 0))
		return 0;
	e = record_begin(bpf, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->cmd = call->cmd;
	e->error = ctx->ret < 0 ? -ctx->ret : 0;
	e->fd = ctx->ret >= 0 && gives_fd(e->cmd) ? ctx->ret : -1;
	e->object_fd = e->target_fd = e->attach_type = -1;
	fill_arguments(e, &call->args);
	if (call->cmd < sizeof(object_word))
		word = object_word[call->cmd];
	if (word) {
		e->object_fd = call->args.words[(word - 1) & 31];
		describe(e, e->object_fd);
	}
	describe(e, e->fd);
	text_user_taken(bpf, e, target, &call->text, 4096);
	record_submit(bpf, e);
	return 0;
}
