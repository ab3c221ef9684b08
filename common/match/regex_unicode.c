#include "common/match/regex_unicode.h"

#include <stdlib.h>

#include "common/base/assert.h"

void cw_rune_set_init(struct cw_rune_set *set, struct cw_arena *arena)
{
    *set = (struct cw_rune_set){.arena = arena};
}

void cw_rune_set_add(struct cw_rune_set *set, uint32_t lo, uint32_t hi)
{
    if (set->n > 0) { /* most ranges come in order */
        struct cw_rune_range *last = &set->ranges[set->n - 1];
        if (lo >= last->lo && lo <= last->hi + 1) {
            last->hi = CW_MAX(last->hi, hi);
            return;
        }
    }
    if (set->n == set->cap) /* joining first keeps a class that repeats itself small */
        cw_rune_set_tidy(set);
    set->ranges = cw_arena_grow(set->arena, set->ranges, set->n, &set->cap, set->n * 3 / 2 + 1,
                                sizeof *set->ranges);
    set->ranges[set->n++] = (struct cw_rune_range){lo, hi};
}

/* Index of the first fold whose rune is not under `rune`. */
static size_t fold_index(uint32_t rune)
{
    size_t lo = 0, hi = cw_unicode_nfolds;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (cw_unicode_folds[mid].rune < rune)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

uint32_t cw_rune_fold(uint32_t rune)
{
    size_t i = fold_index(rune);
    return i < cw_unicode_nfolds && cw_unicode_folds[i].rune == rune ? cw_unicode_folds[i].next
                                                                     : rune;
}

uint32_t cw_rune_fold_min(uint32_t rune)
{
    uint32_t least = rune;
    for (uint32_t r = cw_rune_fold(rune); r != rune; r = cw_rune_fold(r))
        least = CW_MIN(least, r);
    return least;
}

void cw_rune_set_add_folded(struct cw_rune_set *set, uint32_t lo, uint32_t hi)
{
    cw_rune_set_add(set, lo, hi);
    for (size_t i = fold_index(lo); i < cw_unicode_nfolds && cw_unicode_folds[i].rune <= hi; i++) {
        uint32_t rune = cw_unicode_folds[i].rune;
        for (uint32_t r = cw_unicode_folds[i].next; r != rune; r = cw_rune_fold(r))
            cw_rune_set_add(set, r, r);
    }
}

void cw_rune_set_add_ranges(struct cw_rune_set *set, const struct cw_rune_range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cw_rune_set_add(set, ranges[i].lo, ranges[i].hi);
}

static int range_order(const void *a, const void *b)
{
    const struct cw_rune_range *x = a, *y = b;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

void cw_rune_set_tidy(struct cw_rune_set *set)
{
    if (set->n < 2)
        return;
    qsort(set->ranges, set->n, sizeof set->ranges[0], range_order);
    size_t kept = 1;
    for (size_t i = 1; i < set->n; i++) {
        struct cw_rune_range *last = &set->ranges[kept - 1];
        if (set->ranges[i].lo <= last->hi + 1)
            last->hi = CW_MAX(last->hi, set->ranges[i].hi);
        else
            set->ranges[kept++] = set->ranges[i];
    }
    set->n = kept;
}

void cw_rune_set_negate(struct cw_rune_set *set)
{
    cw_rune_set_tidy(set);
    struct cw_rune_set all;
    cw_rune_set_init(&all, set->arena);
    uint32_t next = 0;
    for (size_t i = 0; i < set->n; i++) {
        if (set->ranges[i].lo > next)
            cw_rune_set_add(&all, next, set->ranges[i].lo - 1);
        next = set->ranges[i].hi + 1;
    }
    if (next <= CW_RUNE_MAX)
        cw_rune_set_add(&all, next, CW_RUNE_MAX);
    *set = all;
}

bool cw_rune_in(const struct cw_rune_range *ranges, size_t n, uint32_t rune)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (rune > ranges[mid].hi)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && rune >= ranges[lo].lo;
}

/* First letter large, the others small, without '_', '-' and ' '. A longer name is no class. */
static bool canonical_name(struct cw_str name, char out[64])
{
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '_' || c == '-' || c == ' ')
            continue;
        if (n == 63)
            return false;
        if (n == 0 && c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        else if (n > 0 && c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        out[n++] = c;
    }
    out[n] = 0;
    return n > 0;
}

static bool same_name(const char *table, const char *canonical)
{
    char plain[64];
    return canonical_name(cw_str_of(table), plain) && strcmp(plain, canonical) == 0;
}

static void add_table(const struct cw_unicode_table *table, struct cw_rune_set *out)
{
    cw_rune_set_add_ranges(out, &cw_unicode_ranges[table->off], table->n);
}

/* A category, or a sum of categories: "L" of all that begin so, "Lc" of the cased letters. */
static bool add_category(const char *name, bool fold, struct cw_rune_set *out)
{
    bool found = false, cased = strcmp(name, "Lc") == 0;
    for (size_t i = 0; i < cw_unicode_ntables; i++) {
        const struct cw_unicode_table *table = &cw_unicode_tables[i];
        if (table->kind == CW_UNICODE_CATEGORY) {
            if (cased ? strcmp(table->name, "Lu") == 0 || strcmp(table->name, "Ll") == 0 ||
                            strcmp(table->name, "Lt") == 0
                      : strcmp(table->name, name) == 0 ||
                            (name[1] == 0 && table->name[0] == name[0])) {
                add_table(table, out);
                found = true;
            }
        } else if (fold && table->kind == CW_UNICODE_FOLD_CATEGORY &&
                   strcmp(table->name, name) == 0) {
            add_table(table, out);
        }
    }
    return found;
}

static bool add_script(const char *name, bool fold, struct cw_rune_set *out)
{
    bool found = false;
    for (size_t i = 0; i < cw_unicode_ntables; i++) {
        const struct cw_unicode_table *table = &cw_unicode_tables[i];
        bool wanted =
            table->kind == CW_UNICODE_SCRIPT || (fold && table->kind == CW_UNICODE_FOLD_SCRIPT);
        if (wanted && same_name(table->name, name)) {
            add_table(table, out);
            found = true;
        }
    }
    return found;
}

bool cw_unicode_class(struct cw_str name, bool fold, struct cw_rune_set *out)
{
    char canonical[64];
    if (!canonical_name(name, canonical))
        return false;
    if (strcmp(canonical, "Any") == 0) {
        cw_rune_set_add(out, 0, CW_RUNE_MAX);
        return true;
    }
    if (strcmp(canonical, "Ascii") == 0) {
        cw_rune_set_add(out, 0, 0x7F);
        if (fold) /* the long s and the Kelvin sign fold into it */
            cw_rune_set_add(out, 0x17F, 0x17F), cw_rune_set_add(out, 0x212A, 0x212A);
        return true;
    }
    if (strcmp(canonical, "Assigned") == 0) {
        struct cw_rune_set unassigned;
        cw_rune_set_init(&unassigned, out->arena);
        (void)add_category("Cn", false, &unassigned);
        cw_rune_set_negate(&unassigned);
        cw_rune_set_add_ranges(out, unassigned.ranges, unassigned.n);
        return true;
    }
    if (add_category(canonical, fold, out) || add_script(canonical, fold, out))
        return true;
    for (size_t i = 0; i < cw_unicode_naliases; i++)
        if (strcmp(cw_unicode_aliases[i].name, canonical) == 0)
            return cw_unicode_class(cw_str_of(cw_unicode_aliases[i].category), fold, out);
    return false;
}

static bool in_category(uint32_t rune, const char *const *names)
{
    for (size_t i = 0; i < cw_unicode_ntables; i++) {
        const struct cw_unicode_table *table = &cw_unicode_tables[i];
        if (table->kind != CW_UNICODE_CATEGORY)
            continue;
        for (const char *const *name = names; *name != NULL; name++)
            if (strcmp(table->name, *name) == 0 &&
                cw_rune_in(cw_unicode_ranges + table->off, table->n, rune))
                return true;
    }
    return false;
}

bool cw_rune_is_letter(uint32_t rune)
{
    static const char *const names[] = {"Lu", "Ll", "Lt", "Lm", "Lo", NULL};
    if (rune < 0x80)
        return (rune | 0x20) >= 'a' && (rune | 0x20) <= 'z';
    return in_category(rune, names);
}

bool cw_rune_is_digit(uint32_t rune)
{
    static const char *const names[] = {"Nd", NULL};
    if (rune < 0x80)
        return rune >= '0' && rune <= '9';
    return in_category(rune, names);
}
