#include "ingester/otlp_config.h"

#include "common/base/assert.h"

static const char *const action_names[] = {[CW_OTLP_METADATA] = "structured_metadata",
                                           [CW_OTLP_LABEL] = "index_label",
                                           [CW_OTLP_DROP] = "drop",
                                           NULL};

static int check_regex(const void *value, struct cw_err *err)
{
    return cw_otlp_mapping_check_regex(*(const struct cw_str *)value, err);
}

static int check_rule(const void *value, struct cw_err *err)
{
    const struct cw_otlp_attributes_config *rule = value;
    if (rule->attributes.n == 0 && rule->regex.len == 0)
        return cw_err_set(err, CW_E_INVALID, "attributes or regex must be set");
    if (rule->attributes.n > 0 && rule->regex.len > 0)
        return cw_err_set(err, CW_E_INVALID, "only one of attributes or regex must be set");
    return 0;
}

static int check_scope_rule(const void *value, struct cw_err *err)
{
    const struct cw_otlp_attributes_config *rule = value;
    if (rule->action == CW_OTLP_LABEL)
        return cw_err_set(err, CW_E_INVALID,
                          "index_label action is only supported for resource_attributes and "
                          "log_attributes");
    return check_rule(value, err);
}

#define AT(member) offsetof(struct cw_otlp_attributes_config, member)

static const struct cw_key_def rule_keys[] = {
    {"action", CW_KEY_ENUM, AT(action), .def = "structured_metadata", .names = action_names,
     .doc =
         "structured_metadata: of each entry. index_label: a label of the stream (not of scopes' "
         "attributes). drop: nothing."},
    {"attributes", CW_KEY_STRINGS, AT(attributes),
     .doc = "Names of attributes, as they are sent: `k8s.pod.name`. A rule has these or a regex."},
    {"regex", CW_KEY_STRING, AT(regex), .check = check_regex,
     .doc = "Attributes whose whole name matches."},
};
static const struct cw_table_def rule_table = {.name = "attributes_config",
                                               .keys = rule_keys,
                                               .nkeys = CW_COUNT(rule_keys),
                                               .size = sizeof(struct cw_otlp_attributes_config),
                                               .check = check_rule};
static const struct cw_table_def scope_rule_table = {.name = "attributes_config",
                                                     .keys = rule_keys,
                                                     .nkeys = CW_COUNT(rule_keys),
                                                     .size =
                                                         sizeof(struct cw_otlp_attributes_config),
                                                     .check = check_scope_rule};

#undef AT
#define AT(member) offsetof(struct cw_otlp_config, member)

static const struct cw_key_def keys[] = {
    {"resource_attributes.ignore_defaults", CW_KEY_BOOL, AT(resource_attributes.ignore_defaults),
     .def = "false",
     .doc = "Leave distributor.otlp_config.default_resource_attributes_as_index_labels aside: "
            "only what attributes_config says is a label."},
    {"resource_attributes.attributes_config", CW_KEY_TABLES,
     AT(resource_attributes.attributes_config), .table = &rule_table,
     .doc = "Rules for attributes of resources, behind the default one; the first that names an "
            "attribute counts. What none names is structured metadata."},
    {"scope_attributes", CW_KEY_TABLES, AT(scope_attributes), .table = &scope_rule_table,
     .doc = "Rules for attributes of scopes."},
    {"log_attributes", CW_KEY_TABLES, AT(log_attributes), .table = &rule_table,
     .doc = "Rules for attributes of log records. One that is a label parts the records of a "
            "resource into streams."},
    {"severity_text_as_label", CW_KEY_BOOL, AT(severity_text_as_label), .def = "false",
     .doc = "Make a label of each record's severity_text, beside its structured metadata."},
};
const struct cw_table_def cw_otlp_config_table =
    CW_TABLE("otlp_config", keys, struct cw_otlp_config);

/* The configuration was checked when it was loaded, so it holds no other expressions. */
static void add(struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                const struct cw_otlp_rule *rule)
{
    struct cw_err err;
    CW_ASSERT(cw_otlp_mapping_add(mapping, place, rule, &err) == 0);
}

static void add_all(struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                    const struct cw_config_tables *rules)
{
    const struct cw_otlp_attributes_config *items = rules->items;
    for (size_t i = 0; i < rules->n; i++) {
        const struct cw_otlp_rule rule = {(enum cw_otlp_action)items[i].action,
                                          items[i].attributes.items, items[i].attributes.n,
                                          items[i].regex};
        add(mapping, place, &rule);
    }
}

struct cw_otlp_mapping *cw_otlp_config_mapping(const struct cw_otlp_config *config,
                                               const struct cw_config_strings *defaults)
{
    struct cw_otlp_mapping *mapping = cw_otlp_mapping_new(config->severity_text_as_label);
    const struct cw_otlp_rule labels = {CW_OTLP_LABEL, defaults->items, defaults->n, CW_STR_NONE};
    if (!config->resource_attributes.ignore_defaults)
        add(mapping, CW_OTLP_RESOURCE, &labels);
    add_all(mapping, CW_OTLP_RESOURCE, &config->resource_attributes.attributes_config);
    add_all(mapping, CW_OTLP_SCOPE, &config->scope_attributes);
    add_all(mapping, CW_OTLP_LOG, &config->log_attributes);
    return mapping;
}
