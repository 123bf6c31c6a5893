// SPDX-License-Identifier: Apache-2.0
/*
 * A cluster of many nodes in one process, as kubectl-gadget meets it where $KUBECTL is this
 * program: `bench_cluster proxy --unix-socket=PATH …` lists agents, and takes execs into them as
 * WebSockets, behind each of which an agent speaks the daemon's protocol. Each sends trace_open's
 * records, RATE a second, of CONTAINERS containers.
 *
 * $CLUSTER_NODES: how many (1000). $CLUSTER_COUNT: a file that is mapped for struct count.
 *
 * `bench_cluster check` reads `-o json` and prints how many records there were, how many were
 * marked as late, and how many others were out of order.
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../unit/gadget_rows.h"
#include "api/rows.h"
#include "api/service.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "net/address.h"
#include "net/grpc_server.h"
#include "wire/api.pb-c.h"

enum {
	RATE = 100,	     /* records a second and node */
	BATCHES = 20,	     /* a second and node */
	CONTAINERS = 5,	     /* of a node */
	TICKS = 5,	     /* of a batch: nodes take turns */
	CHUNK_BYTES = 65536, /* of a link at once */
};
#define SECOND 1000000000ull

/* Shared with who measures. */
struct count {
	uint64_t running; /* nodes at which the gadget runs */
	uint64_t sent;	  /* records */
};

static struct reactor *reactor;
static struct gadget *gadget;
static struct count *count;
static struct agent {
	struct grpc_served *call; /* NULL: the gadget does not run */
	struct rows rows;
	struct container *containers[CONTAINERS];
	unsigned int turn;
} * agents;
static size_t n_agents = 1000;
static struct timer tick;
static char *grpc_path;

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "bench_cluster: %s: %s\n", what, err ? err->text : strerror(errno));
	exit(1);
}

/* ---- the agents ------------------------------------------------------------------ */

static uint64_t clock_now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void send_batch(struct agent *a)
{
	const struct schema *s = gadget_source(gadget, 0)->schema;
	_cleanup_(buf_done) struct buf record = {.max = 1 << 16};
	uint64_t now = clock_now(CLOCK_BOOTTIME);

	for (unsigned int i = 0; i < RATE / BATCHES; i++) {
		uint64_t at = now - (RATE / BATCHES - 1 - i) * (SECOND / RATE);
		struct row row;

		made_record(s, i * 3, &record); /* without those that are odd */
		memcpy(record.data + s->fields[s->time_field].offset, &at, sizeof(at));
		row = made_row(&record, a->containers[a->turn++ % CONTAINERS]);
		if (!rows_row(&a->rows, 0, &row))
			die("a client that is too slow", &(struct err){.text = "records are lost"});
		count->sent++;
	}
}

/* By the clock: what a late timer has missed is sent as well. */
static void on_tick(void *ctx)
{
	const uint64_t step = SECOND / BATCHES / TICKS;
	static uint64_t due;
	static unsigned int turn;

	for (due = due ?: clock_now(CLOCK_MONOTONIC); due <= clock_now(CLOCK_MONOTONIC);
	     due += step) {
		turn++;
		for (size_t i = turn % TICKS; i < n_agents; i += TICKS)
			if (agents[i].call)
				send_batch(&agents[i]);
	}
	timer_start(&tick, reactor, step / 2, on_tick, NULL);
}

static void on_gone(void *ctx, struct grpc_served *call)
{
	struct agent *a = ctx;

	rows_done(&a->rows);
	a->call = NULL;
	count->running--;
}

static void describe(struct rows_meaning *m, const struct gadget_source **source)
{
	static struct clock_base clock;

	clock_base_now(&clock);
	*source = gadget_source(gadget, 0);
	*m = (struct rows_meaning){.about = {.gadget = gadget, .image = "trace_open"},
				   .sources = source,
				   .n_sources = 1,
				   .compact = true,
				   .clock = &clock};
}

/* The first message asks for the gadget, the second for its end. */
static void on_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	const struct gadget_source *source;
	struct rows_meaning m;
	struct agent *a = ctx;

	if (a->call) {
		on_gone(a, call);
		grpc_served_finish(call, GRPC_OK, NULL);
		return;
	}
	describe(&m, &source);
	rows_start(&a->rows, call, &m);
	a->call = call;
	count->running++;
}

static void begin_run(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {.message = on_message, .gone = on_gone};

	for (size_t i = 0; i < n_agents; i++)
		if (!agents[i].containers[0]) {
			for (unsigned int c = 0; c < CONTAINERS; c++)
				agents[i].containers[c] = made_container(1 + c);
			grpc_served_start(call, &events, &agents[i]);
			return;
		}
	die("runs", &(struct err){.text = "more than nodes"});
}

static int get_info(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	Api__InfoResponse m = API__INFO_RESPONSE__INIT;

	m.serverversion = "v" IG_VERSION;
	api_append(&m.base, reply);
	return 0;
}

static int get_gadget_info(void *ctx, const void *bytes, size_t len, struct buf *reply,
			   struct err *err)
{
	Api__GetGadgetInfoResponse m = API__GET_GADGET_INFO_RESPONSE__INIT;
	_cleanup_(buf_done) struct buf info = {.max = 1 << 20};
	const struct gadget_source *source;
	struct rows_meaning meaning;

	describe(&meaning, &source);
	rows_describe(&meaning, &info);
	m.gadgetinfo = api__gadget_info__unpack(NULL, info.len, (uint8_t *)info.data);
	api_append(&m.base, reply);
	api__gadget_info__free_unpacked(m.gadgetinfo, NULL);
	return 0;
}

static const struct grpc_method methods[] = {
	{"/api.BuiltInGadgetManager/GetInfo", get_info, NULL},
	{"/api.GadgetManager/GetGadgetInfo", get_gadget_info, NULL},
	{"/api.GadgetManager/RunGadget", NULL, begin_run},
	{0},
};

/* ---- a WebSocket, and the agent behind it ---------------------------------------- */

struct link {
	int web, agent;
	struct watch on_web, on_agent;
	struct buf up;	 /* of a frame that is not whole yet */
	struct buf down; /* frames, as far as `sent` */
	size_t sent;
};

static void end_link(struct link *l)
{
	watch_remove(&l->on_web);
	watch_remove(&l->on_agent);
	close(l->web);
	close(l->agent);
	buf_done(&l->up);
	buf_done(&l->down);
	free(l);
}

/* Bytes of the frame at the start of `up` and of its head; 0: it is not whole. Those of clients are
 * masked. */
static size_t frame_length(const struct buf *up, size_t *ret_head)
{
	const uint8_t *b = (const uint8_t *)up->data;
	size_t n = up->len < 2 ? 0 : b[1] & 127, head = n == 126 ? 8 : 6;

	if (up->len < head || n == 127)
		return 0;
	if (n == 126)
		n = (size_t)b[2] << 8 | b[3];
	*ret_head = head;
	return up->len < head + n ? 0 : head + n;
}

/* False: it is over. */
static bool take_frames(struct link *l)
{
	enum { BINARY = 0x82, STDIN = 0 };
	size_t head, n;

	while ((n = frame_length(&l->up, &head))) {
		uint8_t *b = (uint8_t *)l->up.data;

		for (size_t i = head; i < n; i++)
			b[i] ^= b[head - 4 + ((i - head) & 3)];
		if (b[0] != BINARY || b[head] != STDIN)
			return false;
		if (send(l->agent, b + head + 1, n - head - 1, MSG_NOSIGNAL) !=
		    (ssize_t)(n - head - 1))
			return false;
		memmove(b, b + n, l->up.len - n);
		l->up.len -= n;
	}
	return true;
}

/* What the client has no room for keeps the agent from being read. */
static bool flush(struct link *l)
{
	ssize_t n = send(l->web, l->down.data + l->sent, l->down.len - l->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		return false;
	l->sent += n > 0 ? (size_t)n : 0;
	watch_change(&l->on_web, l->sent < l->down.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
	watch_change(&l->on_agent, l->sent < l->down.len ? 0 : EPOLLIN);
	return true;
}

static void on_web(void *ctx, uint32_t events)
{
	struct link *l = ctx;
	char bytes[CHUNK_BYTES];
	ssize_t n = 1;

	if (events & EPOLLIN) {
		n = recv(l->web, bytes, sizeof(bytes), MSG_DONTWAIT);
		buf_add(&l->up, bytes, n > 0 ? (size_t)n : 0);
	}
	if (n <= 0 || !take_frames(l) || (events & EPOLLOUT && !flush(l)))
		end_link(l);
}

static void on_agent(void *ctx, uint32_t events)
{
	enum { BINARY = 0x82, STDOUT = 1, SHORT = 126 };
	struct link *l = ctx;
	uint8_t bytes[CHUNK_BYTES - 2]; /* and the channel: as long as 16 bits tell */
	ssize_t n = recv(l->agent, bytes, sizeof(bytes), MSG_DONTWAIT);
	const uint8_t head[] = {BINARY, SHORT, (uint8_t)((n + 1) >> 8), (uint8_t)(n + 1), STDOUT};

	if (n <= 0) {
		end_link(l);
		return;
	}
	buf_clear(&l->down);
	l->sent = 0;
	buf_add(&l->down, head, sizeof(head));
	buf_add(&l->down, bytes, (size_t)n);
	if (!flush(l))
		end_link(l);
}

static void link_new(int web)
{
	const struct address a = {.path = grpc_path};
	struct link *l = xnew(struct link);
	struct err err;

	l->web = web;
	l->agent = address_connect(&a, SECOND, &err);
	if (l->agent < 0)
		die("an agent", &err);
	buf_init(&l->up, 4 * CHUNK_BYTES);
	buf_init(&l->down, 2 * CHUNK_BYTES);
	watch_add(&l->on_web, reactor, l->web, EPOLLIN, on_web, l);
	watch_add(&l->on_agent, reactor, l->agent, EPOLLIN, on_agent, l);
}

/* ---- the API server -------------------------------------------------------------- */

static void say(int fd, struct buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = send(fd, b->data + at, b->len - at, MSG_NOSIGNAL);

		if (n < 0)
			die("answering", NULL);
		at += (size_t)n;
	}
}

static void accept_exec(int fd, const char *head)
{
	static const char name[] = "Sec-WebSocket-Key: ",
			  guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	_cleanup_(buf_done) struct buf key = {.max = 256}, answer = {.max = 4096};
	const char *at = strcasestr(head, name);
	unsigned char digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
	unsigned int n;

	if (!at)
		die("an exec", &(struct err){.text = "that is no WebSocket"});
	at += strlen(name);
	buf_add(&key, at, strcspn(at, "\r"));
	buf_str(&key, guid);
	EVP_Digest(key.data, key.len, digest, &n, EVP_sha1(), NULL);
	EVP_EncodeBlock(text, digest, (int)n);
	buf_printf(
		&answer,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n",
		text);
	say(fd, &answer);
	link_new(fd);
}

static void list_agents(int fd)
{
	_cleanup_(buf_done) struct buf list = {.max = 8 << 20}, head = {.max = 256};

	buf_str(&list, "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[");
	for (size_t i = 0; i < n_agents; i++)
		buf_printf(&list,
			   "%s{\"metadata\":{\"name\":\"gadget-%zu\",\"namespace\":\"gadget\"},"
			   "\"spec\":{\"nodeName\":\"node-%04zu\",\"containers\":[{\"name\":"
			   "\"gadget\","
			   "\"image\":\"ig\"}]},\"status\":{\"phase\":\"Running\",\"conditions\":"
			   "[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
			   i ? "," : "", i, i);
	buf_str(&list, "]}");
	buf_printf(
		&head,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		list.len);
	say(fd, &head);
	say(fd, &list);
	close(fd);
}

/* Nothing ever changes; the connection stays open as long as this process. */
static void watch_agents(int fd)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	_cleanup_(buf_done) struct buf head = {.max = 256};

	buf_str(&head, text);
	say(fd, &head);
}

/* Who asks is on this machine and sends its whole request at once. */
static void on_client(void *ctx, uint32_t events)
{
	int listening = *(int *)ctx, fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	char head[16384] = "";
	size_t n = 0;

	if (fd < 0)
		return;
	while (n < sizeof(head) - 1 && !strstr(head, "\r\n\r\n")) {
		ssize_t more = recv(fd, head + n, sizeof(head) - 1 - n, 0);

		if (more <= 0) {
			close(fd);
			return;
		}
		n += (size_t)more;
	}
	head[strcspn(head, "\r")] = ' '; /* headers behind it are still to be found */
	if (strstr(head, "/exec?"))
		accept_exec(fd, head);
	else if (strstr(head, "watch="))
		watch_agents(fd);
	else
		list_agents(fd);
}

/* ---- life ------------------------------------------------------------------------ */

static void map_count(void)
{
	const char *path = getenv("CLUSTER_COUNT");
	int fd = open(path ?: "", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*count)))
		die("$CLUSTER_COUNT", NULL);
	count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (count == MAP_FAILED)
		die("$CLUSTER_COUNT", NULL);
}

static int listen_at(const char *path)
{
	const struct address a = {.path = (char *)path};
	const struct listen_options o = {
		.folder_mode = 0700, .socket_mode = 0600, .group = (gid_t)-1};
	struct err err;
	int fd = address_listen(&a, &o, &err);

	if (fd < 0)
		die(path, &err);
	return fd;
}

static void start_agents(void)
{
	const struct grpc_server_options so = {.max_connections = n_agents + 1};
	const struct gadget_open_options o = {.enrich = container_add_fields};
	struct grpc_server *server;
	struct err err;

	agents = xnew_n(struct agent, n_agents);
	grpc_path = xasprintf("%s.socket", getenv("CLUSTER_COUNT"));
	if (reactor_new(&reactor, &err) || gadget_open_builtin("trace_open", &o, &gadget, &err) ||
	    grpc_server_new(reactor, &so, &server, &err) ||
	    grpc_server_listen(server, listen_at(grpc_path), NULL, &err))
		die("the agents", &err);
	grpc_server_add(server, methods, NULL);
	on_tick(NULL);
}

static _Noreturn void proxy(const char *path)
{
	const struct rlimit files = {2 * n_agents + 4096, 4 * n_agents + 8192};
	struct watch clients = {0};
	int fd;

	if (setrlimit(RLIMIT_NOFILE, &files))
		die("descriptors", NULL);
	map_count();
	start_agents();
	fd = listen_at(path);
	watch_add(&clients, reactor, fd, EPOLLIN, on_client, &fd);
	printf("Starting to serve on %s\n", path);
	fflush(stdout);
	for (;;) {
		struct pollfd p = {.fd = reactor_fd(reactor), .events = POLLIN};

		if (poll(&p, 1, -1) < 0)
			die("waiting", NULL);
		reactor_dispatch(reactor);
	}
}

/* ---- what came out --------------------------------------------------------------- */

static int check(void)
{
	static const char key[] = "\"timestamp\":\"";
	char last[64] = "", *line = NULL;
	size_t room = 0, records = 0, late = 0, disorder = 0;

	while (getline(&line, &room, stdin) > 0) {
		char *at = strstr(line, key);

		records++;
		if (!at)
			die("check", &(struct err){.text = "a record without a time"});
		if (strstr(line, "\"late\":true")) {
			late++;
			continue;
		}
		at += strlen(key);
		at[strcspn(at, "\"")] = '\0';
		disorder += strcmp(at, last) < 0;
		snprintf(last, sizeof(last), "%s", at);
	}
	free(line);
	printf("{\"records\":%zu,\"late\":%zu,\"disorder\":%zu}\n", records, late, disorder);
	return 0;
}

int main(int argc, char **argv)
{
	static const char socket[] = "--unix-socket=";
	const char *nodes = getenv("CLUSTER_NODES");
	uint64_t n;

	if (nodes && !parse_u64(nodes, &n) && n)
		n_agents = n;
	if (argc == 2 && !strcmp(argv[1], "check"))
		return check();
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[1], "proxy") && str_starts(argv[i], socket))
			proxy(argv[i] + strlen(socket));
	fprintf(stderr, "usage: bench_cluster proxy --unix-socket=PATH | check\n");
	return 2;
}
