/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's standard input and output in a WebSocket, as the API server gives them: each message
 * begins with a byte that says of which channel its bytes are (0 stdin, 1 stdout, 2 stderr,
 * 3 how it ended, as a Status in JSON). Sources: Kubernetes' staging/src/k8s.io/apiserver
 * (pkg/util/wsstream) and apimachinery (pkg/util/remotecommand/constants.go).
 */
#pragma once

#include <stdbool.h>

#define CHANNELS_V5 "v5.channel.k8s.io" /* has one more, 255, that closes others */
#define CHANNELS_V4 "v4.channel.k8s.io"

struct transport;

/*
 * fd, a socket on which the WebSocket was opened, is taken over. What is sent goes to stdin, what
 * is received is of stdout. The end is an error where the program failed, by what it said on stderr
 * at last, else by its Status: -ECONNREFUSED.
 */
struct transport *channels_transport(int fd, bool is_v5);
