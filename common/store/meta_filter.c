#include "common/store/meta_filter.h"

#include "common/base/buf.h"

static int lines_make(struct cw_meta_filter *f, struct cw_err *err)
{
    const struct cw_matcher *m = f->matcher;
    bool regex = m->op == CW_MATCH_RE || m->op == CW_MATCH_NRE;
    int rc = cw_line_filter_new(regex ? CW_FILTER_RE : CW_FILTER_CONTAINS, &f->lines, err);
    if (rc < 0)
        return rc;
    if (!regex)
        return cw_line_filter_add(f->lines, m->value, 0, err);
    /* What fits from end to end is found in it, too. A dot may be any byte: that keeps more at most. */
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_addz(&text, "(?s:");
    cw_buf_adds(&text, m->value);
    cw_buf_addz(&text, ")");
    rc = cw_line_filter_add(f->lines, cw_buf_str(&text), 0, err);
    cw_buf_fini(&text);
    return rc;
}

void cw_meta_filter_init(struct cw_meta_filter *f, const struct cw_matcher *matcher)
{
    struct cw_err err;
    *f = (struct cw_meta_filter){
        .matcher = matcher,
        .negated = matcher->op == CW_MATCH_NE || matcher->op == CW_MATCH_NRE,
    };
    if (matcher->value.len > 0 && lines_make(f, &err) < 0)
        cw_line_filter_free(&f->lines);
}

void cw_meta_filter_fini(struct cw_meta_filter *f)
{
    cw_line_filter_free(&f->lines);
}

bool cw_meta_filter_fits(const struct cw_meta_filter *f, struct cw_str value)
{
    struct cw_err err;
    int rc = cw_matcher_match(f->matcher, value, &err);
    return (rc != 0) != f->negated;
}
