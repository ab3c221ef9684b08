#include "querier/engine/template_stage.h"

#include <stdlib.h>

#include "common/base/id_map.h"
#include "common/store/tokenize.h"
#include "querier/engine/pattern_text.h"

struct cw_template_run {
    struct cw_tokenizer tokenizer;
    struct cw_tokens tokens;
    struct cw_buf window, template, pattern;
    struct cw_id_map map; /* of templates, each with its message */
    struct cw_str *patterns;
    size_t cap, bytes;
    struct cw_arena *arena; /* of patterns */
};

struct cw_template_run *cw_template_run_new(void)
{
    struct cw_template_run *run = cw_mem_new(sizeof *run);
    cw_tokenizer_init(&run->tokenizer);
    cw_tokens_init(&run->tokens);
    cw_buf_init(&run->window, SIZE_MAX);
    cw_buf_init(&run->template, SIZE_MAX);
    cw_buf_init(&run->pattern, SIZE_MAX);
    cw_id_map_init(&run->map);
    run->arena = cw_arena_new();
    return run;
}

void cw_template_run_free(struct cw_template_run **run)
{
    if (*run == NULL)
        return;
    cw_tokenizer_fini(&(*run)->tokenizer);
    cw_tokens_fini(&(*run)->tokens);
    cw_buf_fini(&(*run)->window);
    cw_buf_fini(&(*run)->template);
    cw_buf_fini(&(*run)->pattern);
    cw_id_map_fini(&(*run)->map);
    cw_arena_free(&(*run)->arena);
    free((*run)->patterns);
    free(*run);
    *run = NULL;
}

static void forget(struct cw_template_run *run)
{
    cw_id_map_fini(&run->map);
    cw_id_map_init(&run->map);
    cw_arena_reset(run->arena);
    run->bytes = 0;
}

/* The line's template; its values are in `tokens`. */
static struct cw_str cut(struct cw_template_run *run, struct cw_str line)
{
    cw_buf_clear(&run->window);
    cw_buf_adds(&run->window, line);
    cw_buf_addc(&run->window, '\n');
    cw_buf_reserve(&run->window, CW_BYTE_CLASSES_SLACK);
    enum cw_token_mode mode = *run->window.ptr == '{' ? CW_TOKEN_JSON : CW_TOKEN_PLAIN;
    cw_tokenizer_window(&run->tokenizer, run->window.ptr, 0, run->window.len, mode);
    cw_buf_clear(&run->template);
    run->tokens.n = 0;
    char *out = cw_buf_reserve(&run->template, line.len + CW_TOKENIZE_SLACK);
    return cw_str_make(out, cw_tokenize_line(&run->tokenizer, 0, line.len, &run->tokens, out));
}

static struct cw_str pattern_of(struct cw_template_run *run, struct cw_str template,
                                struct cw_str message)
{
    struct cw_hash128 id = cw_hash128(template.ptr, template.len);
    bool added;
    if (message.len > 0)
        id.lo ^= cw_hash64(message.ptr, message.len);
    if (run->bytes > CW_TEMPLATE_STAGE_BYTES)
        forget(run);
    size_t number = cw_id_map_put(&run->map, id, &added);
    if (!added)
        return run->patterns[number];
    if (number == run->cap) {
        run->cap = run->cap > 0 ? 2 * run->cap : 64;
        run->patterns = cw_mem_resize(run->patterns, run->cap * sizeof *run->patterns);
    }
    cw_pattern_text(template, message, &run->pattern);
    run->patterns[number] = cw_arena_dup(run->arena, cw_buf_str(&run->pattern));
    run->bytes += run->pattern.len + CW_ID_MAP_ENTRY_BYTES + 2 * sizeof *run->patterns;
    return run->patterns[number];
}

void cw_template_run_entry(struct cw_template_run *run, struct cw_str line,
                           struct cw_label_builder *builder)
{
    struct cw_str name;
    if (!cw_label_builder_wants(builder, CW_STR("template"), &name))
        return;
    struct cw_str template = cut(run, line);
    struct cw_str message = cw_pattern_message(template, &run->tokens, cw_buf_str(&run->window));
    cw_label_builder_add(builder, name,
                         cw_label_builder_text(builder, pattern_of(run, template, message)));
}
