// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Loading and unloading of kernel modules. A kernel that is built without modules has the calls
 * (they fail) but no tracepoints for them: there every call's enter and exit is looked at.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/path.bpf.h>
#include <gadget/raw_syscall.bpf.h>
#include <gadget/user_text.bpf.h>

GADGET("Trace kernel modules as they are loaded and unloaded\n"
       "Shows each init_module, finit_module and delete_module, whether it worked or not: the "
       "module's name, its file, parameters, flags and the error.",
       LIMITS("A module that the kernel loads because a container needs it (a file system, a "
	      "protocol) is loaded by modprobe on the host: it shows with --host, as the host's. "
	      "The "
	      "name of a module that failed to load is not known before the kernel has read it.")
	       SELFTEST("perl -e '$n = qq(ig_selftest\\0); syscall(`uname -m` =~ /x86/ ? 176 : "
			"106, $n, 2048)'",
			"syscall==delete_module,name==ig_selftest"));

PARAM(bool, failed, false, "Show only calls that failed");

enum module_call { init_module, finit_module, delete_module };

/* Of finit_module, and of delete_module the O_* that it takes. */
#undef O_TRUNC /* a name that is shown here */
enum module_flag_set {
	MODULE_INIT_IGNORE_MODVERSIONS = 1,
	MODULE_INIT_IGNORE_VERMAGIC = 2,
	MODULE_INIT_COMPRESSED_FILE = 4,
	O_EXCL = 0200,
	O_TRUNC = 01000,
	O_NONBLOCK = 04000,
};

struct module_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum module_call syscall DOC("Call") COL(width=13);
	g_errno error DOC("Why it failed") COL(width=12);
	g_text name DOC("Name of the module") COL(width=20);
	g_text filepath DOC("File that finit_module loads it from") COL(width=40, ellipsis=start);
	g_text param_values DOC("The module's parameters") COL(width=32);
	enum module_flag_set flags DOC("Flags of finit_module and delete_module")
		COL(width=28, skip-empty);
	g_fd fd DOC("Descriptor of the file; -1: none") COL(hidden);
	g_bytes len DOC("Bytes that init_module passes") COL(hidden, skip-empty);
};
TRACER(module, module_event, 2 * 4096 + 256);

enum { MODULE_NAME_LEN = 64 };

struct module_data {
	g_container container;
	__u32 syscall;
	__u32 flags;
	g_fd fd;
	__u64 len;
	struct user_text text; /* delete_module: the name; else the parameters */
	char name[MODULE_NAME_LEN];
};
PENDING(calls, module_data);

static __always_inline int enter(__u32 syscall, g_fd fd, __u64 len, __u32 flags, __u64 text)
{
	struct module_data *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	call = pending_begin(calls, c);
	if (!call)
		return 0;
	call->container = c;
	call->syscall = syscall;
	call->fd = fd;
	call->len = len;
	call->flags = flags;
	call->name[0] = '\0';
	user_text_take(&call->text, (const void *)text);
	return 0;
}

static __noinline int leave(__s64 ret)
{
	struct module_data *call = pending_end(calls);
	struct module_event *e;
	struct file *file;

	if (!call || (failed && ret >= 0))
		return 0;
	e = record_begin(module, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->syscall = call->syscall;
	e->error = ret < 0 ? -ret : 0;
	e->fd = call->fd;
	e->len = call->len;
	e->flags = call->flags;
	if (call->syscall == delete_module) {
		text_user_taken(module, e, name, &call->text, 256);
	} else {
		text_kernel(module, e, name, call->name, MODULE_NAME_LEN);
		text_user_taken(module, e, param_values, &call->text, 4096);
	}
	file = call->fd >= 0 ? file_of_fd(call->fd) : NULL;
	if (file)
		text_path(module, e, filepath, &file->f_path, 4096);
	record_submit(module, e);
	return 0;
}

/* ---- rung 1: a tracepoint for each call ------------------------------------------------------ */

SEC("tp/syscalls/sys_enter_init_module")
RUNG(calls, 1) int enter_init_module(struct syscall_enter *ctx)
{
	return enter(init_module, -1, ctx->args[1], 0, ctx->args[2]);
}

SEC("tp/syscalls/sys_enter_finit_module")
RUNG(calls, 1) int enter_finit_module(struct syscall_enter *ctx)
{
	return enter(finit_module, ctx->args[0], 0, ctx->args[2], ctx->args[1]);
}

SEC("tp/syscalls/sys_enter_delete_module")
RUNG(calls, 1) int enter_delete_module(struct syscall_enter *ctx)
{
	return enter(delete_module, -1, 0, ctx->args[1], ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_init_module")
RUNG(calls, 1) int exit_init_module(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_exit_finit_module")
RUNG(calls, 1) int exit_finit_module(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("tp/syscalls/sys_exit_delete_module")
RUNG(calls, 1) int exit_delete_module(struct syscall_exit *ctx)
{
	return leave(ctx->ret);
}

struct module_load {
	__u64 common;
	__u32 taints;
	__u32 name; /* __data_loc: its place in the record, in the low 16 bits */
};

/* Within the call, once the kernel has read the module. */
SEC("tp/module/module_load")
OPTIONAL int loaded(struct module_load *ctx)
{
	struct module_data *call = pending_peek(calls);

	if (call)
		bpf_probe_read_kernel_str(call->name, sizeof(call->name),
					  (void *)ctx + (ctx->name & 0xffff));
	return 0;
}

/* ---- rung 2: every call ---------------------------------------------------------------------- */

#if defined(__TARGET_ARCH_x86)
enum { NR_init_module = 175, NR_delete_module = 176, NR_finit_module = 313 };
#else
enum { NR_init_module = 105, NR_delete_module = 106, NR_finit_module = 273 };
#endif

static __always_inline bool is_module_call(long nr)
{
	return nr == NR_init_module || nr == NR_delete_module || nr == NR_finit_module;
}

SEC("raw_tp/sys_enter")
RUNG(calls, 2) int enter_any(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (void *)ctx->args[0];
	__u64 first, second, third;

	if (!is_module_call(ctx->args[1]) || !is_module_call(raw_syscall_number(regs)))
		return 0;
	first = PT_REGS_PARM1_CORE_SYSCALL(regs);
	second = PT_REGS_PARM2_CORE_SYSCALL(regs);
	third = PT_REGS_PARM3_CORE_SYSCALL(regs);
	if (ctx->args[1] == NR_init_module)
		return enter(init_module, -1, second, 0, third);
	if (ctx->args[1] == NR_finit_module)
		return enter(finit_module, first, 0, third, second);
	return enter(delete_module, -1, 0, second, first);
}

SEC("raw_tp/sys_exit")
RUNG(calls, 2) int exit_any(struct bpf_raw_tracepoint_args *ctx)
{
	return is_module_call(raw_syscall_number((void *)ctx->args[0])) ? leave(ctx->args[1]) : 0;
}
