/* SPDX-License-Identifier: Apache-2.0 */
/* The manifests of deploy/kubernetes/base (cmd/manifests.h). */
	.section .rodata
	.globl cluster_manifests
cluster_manifests:
	.incbin TEXT
	.byte 0
	.section .note.GNU-stack, "", %progbits
