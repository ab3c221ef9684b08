/*
 * scrape.h - one scrape config, ready for use: what all targets of its discoveries have in common.
 *
 * Ownership  Borrows its configuration; owns the compiled rules, stages and encoding.
 */
#ifndef CW_SHIPPER_SCRAPE_H
#define CW_SHIPPER_SCRAPE_H
#include "common/base/codec.h"
#include "shipper/pipelines.h"
#include "shipper/relabel.h"
#include "shipper/shipper_config.h"
#include "shipper/text_encoding.h"

struct cw_scrape {
    const struct cw_scrape_config *config;
    struct cw_relabel *relabel;
    struct cw_stages *stages;          /* what its lines go through; NULL: none */
    struct cw_text_encoding *encoding; /* of its files; NULL: as they are */
    enum cw_codec unpack_format;       /* of its compressed files; NONE: as their first bytes say */
    const struct cw_pipelines *pipelines; /* that a container may ask for; borrowed */
    const char *host; /* this machine's name: targets with another __host__ are not read here */
};

/* `stages_host` as of cw_stages_new(): NULL is fine. */
int cw_scrape_init(struct cw_scrape *scrape, const struct cw_scrape_config *config,
                   const struct cw_pipelines *pipelines, struct cw_stages_host *stages_host,
                   struct cw_err *err) CW_MUST_USE;
void cw_scrape_fini(struct cw_scrape *scrape);

#endif
