/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting to unix stream sockets, also to those that were looked up below another root. */
#pragma once

/*
 * Connects to the socket file that path_fd, an O_PATH descriptor, stands for. The descriptor that
 * is returned does not block and is closed on exec. Needs /proc.
 *
 * -errno of connect(2): -ECONNREFUSED where nobody listens or it is no socket; -EAGAIN where too
 * many wait to be accepted already, which a later attempt may find better.
 */
int unix_connect(int path_fd);

int unix_connect_path(const char *path); /* the same; a path may be longer than sun_path */
