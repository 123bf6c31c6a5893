// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * What the kernel's security refuses, in one stream: capabilities, seccomp's filters, and, on
 * demand, hooks of the security modules.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/audit.bpf.h>
#include <gadget/capability.bpf.h>
#include <gadget/path.bpf.h>
#include <gadget/seccomp.bpf.h>
#include <gadget/socket.bpf.h>

GADGET("Trace what the kernel's security refuses\n"
       "One stream of capabilities that a process was found not to have, of system calls that a "
       "seccomp filter did not let through, and of the kernel's audit records (a security "
       "module's denials are among them) where a kernel has kprobes. Hooks of the security "
       "modules (LSM) are added by name, each with its arguments and what all modules together "
       "said, whether that was yes or no: --hook-file-open shows each open of a file, and so on. "
       "They need a kernel that lets programs be tied to its functions; those that are not asked "
       "for are not even loaded. trace_capabilities and audit_seccomp tell more of their one "
       "thing each.",
       ALIAS("trace_lsm") ALIAS("lsm") SELFTEST(
	       "setpriv --inh-caps -all --bounding-set -all chroot / true; true",
	       "hook==capable,cap==CAP_SYS_CHROOT")
	       LIMITS("A capability that was refused need not be a failure, as the kernel "
		      "often asks just to choose between two ways; its question for the last "
		      "of the machine's memory is left out. Why a module said no is told only "
		      "by its audit record, if it writes one. Records of audit rules for "
		      "packets are left out."));

PARAM(bool, hook_file_open, false, "Also each open of a file that exists");
PARAM(bool, hook_bprm_check_security, false, "Also each program that is to be executed");
PARAM(bool, hook_inode_unlink, false, "Also each removal of a file");
PARAM(bool, hook_socket_connect, false, "Also each connect");
PARAM(bool, hook_socket_bind, false, "Also each bind");
PARAM(bool, hook_sb_mount, false, "Also each mount by mount()");
PARAM(bool, hook_task_kill, false, "Also each signal that is to be sent to a process");
PARAM(bool, hook_ptrace_access_check, false,
      "Also each look into another process, as ptrace has it");
PARAM(bool, failed, false, "Of the hooks only what was refused");

/* The names of the modules' hooks are the kernel's. */
enum security_hook {
	capable,
	seccomp,
	audit,
	file_open,
	bprm_check_security,
	inode_unlink,
	socket_connect,
	socket_bind,
	sb_mount,
	task_kill,
	ptrace_access_check,
};

enum security_verdict { allowed, refused, killed, trapped, logged, handed_on, untold };

enum { AUDIT_MAX = 4096 };

struct security_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum security_hook
		hook DOC("What was asked: a capability, seccomp, or a hook of the security "
			 "modules; audit: a record of the kernel's") COL(width=16);
	enum security_verdict verdict DOC(
		"allowed; refused; of seccomp also killed, trapped (a signal), logged, "
		"handed_on (to a supervisor or tracer); untold: the modules that were asked "
		"before said yes; of an audit record always logged") COL(width=8);
	g_errno error DOC("Error of the refusal") COL(width=8);
	g_syscall syscall DOC("System call in which it was asked; empty: in none") COL(width=16);
	g_capability_set cap DOC("Capability that was asked for") COL(width=20, skip-empty);
	g_text path DOC("File, program, name that is removed, socket's path, or where is mounted")
		COL(width=32, ellipsis=start, skip-empty);
	g_text source DOC("What is mounted") COL(hidden, skip-empty);
	g_text type DOC("Type of the file system that is mounted") COL(hidden, skip-empty);
	struct g_endpoint address DOC("Address of the connect or bind") COL(hidden);
	g_pid target DOC("Process that is sent to or looked into") COL(hidden, skip-empty);
	g_signal sig DOC("Signal that is sent") COL(hidden);
	__u64 flags DOC("Flags of the open or mount; mode of the look into a process")
		COL(hidden, skip-empty);
	enum audit_type audit_type DOC("Type of the audit record") COL(hidden, skip-empty);
	g_text audit DOC("Text of the audit record") COL(width=40, skip-empty);
};
TRACER(security, security_event, 4096 + 2048 + 64);

enum { EPERM = 1 };

static __always_inline struct security_event *begin(g_container c, enum security_hook hook)
{
	struct security_event *e = record_begin(security, c);

	if (!e)
		return NULL;
	process_fill(&e->proc);
	e->hook = hook;
	e->syscall = syscall_of_current();
	return e;
}

/* ---- capabilities and seccomp ---------------------------------------------------------------- */

static __always_inline void checked(void *ctx, g_container c, const struct capability_check *check)
{
	struct security_event *e;

	if (check->capable || capability_is_for_reserve(check, syscall_of_current()))
		return;
	e = begin(c, capable);
	if (!e)
		return;
	e->verdict = refused;
	e->error = EPERM;
	e->cap = 1ull << (check->cap & 63);
	record_submit(security, e);
}

static __always_inline enum security_verdict verdict_of(enum seccomp_code code)
{
	switch (code) {
	case KILL_PROCESS:
	case KILL_THREAD:
		return killed;
	case TRAP:
		return trapped;
	case ERRNO:
		return refused;
	case LOG:
		return logged;
	default:
		return handed_on;
	}
}

static __always_inline void blocked(void *ctx, g_container c, const struct seccomp_block *block)
{
	struct security_event *e = begin(c, seccomp);

	if (!e)
		return;
	e->verdict = verdict_of(block->code);
	e->error = block->error;
	record_submit(security, e);
}

CAPABILITY_HOOKS(checked);
SECCOMP_HOOKS(blocked);

/* It may be of a packet's way, which interrupts the other programs. */
SEC("kprobe/audit_log_end")
OPTIONAL CANNOT_TELL("the kernel's audit records") int BPF_KPROBE(
	audited, const struct audit_buffer___of_kernel *buffer)
{
	struct audit_record record;
	struct security_event *e;
	g_container c;

	if (!wanted(&c) || !audit_record_read(buffer, &record))
		return 0;
	e = record_begin_softirq(security, c);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->hook = audit;
	e->verdict = logged;
	e->syscall = syscall_of_current();
	e->audit_type = record.type;
	text_kernel_bytes(security, e, audit, record.text, record.length, AUDIT_MAX);
	record_submit(security, e);
	return 0;
}

/* ---- hooks of the security modules ----------------------------------------------------------- */

/* NULL: nobody wants it. told: the verdict of all modules is known. */
static __always_inline struct security_event *asked(enum security_hook hook, bool told,
						    __s32 verdict)
{
	struct security_event *e;
	g_container c;

	if ((failed && told && !verdict) || !wanted(&c))
		return NULL;
	e = begin(c, hook);
	if (!e)
		return NULL;
	e->verdict = !told ? untold : verdict ? refused : allowed;
	e->error = verdict < 0 ? -verdict : 0;
	return e;
}

/*
 * The function through which the kernel asks all modules ends with their verdict. Where no program
 * can be tied to it, a module of our own is asked, if the others have said yes.
 *
 * n: how many arguments the hook has; fill: what puts them into the record.
 */
#define MODULE_HOOK(name, function, n, fill)                                                     \
	SEC("fexit/" #function)                                                                  \
	WHEN(hook_##name) RUNG(name, 1) int ends_##name(unsigned long long *ctx)                 \
	{                                                                                        \
		struct security_event *e = asked(name, true, (__s32)ctx[n]);                     \
                                                                                                 \
		if (e) {                                                                         \
			fill(ctx, e);                                                            \
			record_submit(security, e);                                              \
		}                                                                                \
		return 0;                                                                        \
	}                                                                                        \
	SEC("lsm/" #name)                                                                        \
	WHEN(hook_##name)                                                                        \
	RUNG(name, 2)                                                                            \
	CANNOT_TELL(                                                                             \
		"what the security modules together say (verdict): only that those before this " \
		"one said yes")                                                                  \
	int asks_##name(unsigned long long *ctx)                                                 \
	{                                                                                        \
		struct security_event *e = asked(name, false, 0);                                \
                                                                                                 \
		if (e) {                                                                         \
			fill(ctx, e);                                                            \
			record_submit(security, e);                                              \
		}                                                                                \
		return 0;                                                                        \
	}

/* A hook's arguments are pointers that text_path() refuses. */
static __always_inline void fill_path(struct security_event *e, const struct path *path)
{
	text_path_of_task(security, e, path, path, NULL, 4096);
}

static __always_inline void fill_open(unsigned long long *ctx, struct security_event *e)
{
	struct file *file = (struct file *)ctx[0];

	e->flags = BPF_CORE_READ(file, f_flags);
	fill_path(e, &file->f_path);
}

static __always_inline void fill_program(unsigned long long *ctx, struct security_event *e)
{
	struct linux_binprm *program = (struct linux_binprm *)ctx[0];
	struct file *file = BPF_CORE_READ(program, file);

	fill_path(e, &file->f_path);
}

static __always_inline void fill_unlink(unsigned long long *ctx, struct security_event *e)
{
	struct dentry *dentry = (struct dentry *)ctx[1];

	text_kernel(security, e, path, BPF_CORE_READ(dentry, d_name.name), 256);
}

static __always_inline void fill_address(unsigned long long *ctx, struct security_event *e)
{
	struct socket *socket = (struct socket *)ctx[0];
	const char *from = (const char *)ctx[1];
	union g_sockaddr address = {};
	__u64 length = (__u32)ctx[2];

	bpf_probe_read_kernel(&address, sizeof(address), from);
	if (!sockaddr_endpoint(&address, BPF_CORE_READ(socket, sk, sk_protocol), &e->address) &&
	    *(__u16 *)&address == AF_UNIX && length > sizeof(__u16))
		text_kernel(security, e, path, from + sizeof(__u16), 108);
}

static __always_inline void fill_mount(unsigned long long *ctx, struct security_event *e)
{
	const struct path *path = (const struct path *)ctx[1];

	e->flags = ctx[3];
	fill_path(e, path);
	text_kernel(security, e, source, (const char *)ctx[0], 2048);
	text_kernel(security, e, type, (const char *)ctx[2], 64);
}

static __always_inline void fill_kill(unsigned long long *ctx, struct security_event *e)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	e->target = BPF_CORE_READ(task, tgid);
	e->sig = ctx[2];
}

static __always_inline void fill_look(unsigned long long *ctx, struct security_event *e)
{
	struct task_struct *task = (struct task_struct *)ctx[0];

	e->target = BPF_CORE_READ(task, tgid);
	e->flags = (__u32)ctx[1];
}

MODULE_HOOK(file_open, security_file_open, 1, fill_open)
MODULE_HOOK(bprm_check_security, security_bprm_check, 1, fill_program)
MODULE_HOOK(inode_unlink, security_inode_unlink, 2, fill_unlink)
MODULE_HOOK(socket_connect, security_socket_connect, 3, fill_address)
MODULE_HOOK(socket_bind, security_socket_bind, 3, fill_address)
MODULE_HOOK(sb_mount, security_sb_mount, 5, fill_mount)
MODULE_HOOK(task_kill, security_task_kill, 4, fill_kill)
MODULE_HOOK(ptrace_access_check, security_ptrace_access_check, 2, fill_look)
