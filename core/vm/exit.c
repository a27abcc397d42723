/* SPDX-License-Identifier: MIT */
#include "core/vm/exit.h"

#include "core/vm/vcpu.h"

const char *exit_reason_name(unsigned int reason)
{
	static const char *const name[] = {
#define X(id, n) [EXIT_##id] = #n,
#include "core/vm/exit_reasons.def"
#undef X
	};

	return reason < ARRAY_SIZE(name) ? name[reason] : "?";
}

const char *stop_reason_name(unsigned int stop)
{
	static const char *const name[] = {
		[STOP_NONE] = "none", [STOP_EXIT] = "exit", [STOP_DONE] = "done",
		[STOP_SHUTDOWN] = "shutdown (triple fault)", [STOP_TIMEOUT] = "timeout",
		[STOP_HLT] = "HLT with nothing to wake it", [STOP_POWEROFF] = "power off",
		[STOP_RESET] = "reset", [STOP_BLOCKED] = "blocked", [STOP_YIELD] = "yield",
		[STOP_PAUSE] = "pause",
		[STOP_ENTRY_FAIL] = "entry failure", [STOP_UNHANDLED] = "unhandled exit",
		[STOP_ERROR] = "error",
	};

	return stop < ARRAY_SIZE(name) ? name[stop] : "?";
}

const char *vreg_name(unsigned int r)
{
	static const char *const name[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		"rip", "rflags", "cr0", "cr2", "cr3", "cr4", "cr8", "efer", "xcr0",
		"dr0", "dr1", "dr2", "dr3", "dr6", "dr7",
		"star", "lstar", "cstar", "sfmask", "kernel_gs_base",
		"sysenter_cs", "sysenter_esp", "sysenter_eip",
		"pat", "tsc_aux", "pkrs", "debugctl", "tsc_offset", "int_shadow", "nmi_blocked",
	};
	STATIC_ASSERT(ARRAY_SIZE(name) == VREG_COUNT, "a name for each register");

	return r < VREG_COUNT ? name[r] : "?";
}

const char *vseg_name(unsigned int s)
{
	static const char *const name[] = {
		"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr", "gdtr", "idtr",
	};
	STATIC_ASSERT(ARRAY_SIZE(name) == VSEG_COUNT, "a name for each segment");

	return s < VSEG_COUNT ? name[s] : "?";
}
