/*
 * otlp_config.h - limits_config.otlp_config: what becomes of the attributes of OTLP's logs, in Loki's keys.
 *
 * Ownership  The structs live in the config's arena; a mapping is the caller's.
 * Errors     CW_E_INVALID in Loki's words; the loader puts the place in front.
 */
#ifndef CW_INGESTER_OTLP_CONFIG_H
#define CW_INGESTER_OTLP_CONFIG_H
#include "common/config/schema.h"
#include "common/wire/otlp_mapping.h"

/* A rule, of attributes or of a regex. */
struct cw_otlp_attributes_config {
    int action; /* enum cw_otlp_action */
    struct cw_config_strings attributes;
    struct cw_str regex;
};

/* The lists are of struct cw_otlp_attributes_config. */
struct cw_otlp_config {
    struct {
        bool ignore_defaults;
        struct cw_config_tables attributes_config;
    } resource_attributes;
    struct cw_config_tables scope_attributes, log_attributes;
    bool severity_text_as_label;
};

extern const struct cw_table_def cw_otlp_config_table;

/* `defaults`: distributor.otlp_config.default_resource_attributes_as_index_labels. */
struct cw_otlp_mapping *cw_otlp_config_mapping(const struct cw_otlp_config *config,
                                               const struct cw_config_strings *defaults);

#endif
