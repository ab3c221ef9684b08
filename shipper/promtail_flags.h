/*
 * promtail_flags.h - the flags of promtail's command line that say what keys of its file say: -client.url, -log.level,
 * -server.http-listen-port, ... They win over the file, as in promtail.
 *
 * Ownership  Texts live in the arena of the load.
 * Errors     CW_E_INVALID with the name of the flag.
 */
#ifndef CW_SHIPPER_PROMTAIL_FLAGS_H
#define CW_SHIPPER_PROMTAIL_FLAGS_H
#include "common/config/flags.h"

#define CW_PROMTAIL_VALUES 36
#define CW_PROMTAIL_SWITCHES 9

struct cw_promtail_flags {
    struct cw_str values[CW_PROMTAIL_VALUES]; /* as written; empty: not given */
    struct cw_promtail_switch {
        bool on, given;
    } switches[CW_PROMTAIL_SWITCHES];
    bool read_stdin, print_config, log_config;
};

struct cw_scrape_config;
struct cw_shipper_config;

extern const struct cw_flag_group cw_promtail_flags_group;
/* With which words other flags of promtail's begin. */
extern const char cw_promtail_flags_foreign[];

/* -client.url; empty: not given. */
struct cw_str cw_promtail_flags_url(const struct cw_promtail_flags *flags);
/* Set the keys. Those of `client` are one more client's, which must have a url, of its flag or the file. What has no effect is told
 * on stderr. */
int cw_promtail_flags_apply(const struct cw_promtail_flags *flags, struct cw_arena *arena,
                            struct cw_shipper_config *config, struct cw_err *err) CW_MUST_USE;
/* Those that lines of standard input have: the labels of all static_configs, the last of a name, without those that say what to
 * read. */
struct cw_config_map cw_promtail_flags_static_labels(const struct cw_scrape_config *scrape,
                                                     struct cw_arena *arena);
/* -stdin: the first scrape config alone, with its stages and the labels of its static_configs, reads standard input. Without one, or
 * without labels, there are the labels job="stdin" and hostname. */
void cw_promtail_flags_stdin(struct cw_arena *arena, struct cw_shipper_config *config);

#endif
