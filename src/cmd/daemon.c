// SPDX-License-Identifier: Apache-2.0
/* ig daemon: the agent of a node. It serves its tracers and containers until it is told to end. */
#include <malloc.h>
#include <string.h>

#include "api/service.h"
#include "api/traceloop.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/owners.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "cmd/config.h"
#include "cmd/container_flags.h"
#include "cmd/daemon_compat.h"
#include "cmd/daemon_recorder.h"
#include "cmd/recorder_flags.h"
#include "cmd/kube_flags.h"
#include "cmd/loop.h"
#include "cmd/sd_notify.h"
#include "cmd/traceloop_flags.h"
#include "net/address.h"
#include "net/tls.h"

#define CONFIG_FILE "/etc/ig/config.yaml"
#define LAST_WORDS_NS 2000000000ull /* how long clients may take for them at the end */
#define MAX_ADDRESSES 8
#define KEPT_BYTES (128 << 10)

static struct {
	const char *hosts, *group, *config, *state_dir, *pin_dir, *record_dir;
	struct tls_files tls;
	bool insecure, compat;
} opt = {
	.hosts = "unix:///var/run/ig/ig.socket",
	.state_dir = "/var/lib/ig",
	.pin_dir = "/sys/fs/bpf/gadget",
	.record_dir = "/var/lib/ig/records",
};

static const struct flag flag_list[] = {
	{"host", 'H', "LIST",
	 "Where to listen: unix:///PATH, tcp://HOST:PORT (default unix:///var/run/ig/ig.socket)",
	 flag_text, &opt.hosts, NULL},
	{"group", 0, "GROUP",
	 "Who may use the unix socket, beside root: it shows all that root sees of this node",
	 flag_text, &opt.group, NULL},
	{"tls-ca", 0, "FILE", "Who signs clients' certificates; TCP is served to no one else",
	 flag_text, &opt.tls.ca, NULL},
	{"tls-cert", 0, "FILE", "The daemon's certificate, with its chain", flag_text,
	 &opt.tls.certificate, NULL},
	{"tls-key", 0, "FILE", "The key of it", flag_text, &opt.tls.key, NULL},
	{"insecure", 0, NULL, "Serve TCP without TLS, to this machine only", flag_on, &opt.insecure,
	 NULL},
	{"compat", 0, NULL,
	 "In a pod: serve existing clients at tcp://" COMPAT_ADDRESS
	 ", which a port-forward reaches",
	 flag_on, &opt.compat, NULL},
	{"state-dir", 0, "DIR", "Where instances are kept (default /var/lib/ig); '': nowhere",
	 flag_text, &opt.state_dir, NULL},
	{"pin-dir", 0, "DIR",
	 "Where tracers' maps are pinned, on a bpffs (default /sys/fs/bpf/gadget)", flag_text,
	 &opt.pin_dir, NULL},
	{"record-dir", 0, "DIR",
	 "Whose record files clients may replay (default /var/lib/ig/records); '': none", flag_text,
	 &opt.record_dir, NULL},
	{"config", 0, "FILE", "Flags and their values as YAML (default " CONFIG_FILE ", if there)",
	 flag_text, &opt.config, NULL},
	{0},
};
static const struct flag_table daemon_flags = {"Daemon", flag_list};

struct daemon_run {
	struct reactor *reactor;
	struct manager *manager;
	struct grpc_server *server, *compat; /* compat NULL: it is not asked for */
	unsigned int n_ending;		     /* of them, whose clients still take what is theirs */
	struct recording *recording;	     /* NULL: none is asked for */
	struct tls *tls;
	struct api api;
	struct loop loop;
	struct address addresses[MAX_ADDRESSES]; /* that are listened at */
	size_t n_addresses;
};

static void warn(void *ctx, const char *text)
{
	log_warn("%s", text);
}

static void warn_client(void *ctx, const char *text)
{
	log_info("client: %s", text); /* a peer's fault is no trouble of ours */
}

/* ---- addresses ------------------------------------------------------------------- */

static int group_id(gid_t *ret, struct err *err)
{
	struct owners groups = {0};
	uint64_t number;
	uint32_t id;
	int r;

	*ret = (gid_t)-1;
	if (!opt.group)
		return 0;
	if (!parse_u64(opt.group, &number) && number < UINT32_MAX) {
		*ret = (gid_t)number;
		return 0;
	}
	owners_read(&groups, "/etc/group");
	r = owners_id(&groups, opt.group, &id);
	owners_done(&groups);
	if (r)
		return err_set(err, -EINVAL, "no group '%s'", opt.group);
	*ret = id;
	return 0;
}

/* What TCP may be served with; *ret NULL: nothing but the socket. */
static int tls_for(struct daemon_run *d, const struct address *a, const char *text,
		   struct tls **ret, struct err *err)
{
	*ret = NULL;
	if (a->path)
		return 0;
	if (opt.insecure)
		return address_is_loopback(a)
			       ? 0
			       : err_set(err, -EINVAL,
					 "--insecure serves this machine only, and %s is not",
					 text);
	if (!opt.tls.ca)
		return err_set(err, -EINVAL,
			       "%s: TCP needs --tls-ca, --tls-cert and --tls-key, so that both "
			       "sides know whom they talk to",
			       text);
	if (!d->tls) {
		int r = tls_server_new(&opt.tls, &d->tls, err);

		if (r)
			return r;
	}
	*ret = d->tls;
	return 0;
}

static int listen_at(struct daemon_run *d, const char *text, gid_t group, struct err *err)
{
	const struct listen_options o = {.folder_mode = 0710, .socket_mode = 0660, .group = group};
	_cleanup_(address_done) struct address a = {0};
	struct tls *tls;
	int fd, r = address_parse(text, &a, err);

	r = r ?: tls_for(d, &a, text, &tls, err);
	if (r)
		return r;
	fd = address_listen(&a, &o, err);
	if (fd < 0)
		return fd;
	d->addresses[d->n_addresses++] = a;
	a = (struct address){0};
	return grpc_server_listen(d->server, fd, tls, err);
}

/* While we still listen: nobody else has put a socket there. */
static void remove_sockets(struct daemon_run *d)
{
	for (size_t i = 0; i < d->n_addresses; i++) {
		if (d->addresses[i].path)
			unlink(d->addresses[i].path);
		address_done(&d->addresses[i]);
	}
	d->n_addresses = 0;
}

static int listen_at_all(struct daemon_run *d, struct err *err)
{
	_cleanup_(freep) char **hosts = NULL;
	size_t n = split(opt.hosts, ',', false, &hosts);
	gid_t group;
	int r = group_id(&group, err);

	if (!r && (!n || n > MAX_ADDRESSES))
		r = err_set(err, -EINVAL, "--host wants one to %d addresses", MAX_ADDRESSES);
	for (size_t i = 0; !r && i < n; i++) {
		r = listen_at(d, hosts[i], group, err);
		if (!r)
			log_info("listening at %s", hosts[i]);
	}
	return r;
}

/* ---- life ------------------------------------------------------------------------ */

static const char *or_null(const char *s)
{
	return s && *s ? s : NULL;
}

static void on_reactor(void *ctx)
{
	struct daemon_run *d = ctx;

	reactor_dispatch(d->reactor);
}

/*
 * What was long goes back to the kernel when it is freed. glibc would take the first long ones as
 * a sign of more, and keep them in the heap, in between small ones that stay.
 */
static void keep_no_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

static int start(struct daemon_run *d, struct err *err)
{
	const struct grpc_server_options so = {.warn = warn_client};
	struct manager_options mo = {
		.state_dir = or_null(opt.state_dir), .pin_dir = or_null(opt.pin_dir), .warn = warn};
	int r;

	loop_use_all_descriptors();
	keep_no_memory();
	container_flags_options(&mo.containers);
	r = loop_init(&d->loop, err);
	r = r ?: reactor_new(&d->reactor, err);
	r = r ?: manager_new(d->reactor, &mo, &d->manager, err);
	r = r ?: grpc_server_new(d->reactor, &so, &d->server, err);
	if (r)
		return r;
	d->api = (struct api){.manager = d->manager, .record_dir = or_null(opt.record_dir)};
	api_add_services(d->server, &d->api);
	r = listen_at_all(d, err); /* who connects now waits until we are ready */
	r = r ?: traceloop_flags_start(d->manager, &d->api.traceloop, err);
	r = r ?: manager_start(d->manager, err);
	if (!r && opt.compat)
		r = daemon_compat_start(d->reactor, &d->api, &d->compat, err);
	r = r ?: kube_flags_start(d->reactor, manager_containers(d->manager), err);
	r = r ?: daemon_recorder_start(d->manager, or_null(opt.record_dir), &d->recording, err);
	d->api.recording = d->recording;
	return r ?: loop_add_fd(&d->loop, reactor_fd(d->reactor), on_reactor, d, err);
}

static void on_last_words(void *ctx)
{
	struct daemon_run *d = ctx;

	if (!--d->n_ending)
		loop_stop(&d->loop);
}

static void say_last_words(struct daemon_run *d)
{
	d->n_ending = d->compat ? 2 : 1;
	grpc_server_shutdown(d->server, LAST_WORDS_NS, on_last_words, d);
	if (d->compat)
		grpc_server_shutdown(d->compat, LAST_WORDS_NS, on_last_words, d);
	loop_run(&d->loop); /* a second signal ends it at once */
}

static int serve(struct daemon_run *d, struct err *err)
{
	int r = start(d, err);

	if (r)
		return r;
	notify_manager("READY=1");
	log_info("ready");
	loop_run(&d->loop);
	notify_manager("STOPPING=1");
	remove_sockets(d);
	if (d->recording)
		recording_stop(d->recording);
	manager_stop(d->manager);
	say_last_words(d);
	return 0;
}

static int read_config(struct flags *f, int argc, char **argv, struct config *keep, struct err *err)
{
	const char *path = flags_peek(f->command, argc, argv, "config");
	int r = config_read(f, path ?: CONFIG_FILE, keep, err);

	return r == -ENOENT && !path ? 0 : r;
}

static int daemon_main(int argc, char **argv)
{
	_cleanup_(config_done) struct config config = {0};
	struct daemon_run d = {0};
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("daemon"));
	r = read_config(&flags, argc, argv, &config, &err);
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	if (!r && geteuid())
		r = err_set(&err, -EPERM, "not root: only root may load eBPF programs");
	r = r ?: serve(&d, &err);
	remove_sockets(&d);
	grpc_server_free(d.server);
	grpc_server_free(d.compat);
	traceloop_service_free(d.api.traceloop);
	recording_free(d.recording);
	kube_flags_stop();
	manager_free(d.manager);
	tls_free(d.tls);
	loop_done(&d.loop);
	reactor_free(d.reactor);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&daemon_flags,
						  &daemon_recorder_flags,
						  &recorder_flags,
						  &traceloop_flags,
						  &container_flags,
						  &kube_flags,
						  NULL};
static const struct command daemon_command = {
	.name = "daemon",
	.summary = "Be the agent of this node, for `ig --remote` and other clients",
	.usage = "[FLAGS]",
	.description = "Serves gRPC; docs/api.md tells the services. Whoever may use the socket "
		       "sees what root sees of the\nnode's containers.",
	.tables = tables,
	.run = daemon_main,
};
COMMAND(&daemon_command);
