/*
 * A pattern is known by a sum over the hashes of its words, each mixed with its place, so that what it is without one of them is a
 * subtraction: patterns of the same rest are found by one lookup a word.
 */
#include "querier/engine/pattern_merge.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/match/match_stop.h"

/* More than these find next to nothing. */
enum { PASSES_MAX = 3 };

static const struct cw_str placeholder = {"<_>", 3};

/* A pattern on its way: which words were replaced, and into which other one it went. */
struct shape {
    uint64_t
        between; /* hash of what stands between the words, and behind the last one that counts */
    uint64_t sum;
    uint64_t *words; /* their terms of the sum */
    size_t nwords;
    uint64_t varying; /* a bit for each word that is <_> now */
    size_t into;      /* its own number while it stands for itself */
};

struct merge {
    struct cw_arena *arena;
    struct shape *shapes;
    size_t n;
    /* Of the place that is looked at: patterns by what they are without its word. */
    struct cw_id_map map;
    struct group {
        size_t first, n; /* a pattern of it; how many */
        bool open;       /* one of them has <_> there */
    } * groups;
    size_t *group_of; /* by pattern; SIZE_MAX: none */
};

static bool is_between(char c)
{
    switch (c) {
    case ' ':
    case '\t':
    case '=':
    case ',':
    case ';':
    case '"':
    case '\'':
    case '(':
    case ')':
    case '[':
    case ']':
    case '{':
    case '}':
    case '|': return true;
    default: return false;
    }
}

/* The next word of the text from *at on, which moves behind it; false: there is none. */
static bool next_word(struct cw_str text, size_t *at, struct cw_str *out)
{
    while (*at < text.len && is_between(text.ptr[*at]))
        ++*at;
    size_t from = *at;
    while (*at < text.len && !is_between(text.ptr[*at]))
        ++*at;
    *out = cw_str_sub(text, from, *at);
    return *at > from;
}

static uint64_t word_term(struct cw_str word, size_t place)
{
    uint64_t parts[2] = {cw_hash64(word.ptr, word.len), place};
    return cw_hash64(parts, sizeof parts);
}

static void shape_make(struct merge *m, struct cw_str text, size_t number)
{
    struct shape *shape = &m->shapes[number];
    uint64_t words[CW_PATTERN_WORDS_MAX];
    struct cw_str word;
    size_t at = 0, behind = 0;
    *shape = (struct shape){.into = number};
    while (shape->nwords < CW_PATTERN_WORDS_MAX && next_word(text, &at, &word)) {
        uint64_t parts[2] = {shape->between,
                             cw_hash64(text.ptr + behind, (size_t)(word.ptr - text.ptr) - behind)};
        shape->between = cw_hash64(parts, sizeof parts);
        behind = at;
        if (cw_str_eq(word, placeholder))
            shape->varying |= UINT64_C(1) << shape->nwords;
        words[shape->nwords] = word_term(word, shape->nwords);
        shape->sum += words[shape->nwords++];
    }
    uint64_t parts[3] = {shape->between, cw_hash64(text.ptr + behind, text.len - behind),
                         shape->nwords};
    shape->between = cw_hash64(parts, sizeof parts);
    shape->words = CW_ARENA_ARRAY(m->arena, uint64_t, shape->nwords);
    memcpy(shape->words, words, shape->nwords * sizeof *words);
}

/* Patterns that are the same but for the word at `place`. */
static void group(struct merge *m, size_t place)
{
    cw_id_map_fini(&m->map);
    cw_id_map_init(&m->map);
    for (size_t i = 0; i < m->n; i++) {
        const struct shape *shape = &m->shapes[i];
        m->group_of[i] = SIZE_MAX;
        if (shape->into != i || shape->nwords <= place)
            continue;
        /* what differs goes first: the map looks at it alone */
        struct cw_hash128 rest = {shape->sum - shape->words[place], shape->between};
        bool added;
        size_t idx = cw_id_map_put(&m->map, rest, &added);
        if (added)
            m->groups[idx] = (struct group){.first = i};
        m->groups[idx].n++;
        m->groups[idx].open |= (shape->varying >> place & 1) != 0;
        m->group_of[i] = idx;
    }
}

/* Did any become one? */
static bool merge_at(struct merge *m, size_t place)
{
    uint64_t term = word_term(placeholder, place);
    bool any = false;
    group(m, place);
    for (size_t i = 0; i < m->n; i++) {
        if (m->group_of[i] == SIZE_MAX)
            continue;
        const struct group *g = &m->groups[m->group_of[i]];
        if (g->n < 2 || (g->n < CW_PATTERN_MERGE_MIN && !g->open))
            continue;
        struct shape *shape = &m->shapes[i];
        any = true;
        shape->into = g->first;
        if (i != g->first)
            continue;
        shape->sum += term - shape->words[place];
        shape->words[place] = term;
        shape->varying |= UINT64_C(1) << place;
    }
    return any;
}

/* The text with <_> for each word that varies. */
static struct cw_str merged_text(const struct shape *shape, struct cw_str text, struct cw_buf *buf)
{
    struct cw_str word;
    size_t at = 0, behind = 0;
    cw_buf_clear(buf);
    for (size_t i = 0; i < shape->nwords && next_word(text, &at, &word); i++) {
        if ((shape->varying >> i & 1) == 0)
            continue;
        cw_buf_add(buf, text.ptr + behind, (size_t)(word.ptr - text.ptr) - behind);
        cw_buf_adds(buf, placeholder);
        behind = at;
    }
    cw_buf_add(buf, text.ptr + behind, text.len - behind);
    return cw_buf_str(buf);
}

static size_t root_of(const struct merge *m, size_t i)
{
    while (m->shapes[i].into != i)
        i = m->shapes[i].into;
    return i;
}

/* The text with <_> for what stands between quotes; false: nothing does, or it is <_> already. */
static bool quoted_text(struct cw_str text, struct cw_buf *buf)
{
    size_t behind = 0;
    bool changed = false;
    cw_buf_clear(buf);
    for (ptrdiff_t open; (open = cw_str_find_byte(cw_str_sub(text, behind, text.len), '"')) >= 0;) {
        size_t from = behind + (size_t)open + 1, to = from;
        while (to < text.len && text.ptr[to] != '"')
            to += text.ptr[to] == '\\' ? 2 : 1;
        if (to >= text.len)
            break;
        cw_buf_add(buf, text.ptr + behind, from - behind);
        cw_buf_adds(buf, placeholder);
        cw_buf_addc(buf, '"');
        changed |= !cw_str_eq(cw_str_sub(text, from, to), placeholder);
        behind = to + 1;
    }
    cw_buf_adds(buf, cw_str_sub(text, behind, text.len));
    return changed;
}

struct merged_texts {
    struct cw_id_map all; /* the texts that patterns have when words are merged */
    struct cw_buf words, quoted;
};

/* What the pattern is in the end. */
static struct cw_str final_text(const struct merge *m, const struct cw_pattern_table *from,
                                struct merged_texts *texts, size_t i)
{
    size_t root = root_of(m, i), number;
    struct cw_str text = merged_text(&m->shapes[root], from->items[root].text, &texts->words);
    if (!quoted_text(text, &texts->quoted))
        return text;
    struct cw_str quoted = cw_buf_str(&texts->quoted);
    bool known = cw_id_map_find(&texts->all, cw_hash128(quoted.ptr, quoted.len), &number);
    return known ? quoted : text;
}

static void gather_texts(const struct merge *m, const struct cw_pattern_table *from,
                         struct merged_texts *texts)
{
    bool added;
    for (size_t i = 0; i < m->n; i++) {
        if (m->shapes[i].into != i)
            continue;
        struct cw_str text = merged_text(&m->shapes[i], from->items[i].text, &texts->words);
        cw_id_map_put(&texts->all, cw_hash128(text.ptr, text.len), &added);
    }
}

static int write_merged(const struct merge *m, const struct cw_pattern_table *from,
                        struct cw_pattern_table *out, struct cw_err *err)
{
    struct merged_texts texts;
    int rc = 0;
    cw_id_map_init(&texts.all);
    cw_buf_init(&texts.words, SIZE_MAX);
    cw_buf_init(&texts.quoted, SIZE_MAX);
    gather_texts(m, from, &texts);
    for (size_t i = 0; rc == 0 && i < m->n; i++) {
        const struct cw_pattern_sum *sum = &from->items[i];
        size_t idx;
        rc = cw_match_stop_check(err);
        if (rc == 0)
            rc = cw_pattern_table_put(out, final_text(m, from, &texts, i), &idx, err);
        for (size_t k = 0; rc == 0 && k < sum->n; k++)
            rc = cw_pattern_table_add(out, idx, sum->samples[k], err);
    }
    cw_id_map_fini(&texts.all);
    cw_buf_fini(&texts.words);
    cw_buf_fini(&texts.quoted);
    return rc;
}

/* Cut the patterns of `from`; returns how many words the longest one has. */
static size_t merge_open(struct merge *m, const struct cw_pattern_table *from)
{
    size_t nplaces = 0;
    *m = (struct merge){.arena = cw_arena_new(), .n = from->n};
    m->shapes = CW_ARENA_ARRAY(m->arena, struct shape, m->n);
    m->groups = CW_ARENA_ARRAY(m->arena, struct group, m->n);
    m->group_of = CW_ARENA_ARRAY(m->arena, size_t, m->n);
    cw_id_map_init(&m->map);
    for (size_t i = 0; i < m->n; i++) {
        shape_make(m, from->items[i].text, i);
        nplaces = CW_MAX(nplaces, m->shapes[i].nwords);
    }
    return nplaces;
}

int cw_pattern_merge(const struct cw_pattern_table *from, struct cw_pattern_table *out,
                     struct cw_err *err)
{
    struct merge m;
    size_t nplaces = merge_open(&m, from), bytes = cw_arena_bytes(m.arena);
    int rc = cw_allowance_take(from->allowance, bytes, err);
    /* What became one at a place may be alike now at one before it. */
    bool again = true;
    for (unsigned pass = 0; rc == 0 && again && pass < PASSES_MAX; pass++) {
        again = false;
        for (size_t place = 0; rc == 0 && place < nplaces; place++) {
            again |= merge_at(&m, place);
            rc = cw_match_stop_check(err);
        }
    }
    if (rc == 0) {
        rc = write_merged(&m, from, out, err);
        cw_allowance_give(from->allowance, bytes);
    }
    cw_id_map_fini(&m.map);
    cw_arena_free(&m.arena);
    return rc;
}
