# SPDX-License-Identifier: MIT
# The host tool.  What is pure in it (reader of the serial line, model,
# report writers) is also built with sanitizers, for unit tests and fuzzing.

TOOL_PURE := text serial_parse model verdict report_text report_json report_junit report_html \
	report_css report_hist stats_model stats_reader stats_set stats_show stats_json stats_csv \
	stats_prom stats_top stats_files stats_filter talk blob
TOOL_MAIN := files launch progress typing capture machines qemu bochs media outdir line args \
	stats_live stats_mount stats_screen cmd_run cmd_attach cmd_report cmd_stats main
# Pure parts of files that also do input and output are tested with these.
TOOL_TESTED := files launch progress media args line typing

TOOL_SRCS := $(TOOL_PURE:%=tools/nestbed/%) $(TOOL_MAIN:%=tools/nestbed/%) core/lib/crc32 core/lib/base64 core/vm/container
TOOL_OBJS := $(TOOL_SRCS:%=$(O)/tools/%.o)
TOOL_LIB := $(TOOL_PURE:%=tools/nestbed/%.o) $(TOOL_TESTED:%=tools/nestbed/%.o)
# The file system and the screen; looked up only where they are used.
TOOL_UI_CFLAGS = $(shell pkg-config --cflags fuse3)
TOOL_UI_LIBS = $(shell pkg-config --libs fuse3 ncursesw)
TOOL_CFLAGS = -std=gnu11 -O2 -g $(WARN) -I. -D_GNU_SOURCE

$(O)/tools/%.o: %.c Makefile tools/dir.mk
	$(call say,TOOLCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(TOOL_CFLAGS) -MMD -MP -c $< -o $@

$(O)/tools/tools/nestbed/stats_mount.o: TOOL_CFLAGS += $(TOOL_UI_CFLAGS)

# It makes ISOs of its own: the script lies beside it.
$(O)/nestbed: $(TOOL_OBJS) $(O)/mkiso.sh
	$(call say,TOOLLD,$@)
	$(Q)$(HOSTCC) $(TOOL_OBJS) -lcjson $(TOOL_UI_LIBS) -lpthread -lm -o $@

$(O)/mkiso.sh: tools/mkiso.sh
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(O)/host/tools/nestbed/%.o $(O)/fuzz/tools/nestbed/%.o: HOST_CFLAGS += -D_GNU_SOURCE

$(O)/host/libtool.a: $(TOOL_LIB:%=$(O)/host/%)
	$(Q)rm -f $@; ar rcs $@ $^

$(O)/fuzz/libtool.a: $(TOOL_LIB:%=$(O)/fuzz/%)
	$(Q)rm -f $@; ar rcs $@ $^

TOOL_TESTS := test_talk test_tool_blob test_tool_text test_serial_parse test_model test_verdict test_report test_tool \
	test_stats_model test_stats_reader test_stats_write test_stats_files
TOOL_LIBS = $(O)/$(1)/libtool.a $(O)/$(1)/libpure.a -lcjson -lxml2 -lm
$(TOOL_TESTS:%=$(O)/host/tests/unit/%): $(O)/host/libtool.a
$(foreach t,$(TOOL_TESTS),$(eval UNIT_LIBS_$(t) := $(call TOOL_LIBS,host)))
TOOL_FUZZ := fuzz_serial fuzz_stats_dump fuzz_blob
$(TOOL_FUZZ:%=$(O)/fuzz/tests/fuzz/%): $(O)/fuzz/libtool.a
$(foreach t,$(TOOL_FUZZ),$(eval FUZZ_LIBS_$(t) := $(call TOOL_LIBS,fuzz)))
# What the reports contain is read back by a library that is not ours.
$(O)/host/tests/unit/test_report.o $(TOOL_FUZZ:%=$(O)/fuzz/tests/fuzz/%.o): \
	HOST_CFLAGS += -isystem /usr/include/libxml2

-include $(TOOL_OBJS:.o=.d) $(TOOL_LIB:%.o=$(O)/host/%.d) $(TOOL_LIB:%.o=$(O)/fuzz/%.d)
