/* SPDX-License-Identifier: MIT */
/*
 * The neutral exit record: a vendor decodes a raw exit once into it
 * (svm/exit.c, vmx/exit.c); nobody else reads exit qualifications.
 */
#ifndef CORE_VM_EXIT_H
#define CORE_VM_EXIT_H

#include "core/vm/event.h"

enum exit_reason {
#define X(id, name) EXIT_##id,
#include "core/vm/exit_reasons.def"
#undef X
	EXIT_REASON_COUNT
};
STATIC_ASSERT(EXIT_REASON_COUNT <= 64, "vm.stop_mask has 64 bits");

enum cr_access { CR_MOV, CR_CLTS, CR_LMSW, CR_SMSW };
enum entry_fail_stage {
	ENTRY_FAIL_INSN,	/* VMLAUNCH/VMRESUME failed: VM-instruction error */
	ENTRY_FAIL_GUEST,	/* guest state (VMX exit 33), SVM VMEXIT_INVALID */
	ENTRY_FAIL_MSR_LOAD,	/* VMX exit 34 */
	ENTRY_FAIL_MCE,		/* VMX exit 41 */
};
enum virt_insn {
	VI_VMRUN, VI_VMLOAD, VI_VMSAVE, VI_STGI, VI_CLGI, VI_SKINIT, VI_INVLPGA,
	VI_VMCLEAR, VI_VMLAUNCH, VI_VMPTRLD, VI_VMPTRST, VI_VMREAD, VI_VMRESUME,
	VI_VMWRITE, VI_VMXOFF, VI_VMXON, VI_INVEPT, VI_INVVPID, VI_GETSEC,
};

struct exit_io {
	u16 port;
	u8 size;		/* 1, 2, 4 */
	bool in;
	bool string, rep;
	u8 seg;			/* enum vseg of OUTS' source; INS: ES */
	u8 addr_size;		/* 2, 4, 8; 0 if the CPU does not say */
};

struct exit_cr {
	u8 num, gpr;		/* gpr: ModRM number */
	bool write;
	u8 kind;		/* enum cr_access */
	u16 lmsw;
};

struct exit_npf {
	u64 gpa;
	u64 gla;		/* valid with gla_valid (VMX) */
	bool gla_valid;
	bool read, write, exec;	/* the access */
	bool present;		/* the translation existed: a permission fault */
	bool table_walk;	/* hit while walking the guest's own tables */
	bool rsvd;		/* reserved bit set in our tables (SVM) */
};

struct exit_task {
	u16 selector;
	u8 source;		/* 0 CALL, 1 IRET, 2 JMP, 3 task gate (SDM3 28.2.1) */
	bool has_error;
	u32 error;
};

struct exit_entry_fail {
	u8 stage;		/* enum entry_fail_stage */
	u32 error;		/* VM-instruction error number */
	u64 qualification;
};

struct vm_exit {
	u16 reason;		/* enum exit_reason */
	u8 insn_len;		/* 0: the CPU did not say */
	u64 code;		/* raw: EXITCODE or the VMX exit reason field */
	u64 info1, info2;	/* raw: EXITINFO1/2, or qualification and guest linear address */
	struct event idt;	/* event whose delivery was interrupted; type NONE if none */
	union {
		struct event exc;
		struct exit_io io;
		struct { u32 index; bool write; } msr;
		struct exit_cr cr;	/* also DR */
		struct exit_npf npf;
		struct exit_task task;
		struct exit_entry_fail fail;
		struct { u8 insn; } virt;	/* enum virt_insn */
		struct { u64 linear; } invlpg;
		struct { u8 vector; } sipi;
	};
};

/* "cpuid", "npf", ...; "?" out of range. */
const char *exit_reason_name(unsigned int reason);

#endif
