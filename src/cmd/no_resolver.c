// SPDX-License-Identifier: Apache-2.0
/*
 * libevent and OpenSSL can resolve names and load modules, which ig never asks them to
 * (net/resolve.h). In a static program glibc's functions for that want glibc's shared libraries at
 * run time, add 140 KB, and make the linker warn. These take their place.
 */
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *list)
{
}

struct servent *getservbyname(const char *name, const char *proto)
{
	return NULL;
}

struct protoent *getprotobynumber(int proto)
{
	return NULL;
}

struct hostent *gethostbyname(const char *name)
{
	return NULL;
}

/*
 * How OpenSSL loads modules, a table of functions that its headers do not show (ten pointers, in
 * include/internal/dso.h of its sources). It gets along with each of them missing.
 */
const void *DSO_METHOD_openssl(void);
const void *DSO_METHOD_openssl(void)
{
	static const void *const none[16];

	return none;
}
