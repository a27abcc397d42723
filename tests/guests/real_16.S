/* SPDX-License-Identifier: MIT */
/*
 * Real-mode half of payload "real": runs at CS = 0 below 64 KiB with DS = ES =
 * SS = 0 (rt/real.S).  Each check notes its name and 0 or what was wrong.
 */
#define SCRATCH	0x7000		/* segment of 4 KiB to play with: 0x70000 */

	.section .low, "awx"
	.code16

/* CHECK name: the value in AX must be 0. */
.macro CHECK name
	.pushsection .low_strings, "aw"
9:	.asciz	"\name"
	.popsection
	pushw	%bx
	movw	real_row_count, %bx
	shlw	$2, %bx
	movw	$9b, real_rows(%bx)
	movw	%ax, real_rows + 2(%bx)
	incw	real_row_count
	popw	%bx
.endm

/* CHECK_EQ name, value: AX must be value. */
.macro CHECK_EQ name, value
	subw	$\value, %ax
	CHECK	"\name"
.endm

.macro VECTOR n, handler
	movw	$\handler, \n * 4
	movw	$0, \n * 4 + 2
.endm

	.globl real_main
real_main:
	pushal
	pushw	%ds
	pushw	%es
	xorw	%ax, %ax
	movw	%ax, %ds
	/* An unexpected exception must not run wild: it ends the guest. */
	movw	$32, %cx
	xorw	%di, %di
1:	movw	$unexpected, (%di)
	movw	$0, 2(%di)
	addw	$4, %di
	loop	1b
	call	check_interrupts
	call	check_faults
	call	check_far
	call	check_segments
	call	check_strings
	call	check_exits
	call	check_stack
	popw	%es
	popw	%ds
	popal
	retl

unexpected:
	movb	$1, %al
	outb	%al, $0xf4
	hlt

/* ---- software interrupts ---- */
int_count: .word 0
int_ip:	.word 0
int_flags: .word 0

on_int:
	incw	%cs:int_count
	pushw	%bp
	movw	%sp, %bp
	pushw	%ax
	movw	2(%bp), %ax
	movw	%ax, %cs:int_ip
	pushfw
	popw	%ax
	movw	%ax, %cs:int_flags
	popw	%ax
	popw	%bp
	iretw

check_interrupts:
	VECTOR	0x40, on_int
	VECTOR	3, on_int
	VECTOR	4, on_int
	movw	$0, int_count
	int	$0x40
1:	movw	int_ip, %ax
	subw	$1b, %ax
	CHECK	"INT 40h returns behind itself"
	movw	int_count, %ax
	CHECK_EQ "INT 40h ran once", 1
	int3
1:	movw	int_ip, %ax
	subw	$1b, %ax
	CHECK	"INT3"
	movb	$0x7f, %al
	addb	$1, %al
	into
1:	movw	int_ip, %ax
	subw	$1b, %ax
	CHECK	"INTO with OF"
	xorw	%ax, %ax
	into
	movw	int_count, %ax
	CHECK_EQ "INTO without OF", 3
	/* IF and TF are clear in the handler, IRET brings IF back. */
	pushfw
	popw	%ax
	orw	$0x200, %ax
	pushw	%ax
	popfw
	int	$0x40
	pushfw
	popw	%ax
	cli
	andw	$0x200, %ax
	CHECK_EQ "IRET restores IF", 0x200
	movw	int_flags, %ax
	andw	$0x300, %ax
	CHECK	"IF and TF are clear in the handler"
	/* IRET to other flags. */
	pushw	$0x0ad7
	pushw	$0
	pushw	$1f
	iretw
1:	pushfw
	popw	%ax
	cli
	andw	$0x08d5, %ax
	CHECK_EQ "IRET loads flags", 0x8d5
	ret

/* ---- exceptions: no error codes, IP of the instruction ---- */
fault_vec: .word 0
fault_ip: .word 0
fault_to: .word 0

.macro FAULT_STUB n
on_fault_\n:
	movw	$\n, %cs:fault_vec
	jmp	fault_common
.endm
FAULT_STUB 0
FAULT_STUB 5
FAULT_STUB 6
FAULT_STUB 7
FAULT_STUB 13

fault_common:
	pushw	%bp
	movw	%sp, %bp
	pushw	%ax
	movw	2(%bp), %ax
	movw	%ax, %cs:fault_ip
	movw	%cs:fault_to, %ax
	movw	%ax, 2(%bp)
	popw	%ax
	popw	%bp
	iretw

/* FAULT name, vector, instruction */
.macro FAULT name, n, insn:vararg
	movw	$8f, fault_to
	movw	$0xffff, fault_vec
7:	\insn
8:	movw	fault_ip, %ax
	subw	$7b, %ax
	pushw	%ax
	movw	fault_vec, %ax
	CHECK_EQ "\name", \n
	popw	%ax
	CHECK	"\name: IP"
.endm

bounds:	.word	10, 20

check_faults:
	VECTOR	0, on_fault_0
	VECTOR	5, on_fault_5
	VECTOR	6, on_fault_6
	VECTOR	7, on_fault_7
	xorw	%bx, %bx
	movw	$5, %ax
	FAULT	"#DE", 0, divb %bl
	movw	$30, %ax
	FAULT	"#BR", 5, boundw %ax, bounds
	FAULT	"#UD", 6, ud2
	/* ARPL, SLDT, LTR are not recognised in real mode. */
	FAULT	"SLDT is #UD", 6, sldtw %ax
	movl	%cr0, %eax
	pushl	%eax
	orb	$4, %al
	movl	%eax, %cr0
	FAULT	"#NM with EM", 7, fld1
	popl	%eax
	movl	%eax, %cr0
	VECTOR	6, unexpected
	ret

/* ---- far control transfer ---- */
far_ptr: .word	1f, 0
far_cs:	.word	0

far_target:
	movw	%cs, far_cs
	lretw

check_far:
	lcallw	$0, $far_target
	movw	far_cs, %ax
	CHECK	"far CALL"
	/* The same place through another segment. */
	movw	$far_target - 0x100, %bx
	pushw	%cs
	pushw	$2f
	pushw	$0x10
	pushw	%bx
	lretw
2:	movw	far_cs, %ax
	CHECK_EQ "far RET to segment 10h", 0x10
	movw	$far_ptr, %bx
	ljmpw	*(%bx)
1:	movw	%cs, %ax
	CHECK	"far JMP through memory"
	movw	$0, %ax
	ljmpl	$0, $3f
3:	CHECK	"far JMP with a 32-bit offset"
	ret

/* ---- segments ---- */
check_segments:
	movw	$SCRATCH, %ax
	movw	%ax, %es
	movw	$0x1234, %es:0x10
	movw	$SCRATCH + 1, %ax
	movw	%ax, %fs
	movw	%fs:0, %ax
	CHECK_EQ "segments overlap every 16 bytes", 0x1234
	movw	$0xffff, %ax
	movw	%ax, %gs
	movw	%gs, %ax
	CHECK_EQ "any selector can be loaded", 0xffff
	movl	$0x12345678, %es:0x20
	lesw	%es:0x20, %bx
	movw	%es, %ax
	CHECK_EQ "LES loads the segment", 0x1234
	movw	%bx, %ax
	CHECK_EQ "and the offset", 0x5678
	/* What CPUID does to segments: nothing. */
	movw	$0x4321, %ax
	movw	%ax, %fs
	xorl	%eax, %eax
	pushl	%ebx
	cpuid
	popl	%ebx
	movw	%fs, %ax
	CHECK_EQ "FS survives CPUID", 0x4321
	movw	%gs, %ax
	CHECK_EQ "GS survives CPUID", 0xffff
	/* #GP beyond 64 KiB; no limit checks in QEMU's TCG: see real.c. */
	xorw	%ax, %ax
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	ret

/* ---- strings ---- */
check_strings:
	movw	$SCRATCH, %ax
	movw	%ax, %es
	movw	$0x100, %di
	movw	$64, %cx
	movb	$0x5a, %al
	cld
	rep stosb
	movw	%di, %ax
	CHECK_EQ "REP STOSB moves DI", 0x140
	movw	%cx, %ax
	CHECK	"and counts CX down"
	movw	%es:0x13e, %ax
	CHECK_EQ "and fills", 0x5a5a
	pushw	%ds
	movw	$SCRATCH, %ax
	movw	%ax, %ds
	movw	$0x13f, %si
	movw	$0x23f, %di
	movw	$64, %cx
	std
	rep movsb
	cld
	popw	%ds
	movw	%di, %ax
	CHECK_EQ "REP MOVSB downwards", 0x1ff
	/* SI and DI wrap at 64 KiB. */
	movw	$0xfffe, %di
	movw	$4, %cx
	movb	$0x77, %al
	rep stosb
	movw	%di, %ax
	CHECK_EQ "DI wraps at 64 KiB", 2
	movw	%es:0, %ax
	CHECK_EQ "and so does the data", 0x7777
	xorw	%ax, %ax
	movw	%ax, %es
	ret

/* ---- instructions that exit ---- */
check_exits:
	movl	$0xaabbccdd, %eax
	outb	%al, $0x80
	inb	$0x80, %al
	shrl	$8, %eax
	subl	$0xaabbcc, %eax
	CHECK	"IN AL keeps the rest of EAX"
	/* REP OUTSB and INSB with 16-bit registers. */
	movw	$bounds, %si
	movw	$3, %cx
	movw	$0x80, %dx
	rep outsb
	movw	%si, %ax
	subw	$bounds, %ax
	CHECK_EQ "REP OUTSB moves SI", 3
	movw	$SCRATCH, %ax
	movw	%ax, %es
	movl	$0x00050300, %edi
	movl	$0x00070004, %ecx
	rep insb
	movl	%edi, %eax
	subl	$0x00050304, %eax
	CHECK	"REP INSB moves DI only"
	movl	%ecx, %eax
	subl	$0x00070000, %eax
	CHECK	"and CX only"
	movl	$0x277, %ecx
	rdmsr
	wrmsr
	movw	$0, %ax
	CHECK	"RDMSR and WRMSR"
	movl	%cr0, %eax
	movl	%eax, %cr0
	movl	%cr3, %eax
	movl	%eax, %cr3
	smsw	%ax
	andw	$1, %ax
	CHECK	"CR0.PE is clear"
	movl	$0x44332211, %eax
	movl	%eax, %dr0
	pushl	%ebx
	cpuid
	popl	%ebx
	movl	%dr0, %eax
	subl	$0x44332211, %eax
	CHECK	"DR0 survives CPUID"
	xorw	%ax, %ax
	movw	%ax, %es
	wbinvd
	pause
	/* Hypercalls where somebody answers. */
	cmpl	$1, real_vendor
	jne	1f
	vmmcall
1:	cmpl	$2, real_vendor
	jne	2f
	vmcall
2:	xorw	%ax, %ax
	CHECK	"hypercall"
	ret

/* ---- stack ---- */
check_stack:
	movw	%sp, %bp
	movw	%ss, %cx
	movw	$SCRATCH, %ax
	movw	%ax, %ss
	movw	$2, %sp
	pushw	$0x1357
	pushw	$0x2468
	movw	%sp, %bx
	popw	%dx
	popw	%si
	movw	%cx, %ss
	movw	%bp, %sp
	movw	%bx, %ax
	CHECK_EQ "SP wraps to FFFEh", 0xfffe
	movw	%dx, %ax
	CHECK_EQ "data at FFFEh", 0x2468
	movw	%si, %ax
	CHECK_EQ "data at 0", 0x1357
	pushl	$0x11223344
	popw	%ax
	popw	%bx
	CHECK_EQ "32-bit push", 0x3344
	ret

	.balign 4
	.globl real_rows, real_row_count, real_vendor
real_vendor: .long 0
real_row_count: .word 0
	.balign 4
real_rows:
	.skip	4 * 80
	.section .note.GNU-stack, "", @progbits
