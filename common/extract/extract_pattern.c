#include "common/extract/extract_pattern.h"

#include <stdlib.h>

#include "common/match/pattern_match.h"

struct piece {
    bool is_capture;
    struct cw_str text; /* the literal, or the capture's name; `_` has none */
};

struct cw_extract_pattern {
    struct piece *pieces;
    size_t n;
};

static void add_piece(struct cw_extract_pattern *pattern, bool is_capture, struct cw_str text)
{
    if (!is_capture && text.len == 0)
        return;
    pattern->pieces = cw_mem_resize(pattern->pieces, (pattern->n + 1) * sizeof *pattern->pieces);
    pattern->pieces[pattern->n++] = (struct piece){is_capture, text};
}

struct cw_extract_pattern *cw_extract_pattern_new(struct cw_str text)
{
    struct cw_extract_pattern *pattern = cw_mem_new(sizeof *pattern);
    size_t literal = 0;
    for (size_t at = 0; at < text.len;) {
        size_t len = cw_pattern_capture_len(cw_str_sub(text, at, text.len)), end = at + len;
        if (len == 0) {
            at++;
            continue;
        }
        add_piece(pattern, false, cw_str_sub(text, literal, at));
        add_piece(pattern, true, cw_str_sub(text, at + 1, end - 1));
        literal = at = end;
    }
    add_piece(pattern, false, cw_str_sub(text, literal, text.len));
    return pattern;
}

void cw_extract_pattern_free(struct cw_extract_pattern **pattern)
{
    if (*pattern == NULL)
        return;
    free((*pattern)->pieces);
    free(*pattern);
    *pattern = NULL;
}

static void capture(struct cw_label_builder *builder, struct cw_str name, struct cw_str value)
{
    if (cw_label_builder_wants(builder, name, &name))
        cw_label_builder_add(builder, name, value);
}

static void capture_piece(struct cw_label_builder *builder, const struct piece *piece,
                          struct cw_str value)
{
    if (!cw_str_eqz(piece->text, "_"))
        capture(builder, piece->text, value);
}

void cw_extract_pattern_run(const struct cw_extract_pattern *pattern, struct cw_str line,
                            struct cw_label_builder *builder)
{
    size_t i = 0;
    if (line.len == 0 || pattern->n == 0 || cw_label_builder_has_all(builder))
        return;
    if (!pattern->pieces[0].is_capture) {
        if (!cw_str_starts(line, pattern->pieces[0].text))
            return;
        line = cw_str_sub(line, pattern->pieces[0].text.len, line.len);
        i++;
    }
    for (; i < pattern->n; i += 2) { /* a capture, and a literal unless it is the last one */
        const struct piece *piece = &pattern->pieces[i];
        ptrdiff_t at = i + 1 < pattern->n ? cw_str_find(line, piece[1].text) : -1;
        if (at < 0) {
            capture_piece(builder, piece, line);
            return;
        }
        capture_piece(builder, piece, cw_str_sub(line, 0, (size_t)at));
        line = cw_str_sub(line, (size_t)at + piece[1].text.len, line.len);
    }
}

int cw_extract_regexp(const struct cw_regex *regex, struct cw_str line,
                      struct cw_label_builder *builder, struct cw_err *err)
{
    if (cw_label_builder_has_all(builder))
        return 0;
    size_t n = cw_regex_ngroups(regex) + 1;
    struct cw_str *groups = cw_arena_alloc(builder->scratch, n * sizeof *groups);
    int rc = cw_regex_captures(regex, line, groups, n, err);
    for (size_t i = 1; rc > 0 && i < n; i++) {
        struct cw_str name = cw_regex_group_name(regex, (unsigned)i);
        if (name.len > 0)
            capture(builder, cw_label_builder_clean(builder, name), groups[i]);
    }
    return rc < 0 ? rc : 0;
}
