#include "common/match/regex.h"
#include "common/pipeline/stack_trace.h"
#include "common/pipeline/stage_priv.h"

/* Lines that follow a first one, up to the next first one, are one entry with it. Without an expression for first lines all are but
 * those of stack traces. */
struct multiline_stage {
    struct cw_regex *firstline;
    struct cw_stack_traces *traces; /* one of both */
    size_t max_lines;
    bool trim_newlines;
};

/* An entry that grows, one per set of labels. */
struct block {
    struct cw_stage_item *first;
    char *text;
    size_t len, cap, nlines;
    struct cw_stack_trace trace;
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
    if (c->firstline.len == 0) {
        stage->traces = cw_stack_traces_new();
        return 0;
    }
    int rc = cw_regex_compile(c->firstline, CW_REGEX_SEARCH, &stage->firstline, err);
    return rc < 0 ? cw_err_wrap(err, "firstline") : 0;
}

static void free_stage(void *state)
{
    struct multiline_stage *stage = state;
    cw_regex_free(&stage->firstline);
    cw_stack_traces_free(&stage->traces);
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
    block->first->entry.redacted |= entry->redacted;
}

static struct block *add_block(struct cw_stages_run *run, struct multiline_run *state,
                               const struct cw_stage_item *item)
{
    state->blocks = cw_arena_grow(run->options.arena, state->blocks, state->n, &state->cap,
                                  state->n + 1, sizeof *state->blocks);
    struct block *block = &state->blocks[state->n++];
    *block = (struct block){.first = cw_stage_keep(run, item)};
    return block;
}

static void end_block(const struct cw_stage_node *node, struct cw_stages_run *run,
                      struct block *block)
{
    struct cw_stage_item *item = block->first;
    item->entry.line = cw_str_make(block->text, block->len);
    cw_stage_pass(node, run, item);
}

/* The block is over; the next one begins with `item`, or like `item`, which began it. */
static void next_block(const struct cw_stage_node *node, struct cw_stages_run *run,
                       struct block *block, const struct cw_stage_item *item, uint64_t from)
{
    struct cw_stage_item *next = cw_stage_keep(run, item);
    end_block(node, run, block);
    next->entry.from = from;
    block->first = next;
    block->text = NULL;
    block->len = block->cap = block->nlines = 0;
}

static bool is_first(const struct multiline_stage *stage, struct block *block, struct cw_str line)
{
    return stage->traces != NULL ? !cw_stack_trace_continues(stage->traces, &block->trace, line)
                                 : cw_regex_match(stage->firstline, line, NULL) == 1;
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct multiline_stage *stage = node->state;
    struct multiline_run *state = cw_stage_run_state(node, run);
    struct block *block = find_block(state, item), none = {.first = NULL};
    bool first = is_first(stage, block != NULL ? block : &none, item->entry.line);
    if (!first && block == NULL)
        return CW_STAGE_ON; /* it follows nothing */
    if (block == NULL) {
        block = add_block(run, state, item);
        block->trace = none.trace;
    } else if (first || block->nlines >= stage->max_lines) {
        /* What an overlong block goes on with is an entry like the one it began with. */
        next_block(node, run, block, first ? item : block->first, item->entry.from);
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
