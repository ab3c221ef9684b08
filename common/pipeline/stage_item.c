/* The part of stage_priv.h that reads and changes an entry on its way. */
#include "common/base/assert.h"
#include "common/pipeline/stage_priv.h"

/* ---- extracted values ---- */

static bool find_label(const struct cw_label *labels, size_t n, struct cw_str name,
                       struct cw_str *out)
{
    for (size_t i = 0; i < n; i++) {
        if (cw_str_eq(labels[i].name, name)) {
            *out = labels[i].value;
            return true;
        }
    }
    return false;
}

struct cw_extracted cw_stage_get(const struct cw_stages_run *run, const struct cw_stage_item *item,
                                 uint32_t slot)
{
    struct cw_extracted value = item->slots[slot];
    if (value.kind == CW_EXTRACTED_UNSET &&
        find_label(item->fed, item->nfed, run->stages->slot_names[slot], &value.text))
        value.kind = CW_EXTRACTED_TEXT;
    if (value.kind == CW_EXTRACTED_GONE)
        value.kind = CW_EXTRACTED_UNSET;
    return value;
}

bool cw_stage_text(const struct cw_stages_run *run, const struct cw_stage_item *item, uint32_t slot,
                   struct cw_str *out)
{
    if (slot == CW_SLOT_LINE) {
        *out = item->entry.line;
        return true;
    }
    struct cw_extracted value = cw_stage_get(run, item, slot);
    *out = value.text;
    return value.kind >= CW_EXTRACTED_TEXT;
}

void cw_stage_set_named(struct cw_stages_run *run, struct cw_stage_item *item, struct cw_str name,
                        enum cw_extracted_kind kind, struct cw_str text)
{
    const struct cw_stages *stages = run->stages;
    struct cw_extracted value = {kind, text};
    for (size_t i = 0; i < stages->nslots; i++) {
        if (cw_str_eq(stages->slot_names[i], name)) {
            item->slots[i] = value;
            return;
        }
    }
    if (!stages->keeps_others)
        return;
    /* First, as a list that is shared with a kept entry is copied by it. */
    item->others = cw_arena_grow(run->options.arena, item->others, item->nothers, &item->others_cap,
                                 item->nothers + 1, sizeof *item->others);
    for (size_t i = 0; i < item->nothers; i++) {
        if (cw_str_eq(item->others[i].name, name)) {
            item->others[i].value = value;
            return;
        }
    }
    item->others[item->nothers++] = (struct cw_extracted_other){name, value};
}

bool cw_stage_has_named(const struct cw_stages_run *run, const struct cw_stage_item *item,
                        struct cw_str name)
{
    const struct cw_stages *stages = run->stages;
    struct cw_str text;
    for (size_t i = 0; i < stages->nslots; i++)
        if (cw_str_eq(stages->slot_names[i], name))
            return cw_stage_get(run, item, (uint32_t)i).kind != CW_EXTRACTED_UNSET;
    for (size_t i = 0; i < item->nothers; i++)
        if (cw_str_eq(item->others[i].name, name))
            return true;
    return find_label(item->fed, item->nfed, name, &text);
}

bool cw_stages_extracted(const struct cw_stages_run *run, const struct cw_stage_entry *entry,
                         size_t i, struct cw_str *name, struct cw_str *value)
{
    const struct cw_stage_item *item = CW_CONTAINER_OF(entry, const struct cw_stage_item, entry);
    const struct cw_stages *stages = run->stages;
    struct cw_extracted found = {CW_EXTRACTED_UNSET, CW_STR_NONE};
    for (size_t slot = 0; slot < stages->nslots; slot++) {
        if (item->slots[slot].kind < CW_EXTRACTED_NULL || i-- > 0)
            continue;
        *name = stages->slot_names[slot];
        found = item->slots[slot];
        break;
    }
    if (found.kind == CW_EXTRACTED_UNSET) {
        if (i >= item->nothers)
            return false;
        *name = item->others[i].name;
        found = item->others[i].value;
    }
    *value = found.kind == CW_EXTRACTED_NULL ? CW_STR_NONE : found.text;
    if (found.kind != CW_EXTRACTED_NULL && value->ptr == NULL)
        *value = CW_STR("");
    return true;
}

/* ---- labels and metadata: sets that are copied before they are changed ---- */

struct set {
    const struct cw_label **items;
    size_t *n, *cap;
};

static size_t place_of(const struct set *set, struct cw_str name, bool *found)
{
    size_t at = 0;
    int order = -1;
    while (at < *set->n && (order = cw_str_cmp((*set->items)[at].name, name)) < 0)
        at++;
    *found = at < *set->n && order == 0;
    return at;
}

/* Room for one more, in memory of its own. */
static struct cw_label *own(struct cw_stages_run *run, const struct set *set)
{
    enum { ROOM = 4 };
    if (*set->n < *set->cap)
        return (struct cw_label *)*set->items;
    size_t cap = *set->n + ROOM;
    struct cw_label *copy = cw_arena_alloc(run->options.arena, cap * sizeof *copy);
    if (*set->n > 0)
        memcpy(copy, *set->items, *set->n * sizeof *copy);
    *set->cap = cap;
    *set->items = copy;
    return copy;
}

/* True: the set is another one now. */
static bool set_pair(struct cw_stages_run *run, const struct set *set, struct cw_str name,
                     struct cw_str value)
{
    bool found;
    size_t at = place_of(set, name, &found);
    if (found ? cw_str_eq((*set->items)[at].value, value) : value.len == 0)
        return false;
    if (value.len > 0 && !cw_utf8_valid(value))
        return false;
    struct cw_label *items = own(run, set);
    size_t behind = *set->n - at;
    if (value.len == 0) {
        memmove(items + at, items + at + 1, (behind - 1) * sizeof *items);
        --*set->n;
        return true;
    }
    if (!found) {
        memmove(items + at + 1, items + at, behind * sizeof *items);
        ++*set->n;
    }
    items[at] = (struct cw_label){name, value};
    return true;
}

void cw_stage_set_label(struct cw_stages_run *run, struct cw_stage_item *item, struct cw_str name,
                        struct cw_str value)
{
    struct set set = {&item->entry.labels, &item->entry.nlabels, &item->labels_cap};
    item->entry.labels_changed |= set_pair(run, &set, name, value);
}

void cw_stage_set_metadata(struct cw_stages_run *run, struct cw_stage_item *item,
                           struct cw_str name, struct cw_str value)
{
    struct set set = {&item->entry.metadata, &item->entry.nmetadata, &item->metadata_cap};
    set_pair(run, &set, name, value);
}

bool cw_stage_label(const struct cw_stage_item *item, struct cw_str name, struct cw_str *out)
{
    return find_label(item->entry.labels, item->entry.nlabels, name, out);
}
