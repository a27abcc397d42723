# SPDX-License-Identifier: MIT
obj-y += tests/report.o tests/runner.o tests/test.o tests/machine.o tests/parallel.o
obj-y += tests/statistics.o tests/guest_vm.o tests/modules.o tests/bench.o tests/bench_pc.o
obj-y += tests/bench_nested.o
pure-y += tests/defects.o
obj-y += tests/monitor_stage.o tests/monitor_show.o
