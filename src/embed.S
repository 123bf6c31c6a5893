/* SPDX-License-Identifier: Apache-2.0 */
/* One built-in gadget: its packed object and a row of section ig_gadgets (struct gadget_object). */
	.section .rodata
name:	.asciz NAME
	.balign 16
object:	.incbin OBJECT
object_end:
	.section ig_gadgets, "awR"
	.balign 8
	.quad name, object, object_end - object
	.section .note.GNU-stack, "", %progbits
