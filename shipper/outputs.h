/*
 * outputs.h - what goes where: an output is one configured client for one tenant, with a push client of its own. There is one
 * for each client and what names no tenant; those for tenants that entries name come as they are met.
 *
 *   SERVED ---------> RESTING ------------> gone, its place is free
 *     ^   idle, and others |   all others are as far as it
 *     |   want its place   |
 *     +--------------------+
 *       an entry for it is met
 *
 * There are limits_config.max_outputs at most. At the bound entries of further tenants wait in their files
 * (cordwood_shipper_outputs_full is 1), and outputs that have had nothing to send for a while make room, those first that
 * rested longest. One that comes again goes on as after a restart: at the store's marks.
 *
 * Ownership  Borrows configuration and host. Selectors and labels are its own.
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_OUTPUTS_H
#define CW_SHIPPER_OUTPUTS_H
#include "shipper/push_client.h"

struct cw_outputs;

struct cw_outputs_options {
    const struct cw_shipper_config *config;
    struct cw_push_host *host;
    const struct cw_known_client *clients; /* one for each that is configured; not of a dry run */
    bool dry_run;                          /* one output without a client takes all */
};

/* An output for each client, and for each of the tenants in the positions. */
int cw_outputs_new(const struct cw_outputs_options *options, const struct cw_str *tenants,
                   size_t ntenants, struct cw_outputs **out, struct cw_err *err) CW_MUST_USE;
/* Ask the servers; outputs that come later begin at once. */
void cw_outputs_start(struct cw_outputs *outputs);

enum cw_outputs_served { CW_OUTPUTS_SERVED, CW_OUTPUTS_NEW, CW_OUTPUTS_FULL };
/* An entry for this tenant was met: see to its outputs. NEW: the positions must be on disk before anything of what follows
 * is settled. */
enum cw_outputs_served cw_outputs_serve(struct cw_outputs *outputs, struct cw_str tenant);
/* Send what is due. Whether every server has answered. */
bool cw_outputs_pump(struct cw_outputs *outputs);
/* Make room at the bound; once a second or so. */
void cw_outputs_make_room(struct cw_outputs *outputs);
/* A push is under way. */
bool cw_outputs_sending(const struct cw_outputs *outputs);
/* All that have not given up are idle; *sent_ns: when the last push of all began (monotonic). */
bool cw_outputs_idle(const struct cw_outputs *outputs, int64_t *sent_ns);
/* Entries that servers refused for good since the start. */
uint64_t cw_outputs_refused(const struct cw_outputs *outputs);
/* Of each: cw_push_client_restart(), cw_push_client_release_changed(). */
void cw_outputs_restart(struct cw_outputs *outputs);
void cw_outputs_release_changed(struct cw_outputs *outputs);
/* Abort what is under way. The loop runs once more before _free. */
void cw_outputs_close(struct cw_outputs *outputs);
void cw_outputs_free(struct cw_outputs **outputs);

#endif
