#include "common/pipeline/stage_priv.h"

/* The message of a Windows event: "Key: value" lines, whose values are extracted under their keys. */
struct eventlog_stage {
    uint32_t source;
    bool drop_invalid, overwrite;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_eventlogmessage_config *c = config;
    struct eventlog_stage *stage = CW_ARENA_NEW(build->arena, struct eventlog_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    stage->drop_invalid = c->drop_invalid_labels;
    stage->overwrite = c->overwrite_existing;
    if (!cw_label_name_valid(c->source))
        return cw_err_set(err, CW_E_INVALID, "invalid label name: %.*s", CW_STR_ARG(c->source));
    return 0;
}

/* What no name has becomes '_', a character at a time; a digit in front too. */
static struct cw_str name_of(struct cw_stages_run *run, struct cw_str key)
{
    char *out = cw_arena_alloc(run->options.arena, key.len + 1);
    size_t n = 0;
    bool first = true;
    if (key.len == 0)
        out[n++] = '_';
    for (struct cw_str rest = key; rest.len > 0; first = false) {
        uint32_t rune;
        size_t took = cw_utf8_decode(rest, &rune);
        char c = took == 1 ? rest.ptr[0] : '_';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        out[n++] = letter || (c >= '0' && c <= '9' && !first) ? c : '_';
        rest = cw_str_sub(rest, took > 0 ? took : 1, rest.len);
    }
    return cw_str_make(out, n);
}

static void line_take(const struct eventlog_stage *stage, struct cw_stages_run *run,
                      struct cw_stage_item *item, struct cw_str line)
{
    ptrdiff_t colon = cw_str_find_byte(line, ':');
    if (colon < 0)
        return;
    struct cw_str key = cw_str_sub(line, 0, (size_t)colon);
    struct cw_str value = cw_str_sub(line, (size_t)colon + 1, line.len);
    if (value.len > 0 && value.ptr[0] == ' ')
        value = cw_str_sub(value, 1, value.len);
    if (!cw_label_name_valid(key)) {
        if (stage->drop_invalid)
            return;
        key = name_of(run, key);
    }
    if (cw_utf8_valid(value) && (stage->overwrite || !cw_stage_has_named(run, item, key)))
        cw_stage_set_named(run, item, key, CW_EXTRACTED_TEXT, value);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct eventlog_stage *stage = node->state;
    struct cw_extracted source = cw_stage_get(run, item, stage->source);
    if (source.kind == CW_EXTRACTED_NULL) /* promtail loses such an entry */
        return cw_stage_drop(run, item, CW_STR("eventlogmessage_stage"));
    if (source.kind == CW_EXTRACTED_UNSET)
        return CW_STAGE_ON;
    struct cw_str rest = source.text;
    for (ptrdiff_t end; (end = cw_str_find(rest, CW_STR("\r\n"))) >= 0;
         rest = cw_str_sub(rest, (size_t)end + 2, rest.len))
        line_take(stage, run, item, cw_str_sub(rest, 0, (size_t)end));
    line_take(stage, run, item, rest);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_eventlogmessage_def = {.compile = compile, .run = run_stage};
