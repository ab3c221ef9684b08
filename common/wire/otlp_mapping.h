/*
 * otlp_mapping.h - what becomes of OTLP's attributes: labels of the stream, structured metadata of the entry, or nothing, as Loki's
 * `otlp_config` says. The first rule that names an attribute counts; one that none names is metadata.
 *
 * A rule holds names, or a regular expression that must match the whole name (`.` matches a newline too).
 *
 * Ownership  Reference counted; it owns its texts and expressions.
 * Threads    Read-only once it is made.
 * Errors     CW_E_INVALID: an expression in Go's words; CW_E_LIMIT: one that takes too long.
 * Source     Loki's documentation of otlp_config and default_resource_attributes_as_index_labels.
 */
#ifndef CW_WIRE_OTLP_MAPPING_H
#define CW_WIRE_OTLP_MAPPING_H
#include <stdbool.h>
#include "common/base/err.h"
#include "common/base/str.h"

/* Resource attributes that are labels unless somebody says others: Loki's. */
#define CW_OTLP_LABEL_ATTRIBUTES                                                                   \
    "service.name, service.namespace, service.instance.id, deployment.environment, "               \
    "deployment.environment.name, cloud.region, cloud.availability_zone, k8s.cluster.name, "       \
    "k8s.namespace.name, k8s.pod.name, k8s.container.name, container.name, "                       \
    "k8s.replicaset.name, k8s.deployment.name, k8s.statefulset.name, k8s.daemonset.name, "         \
    "k8s.cronjob.name, k8s.job.name"

enum cw_otlp_action { CW_OTLP_METADATA, CW_OTLP_LABEL, CW_OTLP_DROP };
/* Where an attribute stands. */
enum cw_otlp_place { CW_OTLP_RESOURCE, CW_OTLP_SCOPE, CW_OTLP_LOG, CW_OTLP_NPLACES };

struct cw_otlp_rule {
    enum cw_otlp_action action;
    const struct cw_str *names;
    size_t nnames;
    struct cw_str regex; /* empty: none */
};

struct cw_otlp_mapping;
/* No rules, yet: every attribute is metadata. */
struct cw_otlp_mapping *cw_otlp_mapping_new(bool severity_text_is_label);
/* Behind the others of its place. Copies the rule. */
int cw_otlp_mapping_add(struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                        const struct cw_otlp_rule *rule, struct cw_err *err) CW_MUST_USE;
struct cw_otlp_mapping *cw_otlp_mapping_ref(struct cw_otlp_mapping *mapping);
/* NULL is fine. */
void cw_otlp_mapping_unref(struct cw_otlp_mapping **mapping);

/* Both: NULL is Loki's defaults. */
int cw_otlp_mapping_action(const struct cw_otlp_mapping *mapping, enum cw_otlp_place place,
                           struct cw_str name, enum cw_otlp_action *out,
                           struct cw_err *err) CW_MUST_USE;
/* Is a record's severity text a label too (and metadata as ever)? */
bool cw_otlp_mapping_labels_severity(const struct cw_otlp_mapping *mapping);

/* For who checks a configuration: can the expression be one of a rule? */
int cw_otlp_mapping_check_regex(struct cw_str regex, struct cw_err *err) CW_MUST_USE;

#endif
