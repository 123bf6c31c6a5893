// SPDX-License-Identifier: GPL-2.0
#include <gadget/gadget.bpf.h>
#include <gadget/uprobe.bpf.h>

GADGET("Trace what goes through TLS, before it is encrypted and after\n"
       "Each call of OpenSSL's, GnuTLS's and NSS's functions that read and write, and of those "
       "that do the handshake, is shown when it returns: how long it took, what it returned, "
       "and the plain text, up to 16 KiB of it. The functions are those of the containers' own "
       "libraries.",
       LIMITS("Programs that have TLS in themselves are seen only where --binary names them and"
	      " they have OpenSSL's, GnuTLS's or NSS's functions as symbols: not Go's "
	      "crypto/tls, rustls or Java. What the kernel encrypts (kTLS by sendfile()) is not"
	      " seen; nor is what goes through OpenSSL's own BIO_f_ssl(). NSPR's functions are "
	      "shown for files and unencrypted sockets too.")
       SELFTEST("openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/key -out "
		"/tmp/cert -subj /CN=x -days 1 2>/dev/null; (sleep 2 | openssl s_server"
		" -accept 4433 -cert /tmp/cert -key /tmp/key -naccept 1) & sleep 0.5; "
		"(echo hello; sleep 0.5) | openssl s_client -connect 127.0.0.1:4433 "
		"2>/dev/null", "buf~hello"));
PARAM(bool, record_data, true, "Show what was read and written, not only how much");
PARAM_BINARY;

enum { DATA_MAX = 16 * 1024 };

/* The functions. */
enum ssl_operation {
	SSL_read = 1,
	SSL_read_ex,
	SSL_write,
	SSL_write_ex,
	SSL_do_handshake,
	gnutls_record_recv,
	gnutls_record_send,
	gnutls_handshake,
	PR_Read,
	PR_Recv,
	PR_Write,
	PR_Send,
	SSL_ForceHandshake,
};

struct ssl_event {
	g_time timestamp COL(hidden);
	g_container container;
	struct g_process proc;
	enum ssl_operation operation DOC("The function") COL(width=18);
	g_duration latency_ns DOC("How long the call took") COL(width=10);
	g_bytes len DOC("How much was read or written") COL(width=8);
	g_bool failed DOC(
		"It failed; so does a call that would have to wait, where the program wants it "
		"not to") COL(width=6);
	__s32 error DOC("What it returned where it failed: OpenSSL's 0 or -1, GnuTLS's GNUTLS_E_…, "
			"NSPR's -1") COL(hidden);
	g_text buf DOC("The plain text") COL(width=60);
};
TRACER(ssl, ssl_event, DATA_MAX);

struct call {
	g_container container;
	__u64 start;
	__u64 buf;
	__u64 result; /* where SSL_read_ex() and SSL_write_ex() put how much */
	__u32 operation;
};
CALLS(calls, call);

static __always_inline int enter(struct pt_regs *ctx, enum ssl_operation operation, __u64 buf,
				 __u64 result)
{
	struct call *call;
	g_container c;

	if (!wanted(&c))
		return 0;
	call = call_enter(calls, ctx, c);
	if (!call)
		return 0;
	call->container = c;
	call->operation = operation;
	call->buf = buf;
	call->result = result;
	call->start = bpf_ktime_get_boot_ns();
	return 0;
}

/* How much went through, by what it returned. */
static __always_inline __u64 length_of(const struct call *call, __s32 returned)
{
	void *result = (void *)call->result;
	__u64 length = returned;

	if (returned <= 0 || !call->buf) /* a handshake has none */
		return 0;
	if (result)
		bpf_probe_read_user(&length, sizeof(length), result);
	return length;
}

/* A closed connection is 0 bytes for GnuTLS and NSPR; OpenSSL has 0 for that, and for failures. */
static __always_inline bool has_failed(__u32 operation, __s32 returned)
{
	return returned < 0 || (!returned && operation <= SSL_do_handshake);
}

static __always_inline int leave(struct pt_regs *ctx)
{
	struct call *call = call_leave(calls, ctx);
	__s32 returned = (__s32)PT_REGS_RC(ctx);
	struct ssl_event *e;

	if (!call)
		return 0;
	e = record_begin_preemptible(ssl, call->container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->operation = call->operation;
	e->latency_ns = e->timestamp - call->start;
	e->len = length_of(call, returned);
	if (has_failed(call->operation, returned))
		e->error = returned;
	e->failed = has_failed(call->operation, returned);
	if (record_data && e->len)
		text_user_bytes(ssl, e, buf, (void *)call->buf, e->len, DATA_MAX);
	record_submit(ssl, e);
	return 0;
}

#define FUNCTION(LIBRARY, NAME, BUF, RESULT)          \
	SEC("uprobe/" #LIBRARY ":" #NAME)             \
	int enter_##NAME(struct pt_regs *ctx)         \
	{                                             \
		return enter(ctx, NAME, BUF, RESULT); \
	}                                             \
	SEC("uretprobe/" #LIBRARY ":" #NAME)          \
	int leave_##NAME(struct pt_regs *ctx)         \
	{                                             \
		return leave(ctx);                    \
	}

FUNCTION(libssl, SSL_read, PT_REGS_PARM2(ctx), 0)
FUNCTION(libssl, SSL_read_ex, PT_REGS_PARM2(ctx), PT_REGS_PARM4(ctx))
FUNCTION(libssl, SSL_write, PT_REGS_PARM2(ctx), 0)
FUNCTION(libssl, SSL_write_ex, PT_REGS_PARM2(ctx), PT_REGS_PARM4(ctx))
FUNCTION(libssl, SSL_do_handshake, 0, 0)
FUNCTION(libgnutls, gnutls_record_recv, PT_REGS_PARM2(ctx), 0)
FUNCTION(libgnutls, gnutls_record_send, PT_REGS_PARM2(ctx), 0)
FUNCTION(libgnutls, gnutls_handshake, 0, 0)
FUNCTION(libnspr4, PR_Read, PT_REGS_PARM2(ctx), 0)
FUNCTION(libnspr4, PR_Recv, PT_REGS_PARM2(ctx), 0)
FUNCTION(libnspr4, PR_Write, PT_REGS_PARM2(ctx), 0)
FUNCTION(libnspr4, PR_Send, PT_REGS_PARM2(ctx), 0)
FUNCTION(libssl3, SSL_ForceHandshake, 0, 0)
