/* SPDX-License-Identifier: Apache-2.0 */
/* What the outside can make grow, in one place. What is dropped for a limit is counted and said. */
#pragma once

#define MAX_CONTAINERS 16384		 /* containers known at a time */
#define MAX_SLOTS (MAX_CONTAINERS + 1)	 /* of every counter map: slot 0 is the host */
#define MAX_CGROUPS 65536		 /* cgroups followed, child cgroups included */
#define MAX_TRACERS 256			 /* tracers that run at a time */
#define MAX_READERS 64			 /* of one tracer; and tracers of one attached gadget */
#define MAX_WANTED_MAPS 512		 /* maps that the detector fills: attached gadgets', sets' */
#define MAX_OBJECT_BYTES (16u << 20)	 /* a gadget's object file */
#define MAX_TYPES 65536			 /* BTF types in a gadget's object */
#define MAX_FIELDS 512			 /* leaf fields of a data source */
#define MAX_NESTING 16			 /* structs within structs of a record */
#define MAX_RECORD_BYTES 32768		 /* one record; the kernel's limit for per-CPU scratch */
#define MAX_CONFIG_BYTES (16u << 20)	 /* a container's config.json or state.json */
#define MAX_TOLD_CONFIG_BYTES (1u << 20) /* the same as a hook sends it */
#define MAX_TOLD_TEXT_BYTES 4096	 /* a text of a container that is announced */
#define MAX_LABELS 1024			 /* labels or annotations of one container or pod */
#define MAX_DAEMONS 16			 /* runtimes' sockets that are asked */
#define MAX_HEARD 2048			 /* containers that a daemon told of by itself, kept */
#define MAX_HEARD_TEXT_BYTES 1024	 /* an id, a name, an image of one */
#define MAX_HEARD_LABELS_BYTES 8192	 /* labels of one */
#define MAX_EVENT_BYTES (1u << 20)	 /* one event that a daemon tells of */
#define MAX_STATE_ROOTS 64		 /* runtimes' state roots learned from command lines */
#define MAX_JSON_DEPTH 64		 /* nesting of a JSON document from outside */
#define MAX_PROC_FILE_BYTES (1u << 20)	 /* /proc/PID/cgroup, mountinfo, stat, status */
#define MAX_ADDRESSES 1024		 /* of one network namespace */
#define MAX_OWNERS_BYTES (4u << 20)	 /* /etc/passwd, /etc/group */
#define MAX_OWNERS 65536		 /* users, or groups, of one of them */
#define MAX_CONTAINER_OWNERS_BYTES (64u << 10) /* the same files of a container */
#define MAX_OWNER_NAME_BYTES 64		 /* of a user or group */
#define MAX_FILTER_BYTES 65536		 /* --filter expression */
#define MAX_LABEL_KEY_BYTES 512		 /* of a label that is asked for by its key */
#define MAX_SYMBOL_BYTES (32u << 20)	 /* a file's table of symbols, and its names */
#define MAX_SYMBOL_CACHE_BYTES (128u << 20) /* of all files; beyond, all are read anew */
#define MAX_MODULES 2048		 /* files with code that are known at a time */
#define MAX_LIBRARY_NAMES 65536		 /* names in a container's folders of libraries */
#define MAX_PROBED_FILES 1024		 /* files that one attached gadget has probes in */
#define MAX_STACK_BYTES 12288		 /* a stack as texts */
#define MAX_HISTOGRAM_BYTES (32u << 20) /* different ones that `-o histogram` adds up */
#define MAX_FOLDED_BYTES (32u << 20)	 /* different stacks that `-o folded` adds up */
#define MAX_HELD_BYTES (64u << 20)	 /* records held back to sort a merged stream */
#define MAX_UNNAMED_BYTES (32u << 20)	 /* records held until their container's name is known */
#define MAX_UNNAMED_BYTES_EACH (4u << 20) /* of one container */
#define MAX_TABLE_ROWS 65536		 /* rows of a top table or a snapshot kept for sorting */
#define MAX_REPORT_BYTES (16u << 20)	 /* a report's document */
#define MAX_REPORT_GROUPS 4096		 /* containers, or what they are put together by, in one */
#define MAX_POLICY_EDGES 65536		 /* of all, in one report of network policies */
#define MAX_POLICY_BYTES (16u << 20)	 /* a file of network policies */
#define MAX_POLICY_PARTS 65536		 /* rules, peers, ports, labels in such files */
#define MAX_HTTP_HEADER_BYTES 65536	 /* all header lines of an answer, HTTP/1.1 and HTTP/2 */
#define MAX_HTTP_HEADERS 128		 /* header lines of an answer */
#define MAX_GRPC_MESSAGE_BYTES (16u << 20) /* one message of a peer */
#define MAX_GRPC_HELD_BYTES (64u << 20)	 /* answers of one connection that are not whole yet */
#define MAX_GRPC_WAITING 4096		 /* frames of one connection that wait to be written */
#define MAX_SERVED_MESSAGE_BYTES (4u << 20) /* one message of a client */
#define MAX_SERVED_CONNECTIONS 512	 /* clients of a daemon at a time */
#define MAX_SERVED_CALLS 128		 /* of one connection at a time */
#define MAX_READER_BYTES (4u << 20)	 /* records that wait for one slow reader */
#define MAX_HISTORY_RECORDS 100		 /* last records of a tracer that a new reader gets */
#define MAX_LINE_BYTES (1u << 20)	 /* a record as JSON in a tracer's stream */
#define MAX_HISTORY_BYTES (4u << 20)	 /* of the last records of one instance */
#define MAX_NAME_BYTES 64		 /* a tracer's id, an instance's name */
#define MAX_INSTANCE_HISTORY 100000	 /* last records that an instance may keep */
#define MAX_CLOCKS 65536			 /* runs and boots that one stream of rows is of */
#define MAX_RECORD_FILES 1024		 /* read at a time */
#define MAX_REPLAY_FILES 64		 /* the same, by a daemon for one client */
#define MAX_CONFIG_FILE_BYTES (1u << 20) /* the daemon's own config file */
#define MAX_DUMP_BYTES (128u << 20)	 /* a ring of system calls as text or JSON */
#define MAX_HTTP_REQUEST_BYTES 65536	 /* head or body of a request of HTTP/1.1 */
#define MAX_HTTP_PARAMETERS 64		 /* of a request */
#define MAX_HTTP_CLIENTS 32		 /* that are served at a time; others wait */
#define MAX_DUMPS 256			 /* that triggers of one recorder make, and that are kept */
#define MAX_KUBE_ANSWER_BYTES (32u << 20) /* one answer of a cluster's API server */
#define MAX_KUBE_STATUS_BYTES 65536	 /* what it says of a program's end, and that on stderr */
#define MAX_NODES 8192			 /* agents of a cluster */
#define MAX_KUBE_HOLDERS 262144		 /* pods and services whose addresses are known */
