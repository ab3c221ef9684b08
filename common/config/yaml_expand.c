#include "common/config/yaml_expand.h"

#include "common/base/limits.h"
#include "common/config/envsubst_priv.h"

struct expander {
    const struct cw_yaml_options *options;
    struct cw_arena *arena;
    struct cw_yaml_source *out;
    struct cw_buf text;
    struct cw_buf value;  /* of the reference at hand */
    size_t cap;           /* of out->pieces */
    size_t nchars, fromc; /* characters written, and read */
    bool comment;         /* the line is a comment from here on */
    bool refused;         /* and told: nothing is expanded behind it */
    char before;          /* byte before the one at hand */
    cw_yaml_expand_problem_fn problem;
    void *arg;
};

/* ${NAME}, ${NAME:-default}: what stands between the braces. */
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

/* At "${". False where it is neither form: ${1}, say, belongs to a regex's replacement, and stays as it is. */
static bool read_reference(struct cw_str s, struct reference *ref)
{
    size_t at = 2;
    while (at < s.len && name_byte(s.ptr[at], at == 2))
        at++;
    ref->name = cw_str_sub(s, 2, at);
    ref->has_fallback = false;
    ref->fallback = CW_STR("");
    if (ref->name.len == 0 || at == s.len)
        return false;
    if (cw_str_starts(cw_str_sub(s, at, s.len), CW_STR(":-"))) {
        at += 2;
        size_t from = at;
        /* Not past the next reference: so each byte is looked through once, however many are not closed. */
        while (at < s.len && s.ptr[at] != '}' && s.ptr[at] != '\n' &&
               !cw_str_starts(cw_str_sub(s, at, s.len), CW_STR("${")))
            at++;
        ref->fallback = cw_str_sub(s, from, at);
        ref->has_fallback = true;
    }
    if (at == s.len || s.ptr[at] != '}')
        return false;
    ref->len = at + 1;
    return true;
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
    const char *value = cw_envsubst_look_up(e->options, ref->name);
    struct cw_str text = cw_str_of(value);
    /* Shell's ":-": an empty variable counts as unset. */
    if (text.len == 0)
        text = ref->fallback;
    /* Comments may show the syntax. */
    if (value == NULL && !ref->has_fallback && !e->comment) {
        struct cw_str name = cw_str_sub(ref->name, 0, 80);
        e->problem(e->arg, e->fromc,
                   cw_arena_printf(e->arena,
                                   "the environment variable %.*s is not set, and has no default",
                                   CW_STR_ARG(name))
                       .ptr);
    }
    put_piece(e, count_chars(cw_str_sub(source, 0, ref->len)), text);
}

static void put_byte(struct expander *e, char c)
{
    if (c == '\n')
        e->comment = false;
    else if (c == '#' && (e->before == '\n' || e->before == ' ' || e->before == '\t'))
        e->comment = true;
    e->before = c;
    cw_buf_addc(&e->text, c);
    bool starts_char = ((unsigned char)c & 0xC0) != 0x80;
    e->nchars += starts_char;
    e->fromc += starts_char;
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
    if (cw_str_starts(s, CW_STR("${")) && read_reference(s, &ref)) {
        put_reference(e, s, &ref);
        e->before = '}';
        return ref.len;
    }
    if (s.len > 2 && cw_str_starts(s, CW_STR("${")) && name_byte(s.ptr[2], true) && !e->comment)
        e->problem(
            e->arg, e->fromc,
            "neither ${NAME} nor ${NAME:-default} with a default that holds no other ${...}; "
            "for the characters themselves write $${");
    put_byte(e, s.ptr[0]);
    return 1;
}

/* The same in promtail's way: \\ and \/ are a character each, and what is no reference is refused. */
static size_t promtail_step(struct expander *e, struct cw_str s)
{
    if (cw_str_starts(s, CW_STR("$$")) || cw_str_starts(s, CW_STR("\\\\")) ||
        cw_str_starts(s, CW_STR("\\/"))) {
        put_piece(e, 2, cw_str_sub(s, 1, 2));
        return 2;
    }
    if (cw_str_starts(s, CW_STR("${"))) {
        struct cw_envsubst_problem problem;
        cw_buf_clear(&e->value);
        size_t len = cw_envsubst_reference(e->options, s, &e->value, &problem);
        if (len == 0) {
            e->refused = true;
            e->problem(e->arg, e->fromc + count_chars(cw_str_sub(s, 0, problem.at)), problem.text);
            return s.len;
        }
        put_piece(e, count_chars(cw_str_sub(s, 0, len)), cw_buf_str(&e->value));
        return len;
    }
    put_byte(e, s.ptr[0]);
    return 1;
}

int cw_yaml_expand(struct cw_str original, const struct cw_yaml_options *options,
                   struct cw_arena *arena, struct cw_yaml_source *out,
                   cw_yaml_expand_problem_fn problem, void *arg, struct cw_err *err)
{
    *out = (struct cw_yaml_source){.original = original, .text = original};
    if (options == NULL || options->expand == CW_YAML_EXPAND_NONE)
        return 0;
    bool promtail = options->expand == CW_YAML_EXPAND_PROMTAIL;
    if (cw_str_find_byte(original, '$') < 0 && (!promtail || cw_str_find_byte(original, '\\') < 0))
        return 0;
    struct expander e = {.options = options,
                         .arena = arena,
                         .out = out,
                         .before = '\n',
                         .problem = problem,
                         .arg = arg};
    cw_buf_init(&e.text, 2 * CW_LIMIT_CONFIG_BYTES);
    cw_buf_init(&e.value, 2 * CW_LIMIT_CONFIG_BYTES);
    for (size_t at = 0; at < original.len && !cw_buf_failed(&e.text) && !cw_buf_failed(&e.value);) {
        struct cw_str rest = cw_str_sub(original, at, original.len);
        at += promtail ? promtail_step(&e, rest) : expand_step(&e, rest);
    }
    int rc = 0;
    if (e.refused)
        rc = cw_err_set(err, CW_E_INVALID, "a variable cannot be expanded");
    else if (cw_buf_failed(&e.text) || cw_buf_failed(&e.value))
        rc = cw_err_set(err, CW_E_TOO_LARGE,
                        "with its variables expanded it is larger than %u bytes",
                        2 * CW_LIMIT_CONFIG_BYTES);
    else
        out->text = cw_arena_dup(arena, cw_buf_str(&e.text));
    cw_buf_fini(&e.text);
    cw_buf_fini(&e.value);
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
