// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * TCP connections: made, accepted, closed. The end of a connect and the close come in softirq
 * context, where `current` is whoever was interrupted. So a connection's record begins where its
 * process is known (connect, accept), waits in a map by its socket, and is completed and put out
 * from there.
 *
 * What fails before anything is sent (no route, no free port, not allowed) changes no state and is
 * seen only as the result of the connect call.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/socket.bpf.h>

GADGET("Trace TCP connections: connect, accept and close\n"
       "A connect is shown when it succeeded or failed, with the time that it took; an accept when "
       "the process gets the connection; a close when the connection is gone, with its bytes and "
       "how long it was open. IPv4 and IPv6.",
       ALIAS("tcpconnect") ALIAS("tcpaccept") ALIAS("tcptracer")
	       LIMITS("UDP and other protocols are not shown.")
		       SELFTEST("bash -c 'true >/dev/tcp/127.0.0.1/9' || nc -w1 127.0.0.1 9; true",
				"type==connect,dst.port==9,error==ECONNREFUSED"));

PARAM(bool, connect_only, false, "Show only connects");
PARAM(bool, accept_only, false, "Show only accepts");
PARAM(bool, failure_only, false, "Show only what failed");

enum tcp_event_type { connect, accept, close };

struct tcp_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum tcp_event_type type DOC("connect, accept or close") COL(width=7);
	struct g_endpoint src DOC("This end") COL(width=24);
	struct g_endpoint dst DOC("The other end") COL(width=24);
	g_errno error DOC("Why it failed, or why the connection broke") COL(width=12);
	g_duration latency DOC("Time that the connect took") COL(width=9, right, skip-empty);
	g_duration duration DOC("At the close: time since the connection was made")
		COL(hidden, skip-empty);
	g_bytes sent DOC("At the close: bytes sent") COL(hidden, skip-empty);
	g_bytes received DOC("At the close: bytes received") COL(hidden, skip-empty);
	g_fd fd DOC("Descriptor of the connection, of an accept the one listened on; -1: not known")
		COL(hidden);
	g_fd accept_fd DOC("At an accept: descriptor of the new connection; else -1") COL(hidden);
	g_netns netns_id DOC("Network namespace") COL(hidden);
};
TRACER(tcp, tcp_event, 0);

struct connection {
	struct tcp_event event;
	g_time begun; /* connect called */
	g_time open;  /* connected or accepted; 0: not yet, or before this tracer */
};

/*
 * Not an LRU map: it would drop the oldest connection without a word, and with it the record of its
 * end. An entry goes when its socket is closed; where there is no room the record counts as lost.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64); /* struct sock * */
	__type(value, struct connection);
} connections SEC(".maps");

/* A connect or accept call that is going on. */
struct tcp_call {
	g_container container;
	const void *address; /* connect: in the process's memory */
	g_fd fd;
	bool begun; /* connect: came to sending; the socket's state tells the rest */
};
PENDING(calls, tcp_call);

static __always_inline void put_out(struct tcp_event *e, __u32 type, __u32 error)
{
	e->type = type;
	e->error = error;
	if (connect_only && type != connect)
		return;
	if (accept_only && type != accept)
		return;
	if (failure_only && !error)
		return;
	record_output(tcp, e, sizeof(*e));
}

/* A record of the current process. */
static __always_inline void begin(struct tcp_event *e, g_container c, g_fd fd)
{
	e->timestamp = bpf_ktime_get_boot_ns();
	e->container = c;
	e->fd = fd;
	e->accept_fd = -1;
	process_fill(&e->proc);
}

static __always_inline void fill_ends(struct tcp_event *e, const struct sock *sk,
				      const struct g_sock_copy *copy)
{
	sock_endpoints(sk, copy, IPPROTO_TCP, &e->src, &e->dst);
	e->netns_id = sock_netns(copy);
}

static __always_inline void find_ends(struct tcp_event *e, const struct sock *sk)
{
	struct g_sock_copy copy;

	sock_copy(&copy, sk);
	fill_ends(e, sk, &copy);
}

static __always_inline void remember(const struct sock *sk, const struct connection *n)
{
	__u64 key = (__u64)sk;

	if (bpf_map_update_elem(&connections, &key, n, BPF_ANY))
		record_lost(n->event.container);
}

/* ---- what the socket's state tells --------------------------------------------------------- */

/* In the connecting process. */
static __noinline int connect_begins(const struct sock *sk)
{
	struct connection n = {};
	struct tcp_call *call;
	g_container c;

	if (accept_only || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !wanted(&c))
		return 0;
	call = pending_peek(calls);
	begin(&n.event, c, call ? call->fd : -1);
	n.begun = n.event.timestamp;
	if (call)
		call->begun = true;
	remember(sk, &n);
	return 0;
}

static __always_inline void connect_succeeded(const struct sock *sk, struct connection *n)
{
	struct tcp_event *e = &n->event;

	n->open = e->timestamp = bpf_ktime_get_boot_ns();
	e->latency = n->open - n->begun;
	find_ends(e, sk);
	put_out(e, connect, 0);
	e->latency = 0;
}

static __always_inline void connect_failed(const struct sock *sk, struct connection *n)
{
	struct tcp_event *e = &n->event;
	int error = BPF_CORE_READ(sk, sk_err);
	struct tcp_call *call;

	if (!error) {
		call = pending_peek(calls);
		if (call && call->begun && call->fd == e->fd && sock_of_fd(call->fd) == sk) {
			call->begun = false; /* the call's result will tell why */
			return;
		}
		error = ECONNABORTED; /* the process gave up */
	}
	e->timestamp = bpf_ktime_get_boot_ns();
	e->latency = e->timestamp - n->begun;
	find_ends(e, sk);
	put_out(e, connect, error);
}

static __always_inline void closed(const struct sock *sk, struct connection *n)
{
	const struct tcp_sock *tcp = (const void *)sk;
	struct tcp_event *e = &n->event;

	e->timestamp = bpf_ktime_get_boot_ns();
	if (n->open)
		e->duration = e->timestamp - n->open;
	else
		find_ends(e, sk);
	e->sent = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
	e->received = BPF_CORE_READ(tcp, bytes_received);
	if (e->received && BPF_CORE_READ(sk, __sk_common.skc_flags) >> SOCK_DONE & 1)
		e->received--; /* the kernel counts the other end's FIN */
	put_out(e, close, BPF_CORE_READ(sk, sk_err));
}

/*
 * A connection that is older than this tracer, or whose accept it did not see: in the closing
 * process.
 */
static __noinline int owner_closes(const struct sock *sk)
{
	struct connection n = {};
	g_container c;

	if (connect_only || accept_only || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP ||
	    !wanted(&c))
		return 0;
	begin(&n.event, c, -1);
	remember(sk, &n);
	return 0;
}

/* args: struct sock, old state, new state */
SEC("raw_tp/inet_sock_set_state")
int set_state(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sock *sk = (const void *)ctx->args[0];
	__u64 key = (__u64)sk, state = ctx->args[2];
	struct connection *n;

	if (state == TCP_SYN_SENT) {
		connect_begins(sk);
		return 0;
	}
	if (state != TCP_ESTABLISHED && state != TCP_FIN_WAIT1 && state != TCP_LAST_ACK &&
	    state != TCP_CLOSE)
		return 0;
	n = bpf_map_lookup_elem(&connections, &key);
	if (!n) {
		if (state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK)
			owner_closes(sk);
		return 0;
	}
	if (state == TCP_ESTABLISHED) {
		connect_succeeded(sk, n);
	} else if (state == TCP_CLOSE) {
		if (n->begun && !n->open)
			connect_failed(sk, n);
		else
			closed(sk, n);
		bpf_map_delete_elem(&connections, &key);
	}
	return 0;
}

/* ---- what the calls tell --------------------------------------------------------------------- */

static __always_inline int call_begins(g_container c, int fd, const void *address)
{
	struct tcp_call *call = pending_begin(calls, c);

	if (!call)
		return 0;
	call->container = c;
	call->address = address;
	call->fd = fd;
	call->begun = false;
	return 0;
}

/* Not the result of this call, or none yet. */
static __always_inline bool no_failure(__s64 ret)
{
	return ret >= 0 || ret == -EAGAIN || ret == -EINPROGRESS || ret == -EALREADY ||
	       ret == -EISCONN || ret == -EINTR || ret == -ERESTARTSYS;
}

SEC("tp/syscalls/sys_enter_connect")
int enter_connect(struct syscall_enter *ctx)
{
	struct socket *socket;
	g_container c;

	if (accept_only || !wanted(&c))
		return 0;
	/*
	 * Asking how the connect before went: the state tells that. What is no socket shows at the
	 * exit.
	 */
	socket = socket_of_file(file_of_fd(ctx->args[0]));
	if (BPF_CORE_READ(socket, state) == SS_CONNECTING)
		return 0;
	return call_begins(c, ctx->args[0], (const void *)ctx->args[1]);
}

SEC("tp/syscalls/sys_exit_connect")
int exit_connect(struct syscall_exit *ctx)
{
	struct tcp_call *call = pending_end(calls);
	union g_sockaddr to = {};
	struct tcp_event e = {};
	struct sock *sk;

	if (!call || call->begun || no_failure(ctx->ret))
		return 0;
	sk = sock_of_fd(call->fd);
	if (!sock_is_tcp(sk))
		return 0;
	begin(&e, call->container, call->fd);
	find_ends(&e, sk);
	if (bpf_probe_read_user(&to, sizeof(to), call->address))
		bpf_probe_read_user(&to.in, sizeof(to.in), call->address);
	sockaddr_endpoint(&to, IPPROTO_TCP, &e.dst);
	put_out(&e, connect, -ctx->ret);
	return 0;
}

static __noinline int accept_failed(__s64 ret)
{
	struct tcp_call *call = pending_end(calls);
	struct tcp_event e = {};
	struct sock *sk;

	if (!call || no_failure(ret))
		return 0;
	sk = sock_of_fd(call->fd);
	if (!sock_is_tcp(sk))
		return 0;
	begin(&e, call->container, call->fd);
	find_ends(&e, sk);
	put_out(&e, accept, -ret);
	return 0;
}

static __noinline int accepted(__s64 ret)
{
	struct tcp_call *call = pending_end(calls);
	struct connection n = {};
	struct g_sock_copy copy;
	struct socket *socket;
	struct sock *sk;
	g_container c;

	if (!wanted(&c))
		return 0;
	socket = socket_of_file(file_of_fd(ret));
	sk = BPF_CORE_READ(socket, sk);
	sock_copy(&copy, sk);
	if (!sock_is_ip(&copy) || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	begin(&n.event, c, call ? call->fd : -1);
	n.event.accept_fd = ret;
	fill_ends(&n.event, sk, &copy);
	put_out(&n.event, accept, 0);
	n.event.fd = ret;
	n.event.accept_fd = -1;
	n.open = n.event.timestamp;
	if (SOCK_FIELD(&copy, skc_state) == TCP_CLOSE)
		closed(sk, &n); /* it broke before the process got it */
	else
		remember(sk, &n);
	return 0;
}

static __always_inline int accept_begins(int fd)
{
	g_container c;

	return !connect_only && wanted(&c) ? call_begins(c, fd, NULL) : 0;
}

static __always_inline int accept_ends(__s64 ret)
{
	if (connect_only)
		return 0;
	return ret < 0 ? accept_failed(ret) : accepted(ret);
}

SEC("tp/syscalls/sys_enter_accept")
int enter_accept(struct syscall_enter *ctx)
{
	return accept_begins(ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_accept")
int exit_accept(struct syscall_exit *ctx)
{
	return accept_ends(ctx->ret);
}

SEC("tp/syscalls/sys_enter_accept4")
int enter_accept4(struct syscall_enter *ctx)
{
	return accept_begins(ctx->args[0]);
}

SEC("tp/syscalls/sys_exit_accept4")
int exit_accept4(struct syscall_exit *ctx)
{
	return accept_ends(ctx->ret);
}
