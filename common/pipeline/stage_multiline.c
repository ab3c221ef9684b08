#include "common/match/regex.h"
#include "common/pipeline/stage_priv.h"

/* Lines that follow a first one, up to the next first one, are one entry with it. */
struct multiline_stage {
    struct cw_regex *firstline;
    size_t max_lines;
    bool trim_newlines;
};

/* An entry that grows, one per set of labels. */
struct block {
    struct cw_stage_item *first;
    char *text;
    size_t len, cap, nlines;
};

struct multiline_run {
    struct block *blocks;
    size_t n, cap;
};

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_multiline_config *c = config;
    struct multiline_stage *stage = CW_ARENA_NEW(build->arena, struct multiline_stage);
    node->state = stage;
    stage->max_lines = (size_t)c->max_lines;
    stage->trim_newlines = c->trim_newlines;
    if (c->max_wait_ns > build->stages->wait_ns)
        build->stages->wait_ns = c->max_wait_ns;
    if (c->firstline.len == 0)
        return cw_err_set(err, CW_E_INVALID, "firstline is missing");
    int rc = cw_regex_compile(c->firstline, CW_REGEX_SEARCH, &stage->firstline, err);
    return rc < 0 ? cw_err_wrap(err, "firstline") : 0;
}

static void free_stage(void *state)
{
    struct multiline_stage *stage = state;
    cw_regex_free(&stage->firstline);
}

static struct block *find_block(struct multiline_run *state, const struct cw_stage_item *item)
{
    struct cw_labels labels = {item->entry.labels, item->entry.nlabels};
    for (size_t i = 0; i < state->n; i++) {
        const struct cw_stage_entry *first = &state->blocks[i].first->entry;
        if (cw_labels_eq((struct cw_labels){first->labels, first->nlabels}, labels))
            return &state->blocks[i];
    }
    return NULL;
}

static void add_line(const struct multiline_stage *stage, struct cw_stages_run *run,
                     struct block *block, const struct cw_stage_entry *entry)
{
    struct cw_str line = entry->line;
    while (stage->trim_newlines && line.len > 0 && line.ptr[line.len - 1] == '\n')
        line.len--;
    block->text = cw_arena_grow(run->options.arena, block->text, block->len, &block->cap,
                                block->len + line.len + 1, 1);
    if (block->nlines++ > 0)
        block->text[block->len++] = '\n';
    if (line.len > 0)
        memcpy(block->text + block->len, line.ptr, line.len);
    block->len += line.len;
    block->first->entry.to = entry->to;
}

static void begin_block(struct cw_stages_run *run, struct block *block,
                        const struct cw_stage_item *item)
{
    *block = (struct block){.first = cw_stage_keep(run, item)};
}

static void end_block(const struct cw_stage_node *node, struct cw_stages_run *run,
                      struct block *block)
{
    struct cw_stage_item *item = block->first;
    item->entry.line = cw_str_make(block->text, block->len);
    cw_stage_pass(node, run, item);
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct multiline_stage *stage = node->state;
    struct multiline_run *state = cw_stage_run_state(node, run);
    struct block *block = find_block(state, item);
    bool first = cw_regex_match(stage->firstline, item->entry.line, NULL) == 1;
    if (!first && block == NULL)
        return CW_STAGE_ON; /* it follows nothing */
    if (block == NULL) {
        state->blocks = cw_arena_grow(run->options.arena, state->blocks, state->n, &state->cap,
                                      state->n + 1, sizeof *state->blocks);
        block = &state->blocks[state->n++];
        begin_block(run, block, item);
    } else if (first || block->nlines >= stage->max_lines) {
        /* What an overlong block goes on with is an entry like the one it began with. */
        struct cw_stage_item *next = cw_stage_keep(run, first ? item : block->first);
        end_block(node, run, block);
        *block = (struct block){.first = next};
        next->entry.from = item->entry.from;
    }
    add_line(stage, run, block, &item->entry);
    return CW_STAGE_GONE;
}

static void flush(const struct cw_stage_node *node, struct cw_stages_run *run)
{
    struct multiline_run *state = cw_stage_run_state(node, run);
    size_t n = state->n;
    state->n = 0;
    for (size_t i = 0; i < n; i++)
        end_block(node, run, &state->blocks[i]);
}

static uint64_t unfinished(const struct cw_stage_node *node, const struct cw_stages_run *run)
{
    const struct multiline_run *state = cw_stage_run_state(node, run);
    uint64_t from = UINT64_MAX;
    for (size_t i = 0; i < state->n; i++) {
        uint64_t begins = state->blocks[i].first->entry.from;
        from = begins < from ? begins : from;
    }
    return from;
}

const struct cw_stage_def cw_stage_multiline_def = {.compile = compile,
                                                    .run = run_stage,
                                                    .free = free_stage,
                                                    .flush = flush,
                                                    .unfinished = unfinished,
                                                    .run_bytes = sizeof(struct multiline_run)};
