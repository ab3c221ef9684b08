/*
 * inspect.h - show stage by stage what becomes of a line: for `--dry-run --inspect` and the command
 * `test`.
 *
 *   line  {"level":"info","msg":"hello"}
 *     json         extracted level="info" msg="hello"
 *     labels       label level="info"
 *     drop         nothing
 *   entry 2026-01-05T10:00:00Z {app="x", level="info"} {"level":"info","msg":"hello"}
 *
 * Ownership  Texts of the line that is under way are copied into an arena of its own.
 */
#ifndef CW_SHIPPER_INSPECT_H
#define CW_SHIPPER_INSPECT_H
#include <stdio.h>
#include "common/pipeline/stages.h"

struct cw_inspect;

struct cw_inspect *cw_inspect_new(FILE *out);
void cw_inspect_free(struct cw_inspect **inspect);
/* Lines of this run are shown from now on. */
void cw_inspect_run(struct cw_inspect *inspect, const struct cw_stages_run *run);
/* A line begins its way. */
void cw_inspect_line(struct cw_inspect *inspect, const struct cw_stage_entry *entry);
/* For cw_stages_run_options: `arg` is the inspect. */
void cw_inspect_trace(void *arg, size_t depth, struct cw_str stage,
                      const struct cw_stage_entry *before, const struct cw_stage_entry *after);
/* Why a stage dropped the entry: ahead of its trace. */
void cw_inspect_dropped(struct cw_inspect *inspect, struct cw_str reason);
/* What came out. */
void cw_inspect_entry(struct cw_inspect *inspect, const struct cw_stage_entry *entry);

#endif
