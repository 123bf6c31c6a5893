// SPDX-License-Identifier: Apache-2.0
#include "hook/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "api/gadgettracermanager.pb-c.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "containers/cmdline.h"
#include "containers/kubernetes.h"
#include "containers/oci.h"
#include "containers/proc.h"
#include "net/address.h"
#include "net/grpc.h"

#define SERVICE "/gadgettracermanager.GadgetTracerManager/"

static const struct stage {
	const char *name;
	bool ends;
} stages[] = {
	{"prestart", false},	   {"createRuntime", false}, {"createContainer", false},
	{"startContainer", false}, {"poststart", false},     {"poststop", true},
};

static const struct stage *find_stage(const char *name)
{
	for (size_t i = 0; i < array_size(stages); i++)
		if (!strcmp(stages[i].name, name))
			return &stages[i];
	return NULL;
}

bool hook_is_stage(const char *word)
{
	return find_stage(word);
}

const char *hook_stage(unsigned int i)
{
	return i < array_size(stages) ? stages[i].name : NULL;
}

/* ---- what is known of the container ---------------------------------------------- */

/*
 * The first process, as the host numbers it. A hook that runs in the container is its child, and is
 * told its number there.
 */
static uint32_t first_process(const struct oci_state *s)
{
	_cleanup_(closep) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(buf_done) struct buf b = {.max = MAX_PROC_FILE_BYTES};
	struct proc_nspid parent;
	struct proc_stat own;

	if (proc < 0 || buf_read_file(&b, proc, "self/stat") ||
	    proc_parse_stat(buf_cstr(&b), b.len, &own) || proc_nspid(proc, own.ppid, &parent))
		return s->pid;
	return parent.levels > 1 && parent.inner == s->pid ? own.ppid : s->pid;
}

/* As the runtime that has started us was told it, as a new string. */
static char *parents_bundle(void)
{
	_cleanup_(closep) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(buf_done) struct buf args = {.max = MAX_PROC_FILE_BYTES};
	uint32_t pid = (uint32_t)getppid();
	_cleanup_(freep) char *cwd = NULL;
	struct cmdline line;

	if (proc < 0 || proc_cmdline(proc, pid, &args) ||
	    !cmdline_parse(buf_cstr(&args), args.len, &line))
		return NULL;
	cwd = proc_cwd(proc, pid);
	if (!line.bundle)
		return take(cwd);
	return *line.bundle == '/' ? xstrdup(line.bundle) : xasprintf("%s/%s", cwd, line.bundle);
}

/* The container's config.json; empty where it cannot be read, or is too long to be sent. */
static void read_config(const struct oci_state *s, struct buf *b)
{
	_cleanup_(freep) char *bundle = s->bundle ? NULL : parents_bundle();
	_cleanup_(freep) char *path = xasprintf("%s/config.json", s->bundle ?: bundle ?: "");

	if (buf_read_file(b, AT_FDCWD, path))
		buf_clear(b);
}

static void pack(const ProtobufCMessage *m, struct buf *b)
{
	if (buf_reserve(b, protobuf_c_message_get_packed_size(m)))
		b->len = protobuf_c_message_pack(m, (uint8_t *)b->data);
}

static void pack_end(const struct oci_state *s, struct buf *b)
{
	Gadgettracermanager__ContainerDefinition m =
		GADGETTRACERMANAGER__CONTAINER_DEFINITION__INIT;

	m.id = s->id;
	pack(&m.base, b);
}

static void pack_start(const struct oci_state *s, struct buf *b)
{
	Gadgettracermanager__ContainerDefinition m =
		GADGETTRACERMANAGER__CONTAINER_DEFINITION__INIT;
	_cleanup_(buf_done) struct buf config = {.max = MAX_TOLD_CONFIG_BYTES};
	_cleanup_(container_unrefp) struct container *c = container_new();

	read_config(s, &config);
	kubernetes_fill(c, &s->annotations);
	m.id = s->id;
	m.pid = first_process(s);
	m.oci_config = (char *)buf_cstr(&config);
	m.namespace_ = c->k8s_namespace ?: "";
	m.podname = c->k8s_pod ?: "";
	m.name = c->k8s_container ?: "";
	pack(&m.base, b);
}

/* ---- the call -------------------------------------------------------------------- */

struct answer {
	bool came;
	int code;
	struct err *err;
};

static void on_done(void *ctx, const struct grpc_reply *reply)
{
	struct answer *a = ctx;

	a->came = true;
	if (reply->status != GRPC_OK)
		a->code = err_set(a->err, status_errno(reply->status), "%s: %s",
				  grpc_status_name(reply->status), reply->text);
}

/* Takes fd over. */
static int call(int fd, const char *method, const struct buf *message, uint64_t timeout_ns,
		struct err *err)
{
	const struct grpc_request request = {
		.method = method,
		.bytes = message->data,
		.len = message->len,
		.deadline_ns = timeout_ns,
	};
	struct answer answer = {.err = err};
	struct reactor *reactor = NULL;
	struct grpc_channel *channel = NULL;
	int r = reactor_new(&reactor, err);

	if (r)
		close(fd);
	r = r ?: grpc_channel_new(reactor, fd, NULL, &channel, err);
	if (!r) {
		struct pollfd p = {.fd = reactor_fd(reactor), .events = POLLIN};

		grpc_call_unary(channel, &request, on_done, &answer);
		for (reactor_dispatch(reactor); !answer.came; reactor_dispatch(reactor))
			poll(&p, 1, -1);
		r = answer.code;
	}
	grpc_channel_free(channel);
	reactor_free(reactor);
	return r;
}

static int tell(const struct stage *stage, const struct oci_state *s, const char *host,
		uint64_t timeout_ns, struct err *err)
{
	_cleanup_(address_done) struct address a = {0};
	_cleanup_(buf_done) struct buf message = {.max = MAX_GRPC_MESSAGE_BYTES};
	int fd, r = address_parse(host, &a, err);

	if (!r && !address_is_loopback(&a))
		r = err_set(err, -EINVAL, "%s is no daemon of this node", host);
	if (r)
		return r;
	fd = address_connect(&a, timeout_ns, err); /* first: most often nobody listens */
	if (fd < 0)
		return fd;
	(stage->ends ? pack_end : pack_start)(s, &message);
	return call(fd, stage->ends ? SERVICE "RemoveContainer" : SERVICE "AddContainer", &message,
		    timeout_ns, err);
}

int hook_notify(const char *stage, const char *host, uint64_t timeout_ns, struct err *err)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_CONFIG_BYTES};
	struct oci_state s;
	int r = buf_read_fd(&text, STDIN_FILENO);

	r = r ?: oci_parse_hook(buf_cstr(&text), text.len, &s);
	if (r)
		return err_set(err, r, "no container's state on stdin");
	r = tell(find_stage(stage), &s, host, timeout_ns, err);
	oci_state_done(&s);
	return r;
}
