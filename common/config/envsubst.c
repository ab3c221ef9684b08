#include "common/config/envsubst_priv.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/limits.h"

#define PROBLEM_NAME "behind ${ stands no variable's name; for the characters themselves write $${"
#define PROBLEM_OPERATOR                                                                           \
    "${NAME is followed neither by } nor by an operator that promtail has; for the characters "    \
    "themselves write $${"
#define PROBLEM_WORD "an operator of ${...} has nothing behind it, or no } follows"
#define PROBLEM_CLOSE "${...} goes on where } should stand"
#define PROBLEM_DEPTH "${...} within ${...} deeper than 16 levels"

enum { ARGS_MAX = 2 };

struct parser {
    const struct cw_yaml_options *options;
    struct cw_str text;
    size_t at;
    size_t open; /* of the "${" that is being read */
    unsigned depth;
    const char *problem;
};

/* Operators by their text. Those of two characters that the scanner takes but knows no function for are a default. */
static const struct {
    const char *text;
    enum cw_envsubst_op op;
} operators[] = {
    {":", CW_ENVSUBST_SUBSTRING},
    {"^", CW_ENVSUBST_UPPER_FIRST},
    {"^^", CW_ENVSUBST_UPPER},
    {",", CW_ENVSUBST_LOWER_FIRST},
    {",,", CW_ENVSUBST_LOWER},
    {"#", CW_ENVSUBST_TRIM_PREFIX},
    {"##", CW_ENVSUBST_TRIM_PREFIX_LONGEST},
    {"%", CW_ENVSUBST_TRIM_SUFFIX},
    {"%%", CW_ENVSUBST_TRIM_SUFFIX_LONGEST},
    {"/", CW_ENVSUBST_REPLACE},
    {"//", CW_ENVSUBST_REPLACE_ALL},
    {"/#", CW_ENVSUBST_REPLACE_PREFIX},
    {"/%", CW_ENVSUBST_REPLACE_SUFFIX},
};

const char *cw_envsubst_look_up(const struct cw_yaml_options *options, struct cw_str name)
{
    char *z = cw_str_dupz(name);
    const char *value =
        options->lookup != NULL ? options->lookup(z, options->lookup_arg) : getenv(z);
    free(z);
    return value;
}

static bool fail(struct parser *p, const char *text)
{
    if (p->problem == NULL)
        p->problem = text;
    return false;
}

/* 0 at the end. */
static char peek(const struct parser *p)
{
    return p->at < p->text.len ? p->text.ptr[p->at] : '\0';
}

static bool take(struct parser *p, char c)
{
    bool here = p->at < p->text.len && p->text.ptr[p->at] == c;
    p->at += here;
    return here;
}

static bool is_among(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static struct cw_str take_name(struct parser *p)
{
    size_t from = p->at;
    while (p->at < p->text.len) {
        char c = peek(p), lower = (char)(c | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            break;
        p->at++;
    }
    return cw_str_sub(p->text, from, p->at);
}

static bool read_reference(struct parser *p, struct cw_buf *out);

/* One more ${...}, or characters up to one of `stops` or to a "${". */
static bool read_word(struct parser *p, const char *stops, bool escapes, struct cw_buf *out)
{
    size_t from = p->at;
    if (cw_str_starts(cw_str_sub(p->text, p->at, p->text.len), CW_STR("${")))
        return read_reference(p, out);
    while (p->at < p->text.len) {
        struct cw_str rest = cw_str_sub(p->text, p->at, p->text.len);
        if (cw_str_starts(rest, CW_STR("${")))
            break;
        bool escaped =
            escapes && (cw_str_starts(rest, CW_STR("$$")) || cw_str_starts(rest, CW_STR("\\\\")) ||
                        cw_str_starts(rest, CW_STR("\\/")));
        if (!escaped && is_among(rest.ptr[0], stops))
            break;
        cw_buf_addc(out, rest.ptr[escaped]);
        p->at += 1 + escaped;
    }
    return p->at > from || fail(p, PROBLEM_WORD);
}

static bool close_reference(struct parser *p)
{
    return take(p, '}') || fail(p, PROBLEM_CLOSE);
}

static bool read_default(struct parser *p, struct cw_buf *word)
{
    while (peek(p) != '}')
        if (!read_word(p, "}", false, word))
            return false;
    return close_reference(p);
}

/* Behind the ':' of an offset. Colons in a row are one, as they are between old and new. */
static bool read_substring(struct parser *p, struct cw_buf words[ARGS_MAX], size_t *nargs,
                           struct cw_buf *fallback)
{
    *nargs = 1;
    if (!read_word(p, ":}", false, &words[0]))
        return false;
    cw_buf_adds(fallback, cw_buf_str(&words[0]));
    if (take(p, '}'))
        return true;
    if (peek(p) != ':')
        return fail(p, PROBLEM_CLOSE);
    while (take(p, ':'))
        cw_buf_addc(fallback, ':');
    *nargs = 2;
    if (!read_word(p, "}", false, &words[1]))
        return false;
    cw_buf_adds(fallback, cw_buf_str(&words[1]));
    return close_reference(p);
}

static bool read_replacement(struct parser *p, struct cw_buf words[ARGS_MAX], size_t *nargs)
{
    *nargs = 1;
    if (!read_word(p, "/", true, &words[0]))
        return false;
    if (peek(p) != '/')
        return fail(p, PROBLEM_WORD);
    while (take(p, '/'))
        ;
    if (take(p, '}'))
        return true;
    *nargs = 2;
    return read_word(p, "}", true, &words[1]) && close_reference(p);
}

/* The operator's characters: `second` are those that may follow the first. */
static struct cw_str take_operator(struct parser *p, const char *second)
{
    size_t from = p->at++;
    p->at += is_among(peek(p), second);
    return cw_str_sub(p->text, from, p->at);
}

static enum cw_envsubst_op operator_of(struct cw_str text)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (cw_str_eqz(text, operators[i].text))
            return operators[i].op;
    return CW_ENVSUBST_DEFAULT;
}

/* What follows the name, with its }. */
static bool read_operator(struct parser *p, enum cw_envsubst_op *op, struct cw_buf words[ARGS_MAX],
                          size_t *nargs, struct cw_buf *fallback)
{
    switch (peek(p)) {
    case '}': return close_reference(p);
    case '=': p->at++; return read_default(p, fallback);
    case ':':
        *op = operator_of(take_operator(p, "=-?+"));
        return *op == CW_ENVSUBST_DEFAULT ? read_default(p, fallback)
                                          : read_substring(p, words, nargs, fallback);
    case '^':
    case ',': *op = operator_of(take_operator(p, "^,")); return close_reference(p);
    case '/': *op = operator_of(take_operator(p, "/#%")); return read_replacement(p, words, nargs);
    case '#':
    case '%':
        *op = operator_of(take_operator(p, peek(p) == '#' ? "#" : "%"));
        *nargs = 1;
        return read_word(p, "}", false, &words[0]) && close_reference(p);
    default: return fail(p, PROBLEM_OPERATOR);
    }
}

static bool read_parts(struct parser *p, struct cw_buf words[ARGS_MAX], struct cw_buf *fallback,
                       struct cw_buf *out)
{
    enum cw_envsubst_op op = CW_ENVSUBST_DEFAULT;
    size_t nargs = 0;
    bool length = take(p, '#');
    struct cw_str name = take_name(p);
    if (name.len == 0)
        return fail(p, PROBLEM_NAME);
    if (length)
        op = CW_ENVSUBST_LENGTH;
    if (length ? !close_reference(p) : !read_operator(p, &op, words, &nargs, fallback))
        return false;
    struct cw_str value = cw_str_of(cw_envsubst_look_up(p->options, name));
    struct cw_str args[ARGS_MAX] = {cw_buf_str(&words[0]), cw_buf_str(&words[1])};
    int64_t offset;
    /* The documented ${NAME:word}: of an empty value envsubst has nothing to cut. */
    if (op == CW_ENVSUBST_SUBSTRING && value.len == 0 &&
        !cw_str_to_i64(cw_str_trim(args[0]), &offset))
        op = CW_ENVSUBST_DEFAULT;
    if (op == CW_ENVSUBST_DEFAULT)
        args[0] = cw_buf_str(fallback);
    const char *refused = cw_envsubst_apply(op, value, args, nargs, out);
    return refused == NULL || fail(p, refused);
}

/* At "${". */
static bool read_reference(struct parser *p, struct cw_buf *out)
{
    struct cw_buf words[ARGS_MAX], fallback;
    size_t outer = p->open;
    p->open = p->at;
    if (p->depth == CW_ENVSUBST_DEPTH_MAX)
        return fail(p, PROBLEM_DEPTH);
    p->depth++;
    p->at += 2;
    for (size_t i = 0; i < ARGS_MAX; i++)
        cw_buf_init(&words[i], 2 * CW_LIMIT_CONFIG_BYTES);
    cw_buf_init(&fallback, 2 * CW_LIMIT_CONFIG_BYTES);
    bool ok = read_parts(p, words, &fallback, out);
    /* What does not fit would be cut: let the whole fail. */
    if (cw_buf_failed(&words[0]) || cw_buf_failed(&words[1]) || cw_buf_failed(&fallback))
        ok = fail(p, "the text within ${...} is too large");
    for (size_t i = 0; i < ARGS_MAX; i++)
        cw_buf_fini(&words[i]);
    cw_buf_fini(&fallback);
    p->depth--;
    if (ok)
        p->open = outer;
    return ok;
}

size_t cw_envsubst_reference(const struct cw_yaml_options *options, struct cw_str text,
                             struct cw_buf *out, struct cw_envsubst_problem *problem)
{
    struct parser p = {.options = options, .text = text};
    if (read_reference(&p, out))
        return p.at;
    *problem = (struct cw_envsubst_problem){p.open, p.problem};
    return 0;
}
