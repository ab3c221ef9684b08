#include "common/match/regex.h"
#include "common/pipeline/luhn.h"
#include "common/pipeline/stage_priv.h"

struct luhn_stage {
    uint32_t source;
    struct cw_luhn luhn;
    struct cw_regex *skip; /* what matches is left alone; NULL: nothing */
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_luhn_config *c = config;
    struct luhn_stage *stage = CW_ARENA_NEW(build->arena, struct luhn_stage);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    stage->luhn = (struct cw_luhn){c->replacement, (size_t)c->min_length, c->delimiters};
    if (c->skip_regex.len == 0)
        return 0;
    int rc = cw_regex_compile(c->skip_regex, CW_REGEX_SEARCH, &stage->skip, err);
    return rc < 0 ? cw_err_wrap(err, "skip_regex") : 0;
}

static void free_stage(void *state)
{
    struct luhn_stage *stage = state;
    cw_regex_free(&stage->skip);
}

/* The text with what stands between the matches of `skip` replaced. */
static struct cw_str replace_between(const struct luhn_stage *stage, struct cw_str text,
                                     struct cw_arena *arena)
{
    struct cw_regex_scan scan = {.text = text};
    struct cw_str match;
    struct cw_buf out;
    size_t done = 0;
    cw_buf_init(&out, SIZE_MAX);
    while (scan.from <= text.len && cw_regex_scan_next(stage->skip, &scan, &match, 1, NULL) == 1) {
        size_t from = (size_t)(match.ptr - text.ptr);
        cw_buf_adds(&out, cw_luhn_replace(&stage->luhn, cw_str_sub(text, done, from), arena));
        cw_buf_adds(&out, match);
        done = from + match.len;
        scan.from = done + (match.len == 0);
    }
    cw_buf_adds(&out, cw_luhn_replace(&stage->luhn, cw_str_sub(text, done, text.len), arena));
    text = cw_arena_dup(arena, cw_buf_str(&out));
    cw_buf_fini(&out);
    return text;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct luhn_stage *stage = node->state;
    struct cw_arena *arena = run->options.arena;
    struct cw_str text, clean;
    if (!cw_stage_text(run, item, stage->source, &text))
        return CW_STAGE_ON;
    clean = stage->skip != NULL ? replace_between(stage, text, arena)
                                : cw_luhn_replace(&stage->luhn, text, arena);
    if (cw_str_eq(clean, text))
        return CW_STAGE_ON;
    cw_stage_set_text(item, stage->source, clean);
    item->entry.redacted = true;
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_luhn_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
