/* SPDX-License-Identifier: MIT */
/* The directory that holds what is left of a run. */
#ifndef TOOLS_NESTBED_OUTDIR_H
#define TOOLS_NESTBED_OUTDIR_H

#include "tools/nestbed/report.h"

/* Where reports go by default: "out" beside this program or in ./build. */
char *outdir_base(void);

/* Opens DIR/serial.log for writing, making DIR; a descriptor or -errno,
 * after a message. */
__must_check int outdir_open_log(const char *dir);

/*
 * Writes all report files of a judged model whose log is DIR/serial.log.
 * 0 or -errno, after a message.
 */
__must_check int outdir_write(const char *dir, const struct run_model *m,
			      const struct run_facts *f);

/* Prints the summary for people on stdout. */
void outdir_summary(const char *dir, const struct run_model *m, const struct run_facts *f);

/* Fills a row from a judged model. */
void row_fill(struct run_row *row, const char *dir, const struct run_model *m,
	      const struct run_facts *f);
void row_free(struct run_row *row);

/* The worst verdict of n rows. */
enum verdict rows_worst(const struct run_row *row, size_t n);

#endif
