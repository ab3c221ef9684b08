/*
 * scrape.h - one scrape config, ready for use: what all targets of its discoveries have in common.
 *
 * Ownership  Borrows its configuration; owns the compiled rules.
 */
#ifndef CW_SHIPPER_SCRAPE_H
#define CW_SHIPPER_SCRAPE_H
#include "shipper/relabel.h"
#include "shipper/shipper_config.h"

struct cw_stages;

struct cw_scrape {
    const struct cw_scrape_config *config;
    struct cw_relabel *relabel;
    struct cw_stages *stages; /* what its lines go through; borrowed, NULL: none */
    /* The stages of the pipeline that a container asks for by name. False: there is none of that name. NULL: of none. */
    bool (*pipeline)(void *arg, struct cw_str name, struct cw_stages **out);
    void *pipeline_arg;
    const char *host; /* this machine's name: targets with another __host__ are not read here */
};

/* Without stages and pipelines. */
int cw_scrape_init(struct cw_scrape *scrape, const struct cw_scrape_config *config,
                   struct cw_err *err) CW_MUST_USE;
void cw_scrape_fini(struct cw_scrape *scrape);

#endif
