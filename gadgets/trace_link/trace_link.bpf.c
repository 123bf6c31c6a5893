// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Links as they are made: further names of a file, and symbolic ones.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/user_path.bpf.h>

GADGET("Trace links as they are made\n"
       "Shows each link, linkat, symlink and symlinkat, whether it worked or not: the absolute "
       "paths of the link and of what it is to, as the container has them, and the paths as the "
       "process passed them (fields targetname and linkname). What a symbolic link is to is only a "
       "text, and shown as it is.",
       LIMITS("Links made by io_uring are not seen.")
       SELFTEST("ln -s there /tmp/link", "linkname==/tmp/link"));

PARAM(bool, failed, false, "Show only calls that failed");

enum link_type { hard, symbolic };

struct link_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum link_type type DOC("Type of the link") COL(width=8);
	g_errno error DOC("Why the call failed") COL(width=10);
	g_text target DOC("hard: absolute path of the file; symbolic: the link's text")
		COL(width=40, ellipsis=start);
	g_text linkpath DOC("Absolute path of the link") COL(width=40, ellipsis=start);
	g_text targetname DOC("Path of the target, as the process passed it")
		COL(hidden, ellipsis=start);
	g_text linkname DOC("Path of the link, as the process passed it")
		COL(hidden, ellipsis=start);
};
TRACER(link, link_event, 4 * USER_PATH_MAX);

struct link_call {
	g_container container;
	__u64 type;
	struct user_path target, link;
};
PENDING_MAX(links, link_call, 4096);

static __always_inline struct link_call *begin(__u64 type)
{
	struct link_call *call;
	g_container c;

	if (!wanted(&c))
		return NULL;
	call = pending_begin(links, c);
	if (!call)
		return NULL;
	call->container = c;
	call->type = type;
	return call;
}

static __always_inline int enter_hard(int old_dir, const void *old_name, int new_dir,
				      const void *new_name, __u32 flags)
{
	struct link_call *call = begin(hard);

	if (!call)
		return 0;
	user_path_take_at(&call->target, old_dir, old_name, flags);
	user_path_take(&call->link, new_dir, new_name);
	return 0;
}

static __always_inline int enter_symbolic(const void *text, int dir, const void *name)
{
	struct link_call *call = begin(symbolic);

	if (!call)
		return 0;
	user_path_take(&call->target, AT_FDCWD, text);
	user_path_take(&call->link, dir, name);
	return 0;
}

static __noinline int leave(struct syscall_exit *ctx)
{
	struct link_call *call = pending_end(links);
	struct link_event *e;

	if (!call || (failed && ctx->ret >= 0))
		return 0;
	e = record_begin(link, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->type = call->type;
	e->error = ctx->ret < 0 ? -ctx->ret : 0;
	text_user_path(link, e, targetname, &call->target);
	if (call->type == symbolic)
		e->target = e->targetname;
	else
		text_user_path_full(link, e, target, &call->target);
	text_user_path_full(link, e, linkpath, &call->link);
	text_user_path(link, e, linkname, &call->link);
	record_submit(link, e);
	return 0;
}

SEC("tp/syscalls/sys_enter_linkat")
int enter_linkat(struct syscall_enter *ctx)
{
	return enter_hard(ctx->args[0], (const void *)ctx->args[1], ctx->args[2],
			  (const void *)ctx->args[3], ctx->args[4]);
}

SEC("tp/syscalls/sys_exit_linkat")
int exit_linkat(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_symlinkat")
int enter_symlinkat(struct syscall_enter *ctx)
{
	return enter_symbolic((const void *)ctx->args[0], ctx->args[1], (const void *)ctx->args[2]);
}

SEC("tp/syscalls/sys_exit_symlinkat")
int exit_symlinkat(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* Not on arm64, as symlink. */
SEC("tp/syscalls/sys_enter_link")
OPTIONAL int enter_link(struct syscall_enter *ctx)
{
	return enter_hard(AT_FDCWD, (const void *)ctx->args[0], AT_FDCWD,
			  (const void *)ctx->args[1], 0);
}

SEC("tp/syscalls/sys_exit_link")
OPTIONAL int exit_link(struct syscall_exit *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_symlink")
OPTIONAL int enter_symlink(struct syscall_enter *ctx)
{
	return enter_symbolic((const void *)ctx->args[0], AT_FDCWD, (const void *)ctx->args[1]);
}

SEC("tp/syscalls/sys_exit_symlink")
OPTIONAL int exit_symlink(struct syscall_exit *ctx)
{
	return leave(ctx);
}

/* ---- where the paths have led ---------------------------------------------------------------- */

/* Both are in the same mount, or the call has failed already. */
SEC("kprobe/security_path_link")
OPTIONAL CANNOT_TELL(USER_PATH_BY_NAME)
int BPF_KPROBE(found_both, const struct dentry *old_dentry, const struct path *new_dir)
{
	struct link_call *call = pending_peek(links);

	if (call) {
		user_path_is(&call->target, old_dentry, BPF_CORE_READ(new_dir, mnt));
		user_path_is_in(&call->link, new_dir);
	}
	return 0;
}

SEC("kprobe/security_path_symlink")
OPTIONAL CANNOT_TELL(USER_PATH_BY_NAME)
int BPF_KPROBE(found_folder, const struct path *dir)
{
	struct link_call *call = pending_peek(links);

	if (call)
		user_path_is_in(&call->link, dir);
	return 0;
}
