// SPDX-License-Identifier: Apache-2.0
/*
 * libevent and OpenSSL can resolve names and load modules, which ig never asks them to
 * (net/resolve.h). In a static program glibc's functions for that want glibc's shared libraries at
 * run time, add 140 KB, and make the linker warn. These take their place.
 */
#include <dlfcn.h>
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

/* Modules of OpenSSL's. */
void *dlopen(const char *file, int mode)
{
	return NULL;
}

void *dlsym(void *handle, const char *name)
{
	return NULL;
}

int dlclose(void *handle)
{
	return -1;
}

char *dlerror(void)
{
	return NULL;
}

int dladdr(const void *address, Dl_info *ret)
{
	return 0;
}
