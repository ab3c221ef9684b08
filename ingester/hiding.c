#include "ingester/hiding.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

static void hiding_destroy(struct cw_hidden_owner *owner)
{
    struct cw_hiding *hiding = CW_CONTAINER_OF(owner, struct cw_hiding, owner);
    cw_retention_policy_unref(&hiding->policy);
    cw_deletes_view_free(&hiding->deletes);
    free(hiding);
}

struct cw_hiding *cw_hiding_new(struct cw_retention_policy *policy, struct cw_deletes *deletes,
                                struct cw_str tenant, enum cw_deletes_which which, int64_t now_ns)
{
    struct cw_deletes_view *view = cw_deletes_view_new(deletes, tenant, which);
    if (view == NULL && policy->n == 0)
        return NULL;
    struct cw_hiding *hiding = cw_mem_new(sizeof(*hiding));
    atomic_init(&hiding->owner.refs, 1);
    hiding->owner.destroy = hiding_destroy;
    hiding->policy = cw_retention_policy_ref(policy);
    hiding->deletes = view;
    hiding->now_ns = now_ns;
    return hiding;
}

void cw_hiding_unref(struct cw_hiding **handle)
{
    struct cw_hidden_owner *owner = *handle != NULL ? &(*handle)->owner : NULL;
    *handle = NULL;
    cw_hidden_owner_unref(&owner);
}

void cw_hiding_rules(const struct cw_hiding *hiding, const struct cw_delete_place *place,
                     const bool *over, struct cw_hiding_rules *out)
{
    size_t ndeletes = cw_deletes_view_count(hiding->deletes), n = 0;
    out->items = cw_mem_array(ndeletes + hiding->policy->n + 2, sizeof(*out->items));
    out->deletes = cw_mem_array(ndeletes + 1, sizeof(*out->deletes));
    for (size_t i = 0; i < ndeletes; i++)
        if (cw_deletes_view_rule(hiding->deletes, i, place, &out->items[n]))
            out->deletes[n++] = i;
    out->n = out->ndeletes = n;
    n += cw_retention_policy_rules(hiding->policy, hiding->now_ns, over, &out->items[n]);
    for (size_t i = out->ndeletes; i < n; i++)
        if (cw_hidden_rule_touches(&out->items[i], place->min_ns, place->max_ns))
            out->items[out->n++] = out->items[i];
}

void cw_hiding_rules_fini(struct cw_hiding_rules *rules)
{
    free(rules->items);
    free(rules->deletes);
    *rules = (struct cw_hiding_rules){0};
}

void cw_hiding_wrap(struct cw_hiding *hiding, const struct cw_delete_place *place,
                    struct cw_source **source)
{
    struct cw_hiding_rules rules;
    cw_hiding_rules(hiding, place, NULL, &rules);
    if (rules.n > 0)
        *source = cw_hidden_source_new(*source, rules.items, rules.n, &hiding->owner);
    cw_hiding_rules_fini(&rules);
}

struct cw_delete_place cw_hiding_place(const struct cw_part_footer *part)
{
    return (struct cw_delete_place){part->info.id, part->info.wal_last, part->min_ns, part->max_ns};
}
