// SPDX-License-Identifier: Apache-2.0
/*
 * libevent can resolve names, which ig never asks it to. In a static program glibc's resolver wants
 * glibc's shared libraries at run time, adds 140 KB, and makes the linker warn. These take its
 * place.
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
