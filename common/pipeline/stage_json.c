#include "common/base/float_text.h"
#include "common/extract/json_pick.h"
#include "common/pipeline/stage_priv.h"

struct json_stage {
    uint32_t source;
    struct cw_json_picker *picker;
    uint32_t *slots; /* of the picker's values */
    size_t n;
    struct cw_json_picked *picked;
    bool drop_malformed;
};

/* a.b."c d": the keys of a JMESPath expression that is a plain path. */
static bool plain_path(struct cw_str text, struct cw_arena *arena, struct cw_json_keys *out)
{
    struct cw_str *keys = CW_ARENA_ARRAY(arena, struct cw_str, text.len + 1);
    size_t at = 0, n = 0;
    for (;;) {
        size_t from = at;
        if (at < text.len && text.ptr[at] == '"') {
            do
                at++;
            while (at < text.len && text.ptr[at] != '"' && text.ptr[at] != '\\');
            if (at == text.len || text.ptr[at] == '\\')
                return false;
            keys[n++] = cw_str_sub(text, from + 1, at++);
        } else {
            while (at < text.len && (text.ptr[at] == '_' || (text.ptr[at] | 32) - 'a' + 0u < 26 ||
                                     (at > from && text.ptr[at] - '0' + 0u < 10)))
                at++;
            if (at == from)
                return false;
            keys[n++] = cw_str_sub(text, from, at);
        }
        if (at == text.len)
            break;
        if (text.ptr[at++] != '.')
            return false;
    }
    *out = (struct cw_json_keys){keys, n};
    return true;
}

static int compile(struct cw_stages_build *build, const void *config, struct cw_stage_node *node,
                   struct cw_err *err)
{
    const struct cw_stage_json_config *c = config;
    size_t n = c->expressions.n;
    struct json_stage *stage = CW_ARENA_NEW(build->arena, struct json_stage);
    struct cw_json_keys *paths = CW_ARENA_ARRAY(build->arena, struct cw_json_keys, n);
    node->state = stage;
    stage->source = cw_stage_slot(build, c->source);
    stage->drop_malformed = c->drop_malformed;
    stage->slots = CW_ARENA_ARRAY(build->arena, uint32_t, n);
    stage->picked = CW_ARENA_ARRAY(build->arena, struct cw_json_picked, n);
    stage->n = n;
    if (n == 0)
        return cw_err_set(err, CW_E_INVALID, "expressions is missing: what is to be extracted?");
    for (size_t i = 0; i < n; i++) {
        const struct cw_config_pair *pair = &c->expressions.items[i];
        struct cw_str text = pair->value.len > 0 ? pair->value : pair->name;
        stage->slots[i] = cw_stage_slot(build, pair->name);
        if (!plain_path(text, build->arena, &paths[i]))
            return cw_err_set(err, CW_E_INVALID, "expressions.%.*s: %.*s is no path",
                              CW_STR_ARG(pair->name), CW_STR_ARG(text));
    }
    stage->picker = cw_json_picker_new(paths, n);
    return 0;
}

static void free_stage(void *state)
{
    struct json_stage *stage = state;
    cw_json_picker_free(&stage->picker);
}

/* Numbers are printed as Go prints a float64, without an exponent. Where that would change digits they stay as they are: an id of 64
 * bits is not to become another one. */
static struct cw_str number_text(struct cw_str text, struct cw_arena *arena)
{
    enum { SURE_DIGITS = 15 }; /* so many a double holds */
    bool whole = true, exponent = false;
    for (size_t i = 0; i < text.len; i++) {
        whole &= text.ptr[i] != '.';
        exponent |= (text.ptr[i] | 32) == 'e';
    }
    double number;
    if (!exponent && (whole || text.len > SURE_DIGITS))
        return text;
    if (!cw_str_to_f64(text, &number))
        return text;
    struct cw_buf out;
    cw_buf_init(&out, 2000);
    cw_float_text_plain(number, &out);
    text = cw_arena_dup(arena, cw_buf_str(&out));
    cw_buf_fini(&out);
    return text;
}

static struct cw_extracted value_of(const struct cw_json_picked *picked, struct cw_arena *arena)
{
    struct cw_str text = picked->value.text;
    if (!picked->found)
        return (struct cw_extracted){CW_EXTRACTED_NULL, CW_STR_NONE};
    switch (picked->value.type) {
    case CW_JSON_TYPE_NULL: return (struct cw_extracted){CW_EXTRACTED_NULL, CW_STR_NONE};
    case CW_JSON_TYPE_NUMBER:
        return (struct cw_extracted){CW_EXTRACTED_NUMBER, number_text(text, arena)};
    case CW_JSON_TYPE_BOOL: return (struct cw_extracted){CW_EXTRACTED_BOOL, text};
    case CW_JSON_TYPE_STRING:
        if (picked->value.escaped)
            cw_json_unescape(text, arena, &text);
        break;
    default: break;
    }
    return (struct cw_extracted){CW_EXTRACTED_TEXT, text};
}

static enum cw_stage_end run_stage(const struct cw_stage_node *node, struct cw_stages_run *run,
                                   struct cw_stage_item *item)
{
    const struct json_stage *stage = node->state;
    struct cw_str text;
    if (!cw_stage_text(run, item, stage->source, &text))
        return CW_STAGE_ON;
    if (cw_json_pick(stage->picker, text, stage->picked) != CW_JSON_AN_OBJECT)
        return stage->drop_malformed ? cw_stage_drop(run, item, CW_STR("malformed_json"))
                                     : CW_STAGE_ON;
    for (size_t i = 0; i < stage->n; i++)
        item->slots[stage->slots[i]] = value_of(&stage->picked[i], run->options.arena);
    return CW_STAGE_ON;
}

const struct cw_stage_def cw_stage_json_def = {
    .compile = compile, .run = run_stage, .free = free_stage};
