/* SPDX-License-Identifier: MIT */
/* What the processor's SVM offers: CPUID 8000_000A, decoded once.  Pure. */
#ifndef SVM_CAPS_H
#define SVM_CAPS_H

#include "core/lib/base.h"

struct cpuid_regs;
struct cpu_caps;

/* CPUID 8000_000A EDX (APM3 E.4.9). */
#define SVM_FEATURES(X)			\
	X(np, 0, "npt")			\
	X(lbr_virt, 1, "lbrv")		\
	X(svml, 2, "svm_lock")		\
	X(nrips, 3, "nrip_save")	\
	X(tsc_rate_msr, 4, "tsc_scale")	\
	X(vmcb_clean, 5, "vmcb_clean")	\
	X(flush_by_asid, 6, "flushbyasid") \
	X(decode_assists, 7, "decodeassists") \
	X(pause_filter, 10, "pausefilter") \
	X(pause_filter_threshold, 12, "pfthreshold") \
	X(avic, 13, "avic")		\
	X(vmsave_virt, 15, "v_vmsave_vmload") \
	X(vgif, 16, "vgif")		\
	X(gmet, 17, "gmet")		\
	X(x2avic, 18, "x2avic")		\
	X(sss_check, 19, "sss_check")	\
	X(spec_ctrl, 20, "v_spec_ctrl")	\
	X(rogpt, 21, "rogpt")		\
	X(host_mce_override, 23, "host_mce_override") \
	X(tlbi_ctl, 24, "tlbi_ctl")	\
	X(vnmi, 25, "vnmi")		\
	X(ibs_virt, 26, "ibs_virt")	\
	X(svme_addr_chk, 28, "svme_addr_chk")

struct svm_caps {
	u8 revision;
	u32 nasid;		/* ASIDs 0..nasid-1 */
#define X(name, bit, text)	bool name;
	SVM_FEATURES(X)
#undef X
	u8 maxphyaddr;
	u64 cr4_valid;		/* CR4 bits that this CPU defines (all features) */
	u64 efer_valid;
};

/* Fills *out; all false when the CPU has no SVM. */
void svm_caps_decode(const struct cpu_caps *c, struct svm_caps *out);

/* "npt nrip_save ...", cut at size. */
void svm_caps_names(const struct svm_caps *c, char *buf, size_t size);

#endif
