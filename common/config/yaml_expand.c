#include "common/config/yaml_expand_priv.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/limits.h"

struct expander {
    const struct cw_yaml_options *options;
    struct cw_arena *arena;
    struct cw_yaml_source *out;
    struct cw_buf text;
    size_t cap;           /* of out->pieces */
    size_t nchars, fromc; /* characters written, and read */
    bool comment;         /* the line is a comment from here on */
    char before;          /* byte before the one at hand */
    const char *
        no_close; /* no '}' stands between the last default that was not closed and here, the end of its line */
    cw_yaml_expand_problem_fn problem;
    void *arg;
};

/* ${NAME}, ${NAME:-default}, ${NAME:default}: what stands between the braces. */
struct reference {
    struct cw_str name, fallback;
    bool has_fallback;
    size_t len; /* of the whole */
};

static size_t count_chars(struct cw_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

static bool name_byte(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* At "${". False where it is none of our forms: the text then stays as it is. */
static bool read_reference(struct expander *e, struct cw_str s, struct reference *ref)
{
    enum cw_yaml_expand style = e->options->expand;
    size_t at = 2;
    /* Promtail looks ${1} up as well; elsewhere that belongs to a regex's replacement. */
    while (at < s.len && name_byte(s.ptr[at], at == 2 && style != CW_YAML_EXPAND_PROMTAIL))
        at++;
    ref->name = cw_str_sub(s, 2, at);
    ref->has_fallback = false;
    ref->fallback = CW_STR("");
    if (ref->name.len == 0 || at == s.len)
        return false;
    if (s.ptr[at] == ':') {
        at++;
        if (at < s.len && s.ptr[at] == '-')
            at++;
        else if (style != CW_YAML_EXPAND_PROMTAIL)
            return false;
        size_t from = at;
        /* Each byte is looked through for the end of a default once, however many begin on the line. */
        if (e->no_close != NULL && s.ptr + at < e->no_close)
            return false;
        while (at < s.len && s.ptr[at] != '}' && s.ptr[at] != '\n')
            at++;
        ref->fallback = cw_str_sub(s, from, at);
        ref->has_fallback = true;
        if (at == s.len || s.ptr[at] == '\n')
            e->no_close = s.ptr + at;
    }
    if (at == s.len || s.ptr[at] != '}')
        return false;
    ref->len = at + 1;
    return true;
}

static const char *look_up(const struct cw_yaml_options *options, struct cw_str name)
{
    char *z = cw_str_dupz(name);
    const char *value =
        options->lookup != NULL ? options->lookup(z, options->lookup_arg) : getenv(z);
    free(z);
    return value;
}

static void put_piece(struct expander *e, size_t source_len, struct cw_str value)
{
    struct cw_yaml_source *out = e->out;
    out->pieces = cw_arena_grow(e->arena, out->pieces, out->npieces, &e->cap, out->npieces + 1,
                                sizeof *out->pieces);
    struct cw_yaml_piece *piece = &out->pieces[out->npieces++];
    *piece = (struct cw_yaml_piece){e->nchars, count_chars(value), e->fromc, source_len};
    cw_buf_adds(&e->text, value);
    e->nchars += piece->len;
    e->fromc += source_len;
}

static void put_reference(struct expander *e, struct cw_str source, const struct reference *ref)
{
    const char *value = look_up(e->options, ref->name);
    struct cw_str text = cw_str_of(value);
    /* Shell's ":-": an empty variable counts as unset. */
    if (text.len == 0)
        text = ref->fallback;
    /* Comments may show the syntax. */
    if (value == NULL && !ref->has_fallback && !e->comment &&
        e->options->expand == CW_YAML_EXPAND_STRICT) {
        struct cw_str name = cw_str_sub(ref->name, 0, 80);
        e->problem(e->arg, e->fromc,
                   cw_arena_printf(e->arena,
                                   "the environment variable %.*s is not set, and has no default",
                                   CW_STR_ARG(name))
                       .ptr);
    }
    put_piece(e, count_chars(cw_str_sub(source, 0, ref->len)), text);
}

/* The bytes at the front of `s` up to the next thing to look at; returns how many were used. */
static size_t expand_step(struct expander *e, struct cw_str s)
{
    struct reference ref;
    if (cw_str_starts(s, CW_STR("$$"))) {
        put_piece(e, 2, CW_STR("$"));
        e->before = '$';
        return 2;
    }
    if (cw_str_starts(s, CW_STR("${")) && read_reference(e, s, &ref)) {
        put_reference(e, s, &ref);
        e->before = '}';
        return ref.len;
    }
    char c = s.ptr[0];
    if (c == '\n')
        e->comment = false;
    else if (c == '#' && (e->before == '\n' || e->before == ' ' || e->before == '\t'))
        e->comment = true;
    e->before = c;
    cw_buf_addc(&e->text, c);
    bool starts_char = ((unsigned char)c & 0xC0) != 0x80;
    e->nchars += starts_char;
    e->fromc += starts_char;
    return 1;
}

int cw_yaml_expand(struct cw_str original, const struct cw_yaml_options *options,
                   struct cw_arena *arena, struct cw_yaml_source *out,
                   cw_yaml_expand_problem_fn problem, void *arg, struct cw_err *err)
{
    *out = (struct cw_yaml_source){.original = original, .text = original};
    if (options == NULL || options->expand == CW_YAML_EXPAND_NONE ||
        cw_str_find_byte(original, '$') < 0)
        return 0;
    struct expander e = {.options = options,
                         .arena = arena,
                         .out = out,
                         .before = '\n',
                         .problem = problem,
                         .arg = arg};
    cw_buf_init(&e.text, 2 * CW_LIMIT_CONFIG_BYTES);
    for (size_t at = 0; at < original.len && !cw_buf_failed(&e.text);)
        at += expand_step(&e, cw_str_sub(original, at, original.len));
    int rc = 0;
    if (cw_buf_failed(&e.text))
        rc = cw_err_set(err, CW_E_TOO_LARGE,
                        "with its variables expanded it is larger than %u bytes",
                        2 * CW_LIMIT_CONFIG_BYTES);
    else
        out->text = cw_arena_dup(arena, cw_buf_str(&e.text));
    cw_buf_fini(&e.text);
    return rc;
}

void cw_yaml_expand_place(struct cw_str text, size_t from, size_t *line, size_t *column)
{
    *line = *column = 0;
    size_t nchars = 0;
    for (size_t i = 0; i < text.len && nchars < from; i++) {
        bool next_starts = i + 1 == text.len || ((unsigned char)text.ptr[i + 1] & 0xC0) != 0x80;
        if (!next_starts)
            continue;
        nchars++;
        if (text.ptr[i] == '\n') {
            (*line)++;
            *column = 0;
        } else {
            (*column)++;
        }
    }
}

void cw_yaml_expand_locate(const struct cw_yaml_source *source, size_t at, size_t *line,
                           size_t *column)
{
    size_t from = at;
    for (size_t i = 0; i < source->npieces && source->pieces[i].at <= at; i++) {
        const struct cw_yaml_piece *piece = &source->pieces[i];
        if (at < piece->at + piece->len)
            from = piece->from;
        else
            from = piece->from + piece->fromlen + (at - piece->at - piece->len);
    }
    cw_yaml_expand_place(source->original, from, line, column);
}
