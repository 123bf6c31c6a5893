// SPDX-License-Identifier: Apache-2.0
// also: musl
/*
 * lock_ways WAY: threads that lock mutexes, one after the other, so that none ever waits.
 *   ORDER…    each word is a thread: "ab ba" locks a, then b, and releases them; then b, then a.
 *             "a?b": b is tried; "a!": a is destroyed and made again
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t mutexes[26];

static void check(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "lock_ways: %s\n", what);
	exit(1);
}

static __attribute__((noinline)) void locks_it(pthread_mutex_t *m)
{
	check(!pthread_mutex_lock(m), "lock");
}

static void *take_and_release(void *arg)
{
	const char *order = arg;
	char taken[64] = "";
	size_t n = 0;

	for (const char *at = order; *at; at++) {
		const int tries = *at == '?';
		pthread_mutex_t *m = &mutexes[(at += tries)[0] - 'a'];

		if (at[1] == '!') {
			check(!pthread_mutex_destroy(m) && !pthread_mutex_init(m, NULL), "again");
			at++;
			continue;
		}
		if (tries)
			check(!pthread_mutex_trylock(m), "trylock");
		else
			locks_it(m);
		taken[n++] = *at;
	}
	while (n)
		check(!pthread_mutex_unlock(&mutexes[taken[--n] - 'a']), "unlock");
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_mutexattr_t recursive;

	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	for (int i = 0; i < 26; i++)
		pthread_mutex_init(&mutexes[i], &recursive);
	for (int i = 1; i < argc; i++) {
		pthread_t thread;

		check(strlen(argv[i]) < 64, "too long");
		pthread_create(&thread, NULL, take_and_release, argv[i]);
		pthread_join(thread, NULL);
	}
	usleep(300000); /* so that its file can still be looked at */
	return 0;
}
