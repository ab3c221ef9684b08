#include "querier/engine/gather_set.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/match/match_stop.h"
#include "common/match/stop_sort.h"

/* An item is one block: itself, the values that it is sorted by, the texts of its entry. */
enum {
    TAKE_BYTES = 64 << 10, /* taken from the allowance at once */
    SLOTS_MIN = 64,
    ITEM_BYTES = sizeof(struct cw_gathered) +
                 6 * sizeof(void *), /* its places in both arrays, which double */
};

/* A slot whose entry was pushed out: the search goes on behind it. */
static struct cw_gathered gone;

void cw_gather_set_init(struct cw_gather_set *set, const struct cw_gather_rules *rules,
                        struct cw_allowance *allowance)
{
    *set = (struct cw_gather_set){.rules = rules, .allowance = allowance};
}

static size_t nvalues(const struct cw_gather_set *set, const struct cw_gathered *item)
{
    return item->key.values != NULL ? set->rules->sort->nkeys : 0;
}

static size_t item_bytes(const struct cw_gather_set *set, const struct cw_gathered *item)
{
    return ITEM_BYTES + cw_log_entry_bytes(&item->entry) +
           cw_sort_values_bytes(item->key.values, nvalues(set, item));
}

static struct cw_gathered *item_new(const struct cw_gather_set *set, const struct cw_gathered *from)
{
    size_t n = nvalues(set, from);
    struct cw_log_entry entry =
        cw_log_entry_copy(&from->entry, sizeof *from + cw_sort_values_bytes(from->key.values, n));
    struct cw_gathered *item = entry.block;
    *item = *from;
    item->entry = entry;
    if (n > 0)
        item->key.values = cw_sort_values_copy_into(item + 1, from->key.values, n);
    return item;
}

static void item_free(struct cw_gathered *item)
{
    cw_log_entry_fini(&item->entry);
}

void cw_gather_set_fini(struct cw_gather_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        item_free(set->items[i]);
    free(set->items);
    free(set->slots);
    cw_allowance_give(set->allowance, set->taken);
    *set = (struct cw_gather_set){.rules = set->rules, .allowance = set->allowance};
}

/* ---- orders ---- */

static int compare(const struct cw_gather_rules *rules, bool sorted, const struct cw_gathered *a,
                   const struct cw_gathered *b)
{
    int order = sorted && a->key.values != NULL && b->key.values != NULL
                    ? cw_sort_values_cmp(rules->sort, a->key.values, b->key.values)
                    : 0;
    return order != 0 ? order : cw_log_cmp(&a->entry, &b->entry, rules->newest_first);
}

static int compare_in_answer(const struct cw_gather_set *set, const struct cw_gathered *a,
                             const struct cw_gathered *b)
{
    return compare(set->rules, set->rules->sort != NULL, a, b);
}

static bool before_in_answer(const struct cw_gather_set *set, const struct cw_gathered *a,
                             const struct cw_gathered *b)
{
    return compare_in_answer(set, a, b) < 0;
}

/* Which of one combination is kept? */
static bool before_in_combination(const struct cw_gather_set *set, const struct cw_gathered *a,
                                  const struct cw_gathered *b)
{
    return compare(set->rules, set->rules->sorted_first, a, b) < 0;
}

/* ---- the best: a heap ---- */

static bool is_bounded(const struct cw_gather_set *set)
{
    return set->rules->max_entries < SIZE_MAX;
}

static void put_at(struct cw_gather_set *set, struct cw_gathered *item, size_t at)
{
    set->items[at] = item;
    item->at = at;
}

static void sift_up(struct cw_gather_set *set, struct cw_gathered *item, size_t at)
{
    for (size_t up; at > 0; at = up) {
        up = (at - 1) / 2;
        if (!before_in_answer(set, set->items[up], item))
            break;
        put_at(set, set->items[up], at);
    }
    put_at(set, item, at);
}

static void sift_down(struct cw_gather_set *set, struct cw_gathered *item, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < set->n; at = child) {
        if (child + 1 < set->n && before_in_answer(set, set->items[child], set->items[child + 1]))
            child++;
        if (!before_in_answer(set, item, set->items[child]))
            break;
        put_at(set, set->items[child], at);
    }
    put_at(set, item, at);
}

bool cw_gather_set_full(const struct cw_gather_set *set, const struct cw_log_entry **worst_out)
{
    if (set->n == 0 || set->n < set->rules->max_entries)
        return false;
    *worst_out = &set->items[0]->entry;
    return true;
}

/* ---- one of each combination: a table ---- */

/* Where the combination stands, or a slot that is free for it. */
static size_t find_slot(const struct cw_gather_set *set, struct cw_hash128 combination)
{
    size_t mask = set->nslots - 1, at = (size_t)combination.lo & mask;
    for (; set->slots[at] != NULL; at = (at + 1) & mask)
        if (set->slots[at] != &gone && cw_hash128_eq(set->slots[at]->key.combination, combination))
            break;
    return at;
}

static struct cw_gathered *find_combination(const struct cw_gather_set *set,
                                            struct cw_hash128 combination)
{
    return set->nslots > 0 ? set->slots[find_slot(set, combination)] : NULL;
}

static void slots_make_room(struct cw_gather_set *set)
{
    if (2 * (set->nused + 1) <= set->nslots)
        return;
    set->nslots = SLOTS_MIN;
    while (set->nslots < 4 * (set->n + 1))
        set->nslots *= 2;
    free(set->slots);
    set->slots = cw_mem_array(set->nslots, sizeof(struct cw_gathered *));
    for (size_t i = 0; i < set->n; i++)
        set->slots[find_slot(set, set->items[i]->key.combination)] = set->items[i];
    set->nused = set->n;
}

static void slots_put(struct cw_gather_set *set, struct cw_gathered *item)
{
    slots_make_room(set);
    size_t at = find_slot(set, item->key.combination);
    CW_ASSERT(set->slots[at] == NULL);
    set->slots[at] = item;
    set->nused++;
}

/* ---- adding ---- */

static int take(struct cw_gather_set *set, size_t bytes, struct cw_err *err)
{
    if (set->bytes + bytes > set->taken) {
        size_t more = CW_MAX(set->bytes + bytes - set->taken, (size_t)TAKE_BYTES);
        int rc = cw_allowance_take(set->allowance, more, err);
        if (rc < 0)
            return rc;
        set->taken += more;
    }
    set->bytes += bytes;
    return 0;
}

static void push_out_worst(struct cw_gather_set *set)
{
    struct cw_gathered *worst = set->items[0];
    if (set->rules->distinct != NULL)
        set->slots[find_slot(set, worst->key.combination)] = &gone;
    set->n--;
    if (set->n > 0)
        sift_down(set, set->items[set->n], 0);
    set->bytes -= item_bytes(set, worst);
    item_free(worst);
}

/* The one of its combination that there is (NULL: none); false: the item is not to be kept. */
static bool is_wanted(const struct cw_gather_set *set, const struct cw_gathered *item,
                      struct cw_gathered **there)
{
    *there = set->rules->distinct != NULL ? find_combination(set, item->key.combination) : NULL;
    if (*there != NULL)
        return before_in_combination(set, item, *there);
    return set->n == 0 || set->n < set->rules->max_entries ||
           before_in_answer(set, item, set->items[0]);
}

static int check_room(const struct cw_gather_set *set, struct cw_err *err)
{
    if (set->rules->distinct == NULL || set->n < CW_LIMIT_QUERY_VALUES)
        return 0;
    return cw_err_set(err, CW_E_LIMIT,
                      "distinct found more than %u different combinations of values, which is as "
                      "many as a query may tell apart: ask for less time or fewer labels",
                      CW_LIMIT_QUERY_VALUES);
}

/* Takes the item, which is wanted. */
static void insert(struct cw_gather_set *set, struct cw_gathered *item)
{
    if (set->n == set->cap) {
        set->cap = CW_MAX(64, 2 * set->cap);
        set->items = cw_mem_resize(set->items, set->cap * sizeof(struct cw_gathered *));
    }
    if (set->rules->distinct != NULL)
        slots_put(set, item);
    if (is_bounded(set))
        sift_up(set, item, set->n++);
    else
        put_at(set, item, set->n++);
    if (set->n > set->rules->max_entries)
        push_out_worst(set);
}

/* It is better than the one that there is: further from the worst. */
static void replace(struct cw_gather_set *set, struct cw_gathered *there, struct cw_gathered *item)
{
    size_t at = there->at;
    set->bytes -= item_bytes(set, there);
    set->slots[find_slot(set, there->key.combination)] = item;
    item_free(there);
    if (is_bounded(set))
        sift_down(set, item, at);
    else
        put_at(set, item, at);
}

static void put(struct cw_gather_set *set, struct cw_gathered *there, struct cw_gathered *item)
{
    if (there != NULL)
        replace(set, there, item);
    else
        insert(set, item);
}

int cw_gather_set_add(struct cw_gather_set *set, const struct cw_gathered *item, struct cw_err *err)
{
    struct cw_gathered *there;
    if (!is_wanted(set, item, &there))
        return 0;
    int rc = there == NULL && !is_bounded(set) ? check_room(set, err) : 0;
    if (rc == 0)
        rc = take(set, item_bytes(set, item), err);
    if (rc < 0)
        return rc;
    put(set, there, item_new(set, item));
    return 0;
}

int cw_gather_set_merge(struct cw_gather_set *set, struct cw_gather_set *from, struct cw_err *err)
{
    int rc = 0;
    while (rc == 0 && from->n > 0) {
        struct cw_gathered *item = from->items[--from->n], *there;
        rc = cw_match_stop_check(err);
        if (!is_wanted(set, item, &there)) {
            item_free(item);
            continue;
        }
        if (rc == 0 && there == NULL && !is_bounded(set))
            rc = check_room(set, err);
        set->bytes += item_bytes(set, item);
        put(set, there, item);
    }
    set->taken += from->taken;
    from->taken = 0;
    return rc;
}

/* They did not all come to `sort by`: they have no place in its order. */
static void drop_dropped(struct cw_gather_set *set)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n; i++) {
        struct cw_gathered *item = set->items[i];
        if (!item->dropped) {
            set->items[n++] = item;
            continue;
        }
        item_free(item);
    }
    set->n = n;
}

static int in_answer(const void *a, const void *b, void *arg)
{
    const struct cw_gathered *const *x = a, *const *y = b;
    return compare_in_answer(arg, *x, *y);
}

int cw_gather_set_take(struct cw_gather_set *set, struct cw_log_entry **out, size_t *n_out,
                       struct cw_err *err)
{
    drop_dropped(set);
    size_t n = set->n;
    int rc = cw_stop_sort(set->items, n, sizeof(struct cw_gathered *), in_answer, set, err);
    if (rc < 0)
        return rc;
    *out = cw_mem_array(n + 1, sizeof **out);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = set->items[i]->entry; /* which owns the item's block */
    set->n = 0;
    *n_out = n;
    return 0;
}
