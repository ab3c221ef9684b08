#include "common/base/clock.h"
#include "common/pipeline/stage_joins.h"

/* A line of a CRI runtime: "<RFC 3339 time> stdout|stderr F|P[:...] <text>". P says that the next line of the same stream goes on with
 * the text. */
struct cri_stage {
    uint32_t time, timestamp, stream, flags, content;
    size_t max_partial_lines, max_partial_bytes; /* 0: no bound */
};

struct cri_line {
    struct cw_str time, stream, flags, content;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_cri_config *c = config;
    struct cri_stage *stage = CW_ARENA_NEW(build->arena, struct cri_stage);
    node->state = stage;
    if (c->max_partial_line_size_truncate && c->max_partial_line_size == 0)
        return cw_err_set(err, CW_E_INVALID,
                          "max_partial_line_size_truncate wants a max_partial_line_size");
    stage->time = cw_stage_slot(build, CW_STR("time"));
    stage->timestamp = cw_stage_slot(build, CW_STR("timestamp"));
    stage->stream = cw_stage_slot(build, CW_STR("stream"));
    stage->flags = cw_stage_slot(build, CW_STR("flags"));
    stage->content = cw_stage_slot(build, CW_STR("content"));
    stage->max_partial_lines = (size_t)c->max_partial_lines;
    stage->max_partial_bytes =
        c->max_partial_line_size_truncate ? (size_t)c->max_partial_line_size : 0;
    cw_stage_waits(build, node, c->max_wait_ns);
    return 0;
}

static bool take_word(struct cw_str *rest, struct cw_str *out)
{
    const char *space = rest->len > 0 ? memchr(rest->ptr, ' ', rest->len) : NULL;
    if (space == NULL || space == rest->ptr)
        return false;
    *out = cw_str_make(rest->ptr, (size_t)(space - rest->ptr));
    *rest = cw_str_sub(*rest, out->len + 1, rest->len);
    return true;
}

static bool read_line(struct cw_str text, struct cri_line *out)
{
    if (!take_word(&text, &out->time) || !take_word(&text, &out->stream) ||
        (!cw_str_eqz(out->stream, "stdout") && !cw_str_eqz(out->stream, "stderr")) ||
        !take_word(&text, &out->flags))
        return false;
    out->content = text;
    return true;
}

/* Tags are set apart by ':'; the first one is P or F. */
static bool is_partial(struct cw_str flags)
{
    return flags.ptr[0] == 'P' && (flags.len == 1 || flags.ptr[1] == ':');
}

/* What passes the bound is cut off. */
static void add_piece(const struct cri_stage *stage, struct cw_stages_run *run,
                      struct cw_stage_join *line, const struct cw_stage_entry *piece)
{
    struct cw_str text = piece->line;
    if (stage->max_partial_bytes > 0)
        text = cw_str_sub(text, 0, stage->max_partial_bytes - line->len);
    cw_stage_join_append(line, run, piece, CW_STR(""), text);
}

static enum cw_stage_end hold(const struct cw_stage_node *node, struct cw_stages_run *run,
                              struct cw_stage_item *item, struct cw_stage_join *partial)
{
    const struct cri_stage *stage = node->state;
    struct cw_stage_joins *partials = cw_stage_run_state(node, run);
    if (partial == NULL) {
        if (partials->n >= stage->max_partial_lines)
            cw_stage_joins_flush(node,
                                 run); /* so many do not end their lines: they go as they are */
        partial = cw_stage_joins_add(partials, run, item);
    }
    add_piece(stage, run, partial, &item->entry);
    return CW_STAGE_GONE;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct cri_stage *stage = node->state;
    struct cw_stage_joins *partials = cw_stage_run_state(node, run);
    struct cri_line line;
    int64_t ts_ns;
    if (!read_line(item->entry.line, &line))
        return CW_STAGE_ON;
    cw_stage_set(item, stage->time, CW_EXTRACTED_TEXT, line.time);
    cw_stage_set(item, stage->timestamp, CW_EXTRACTED_TEXT, line.time);
    cw_stage_set(item, stage->stream, CW_EXTRACTED_TEXT, line.stream);
    cw_stage_set(item, stage->flags, CW_EXTRACTED_TEXT, line.flags);
    cw_stage_set(item, stage->content, CW_EXTRACTED_TEXT, line.content);
    cw_stage_set_label(run, item, CW_STR("stream"), line.stream);
    if (cw_time_parse_rfc3339(line.time, &ts_ns))
        item->entry.ts_ns = ts_ns;
    item->entry.line = line.content;
    struct cw_stage_join *partial = partials->n > 0 ? cw_stage_joins_find(partials, item) : NULL;
    if (is_partial(line.flags))
        return hold(node, run, item, partial);
    if (partial == NULL)
        return CW_STAGE_ON;
    add_piece(stage, run, partial, &item->entry);
    item->entry.from = partial->item->entry.from;
    item->entry.line = cw_stage_join_text(partial);
    cw_stage_joins_remove(partials, partial);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_cri_def = {.compile = compile,
                                              .run = run_stage,
                                              .flush = cw_stage_joins_flush,
                                              .flush_quiet = cw_stage_joins_flush_quiet,
                                              .unfinished = cw_stage_joins_unfinished,
                                              .run_bytes = sizeof(struct cw_stage_joins)};
