/*
 * fuzz_yaml_expand.c - any bytes as the text of a configuration with variables, in each style. What was taken from the source
 * and what was put in its place are in order and within their texts; every place in the expanded text leads into the source;
 * a text without anything to expand stays as it is.
 */
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/config/yaml_expand.h"

static const char *lookup(const char *name, void *arg)
{
    (void)arg;
    switch (name[0]) {
    case 'A': return "a/b.c/d.c [x-z]*";
    case 'B': return "";
    case 'C': return "\xC3\xA9\\-2";
    case 'D': return "2";
    default: return NULL;
    }
}

static void on_problem(void *arg, size_t from, const char *text)
{
    CW_ASSERT(from < *(size_t *)arg && text[0] != '\0');
}

static size_t count_chars(struct cw_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

static void check_places(const struct cw_yaml_source *source)
{
    size_t at = 0, from = 0, nlines = 0;
    for (size_t i = 0; i < source->original.len; i++)
        nlines += source->original.ptr[i] == '\n';
    for (size_t i = 0; i < source->npieces; i++) {
        const struct cw_yaml_piece *piece = &source->pieces[i];
        CW_ASSERT(piece->at - at == piece->from - from && piece->at >= at && piece->fromlen > 0);
        at = piece->at + piece->len;
        from = piece->from + piece->fromlen;
    }
    CW_ASSERT(count_chars(source->text) - at == count_chars(source->original) - from);
    size_t line, column;
    cw_yaml_expand_locate(source, count_chars(source->text), &line, &column);
    CW_ASSERT(line <= nlines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int style = CW_YAML_EXPAND_STRICT; style <= CW_YAML_EXPAND_PROMTAIL; style++) {
        struct cw_yaml_options options = {.expand = (enum cw_yaml_expand)style, .lookup = lookup};
        struct cw_yaml_source source;
        struct cw_err err;
        struct cw_arena *arena = cw_arena_new();
        struct cw_str text = cw_str_make(data, size);
        int rc = cw_yaml_expand(text, &options, arena, &source, on_problem, &size, &err);
        CW_ASSERT(rc == 0 || rc == CW_E_TOO_LARGE ||
                  (rc == CW_E_INVALID && style == CW_YAML_EXPAND_PROMTAIL));
        if (rc == 0)
            check_places(&source);
        if (cw_str_find_byte(text, '$') < 0 && cw_str_find_byte(text, '\\') < 0)
            CW_ASSERT(rc == 0 && cw_str_eq(source.text, text));
        cw_arena_free(&arena);
    }
    return 0;
}
