#include "common/match/pattern_match.h"

#include "common/base/arena.h"
#include "common/match/text_search.h"

struct part {
    bool any; /* <_> */
    struct cw_text_search literal;
};

struct cw_pattern_match {
    struct cw_arena *arena;
    struct part *parts;
    size_t n, cap;
};

size_t cw_pattern_capture_len(struct cw_str s)
{
    if (s.len < 3 || s.ptr[0] != '<')
        return 0;
    for (size_t i = 1; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (c == '>')
            return i > 1 ? i + 1 : 0;
        if (!letter && !(i > 1 && c >= '0' && c <= '9'))
            return 0;
    }
    return 0;
}

static void add_part(struct cw_pattern_match *pattern, bool any, struct cw_str literal)
{
    pattern->parts = cw_arena_grow(pattern->arena, pattern->parts, pattern->n, &pattern->cap,
                                   pattern->n + 1, sizeof pattern->parts[0]);
    struct part *part = &pattern->parts[pattern->n++];
    part->any = any;
    cw_text_search_init(&part->literal, literal, false);
}

/* All parts first, then the rules: neighbours before names, as Loki checks them. */
static int parse(struct cw_pattern_match *pattern, struct cw_str text, struct cw_err *err)
{
    struct cw_str named = CW_STR_NONE, twins = CW_STR_NONE;
    size_t plain = 0, at = 0, before = 0; /* before: length of a capture that ends at `at` */
    while (at < text.len) {
        size_t len = cw_pattern_capture_len(cw_str_sub(text, at, text.len));
        if (len == 0) {
            at++;
            before = 0;
            continue;
        }
        if (at > plain)
            add_part(pattern, false, cw_str_sub(text, plain, at));
        if (before > 0 && twins.len == 0)
            twins = cw_str_sub(text, at - before, at + len);
        struct cw_str capture = cw_str_sub(text, at, at + len);
        if (!cw_str_eqz(capture, "<_>") && named.len == 0)
            named = capture;
        add_part(pattern, true, CW_STR(""));
        at += len;
        plain = at;
        before = len;
    }
    if (at > plain)
        add_part(pattern, false, cw_str_sub(text, plain, at));
    if (twins.len > 0)
        return cw_err_set(err, CW_E_INVALID, "found consecutive capture '%.*s': invalid expression",
                          CW_STR_ARG(twins));
    if (named.len > 0)
        return cw_err_set(err, CW_E_INVALID, "named captures are not allowed: found '%.*s'",
                          CW_STR_ARG(named));
    return 0;
}

int cw_pattern_match_new(struct cw_str text, struct cw_pattern_match **out, struct cw_err *err)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_pattern_match *pattern = CW_ARENA_NEW(arena, struct cw_pattern_match);
    pattern->arena = arena;
    int rc = parse(pattern, cw_arena_dup(arena, text), err);
    if (rc < 0)
        cw_arena_free(&arena);
    else
        *out = pattern;
    return rc;
}

void cw_pattern_match_free(struct cw_pattern_match **pattern)
{
    if (*pattern == NULL)
        return;
    struct cw_arena *arena = (*pattern)->arena;
    *pattern = NULL;
    cw_arena_free(&arena); /* holds the pattern too */
}

bool cw_pattern_match_test(const struct cw_pattern_match *pattern, struct cw_str line)
{
    if (line.len == 0 || pattern->n == 0)
        return line.len == 0 && pattern->n == 0;
    const char *at = line.ptr, *end = line.ptr + line.len;
    for (size_t i = 0; i < pattern->n; i++) {
        const struct part *part = &pattern->parts[i];
        if (part->any)
            continue;
        const char *found = cw_text_search_find(&part->literal, at, (size_t)(end - at));
        if (found == NULL || (i > 0 && found == at))
            return false;
        at = found + part->literal.needle.len;
    }
    return pattern->parts[pattern->n - 1].any == (at != end);
}

bool cw_pattern_match_literal_at(const struct cw_pattern_match *pattern, size_t i,
                                 struct cw_str *out)
{
    for (size_t part = 0; part < pattern->n; part++) {
        if (pattern->parts[part].any || i-- > 0)
            continue;
        *out = pattern->parts[part].literal.needle;
        return true;
    }
    return false;
}

struct cw_str cw_pattern_match_literal(const struct cw_pattern_match *pattern)
{
    struct cw_str longest = CW_STR_NONE;
    for (size_t i = 0; i < pattern->n; i++)
        if (pattern->parts[i].literal.needle.len > longest.len)
            longest = pattern->parts[i].literal.needle;
    return longest;
}
