/*
 * push_target.h - where a client pushes to and asks: URLs, headers and credentials of its
 * configuration.
 *
 * Ownership  The target owns its texts; a call borrows them until the next one is made.
 */
#ifndef CW_SHIPPER_PUSH_TARGET_H
#define CW_SHIPPER_PUSH_TARGET_H
#include "common/net/http_client.h"
#include "shipper/shipper_config.h"

struct cw_push_target {
    const struct cw_client_config *config; /* borrowed */
    char *name;                            /* for log lines and metrics */
    char *push_url, *ask_url;
    char **push_headers, **ask_headers; /* ended by NULL */
    char *user, *bearer;                /* NULL or what the files say now */
};

enum cw_push_target_kind { CW_PUSH_TARGET_PUSH, CW_PUSH_TARGET_ASK };

/* `tenant` empty: the configuration's, if it has one. */
void cw_push_target_init(struct cw_push_target *target, const struct cw_client_config *config,
                         struct cw_str tenant, size_t output);
void cw_push_target_fini(struct cw_push_target *target);
/* A POST of `body`. Files with passwords and tokens are read again: they may have changed. */
struct cw_http_call cw_push_target_call(struct cw_push_target *target,
                                        enum cw_push_target_kind kind, struct cw_str body);

#endif
