/*
 * dry_run.h - an output that prints entries to stdout, as promtail's -dry-run does, instead of
 * pushing them:
 *
 *   TIME <tab> {labels, external ones too} <tab> line
 *   TIME <tab> {labels} <tab> metadata {trace="7"} tenant="x" to a, b <tab> line
 *
 * What there is not is left out; "to" tells the clients where that is not all of them always. Clients that give other labels or
 * another tenant have rows of their own; what none takes is "to nobody".
 */
#ifndef CW_SHIPPER_DRY_RUN_H
#define CW_SHIPPER_DRY_RUN_H
#include <stdbool.h>
#include "shipper/shipper_config.h"
#include "shipper/sources.h"

struct cw_dry_run;

/* Borrows the configuration, which was checked. With `inspect` what each stage does is printed too. */
struct cw_dry_run *cw_dry_run_new(const struct cw_shipper_config *config, bool inspect);
void cw_dry_run_free(struct cw_dry_run **dry_run);
/* Print a batch of output 0; true when there may be more. */
bool cw_dry_run_pump(struct cw_dry_run *dry_run, struct cw_sources *sources);
/* What redact stages (NULL: none) found, rule by rule, to stderr. */
void cw_dry_run_findings(const struct cw_stages *stages, struct cw_str job);

#endif
