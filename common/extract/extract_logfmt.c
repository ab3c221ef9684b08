#include "common/extract/extract_logfmt.h"

static const struct cw_str parser_err = {"LogfmtParserErr", 15};

struct scan {
    struct cw_str line;
    size_t at;
    struct cw_str key, value;
    struct cw_arena *arena;
    const char *fault; /* of the first pair that was broken; NULL: none */
    char unexpected;   /* the byte, when the fault is one */
    size_t fault_at;
};

static bool fail(struct scan *scan, const char *fault, char unexpected)
{
    if (scan->fault == NULL) {
        scan->fault = fault;
        scan->unexpected = unexpected;
        scan->fault_at = scan->at + 1;
    }
    return false;
}

/* The byte cannot stand here: the rest of the word is lost. */
static bool fail_word(struct scan *scan)
{
    fail(scan, "unexpected", scan->line.ptr[scan->at]);
    while (scan->at < scan->line.len && (unsigned char)scan->line.ptr[scan->at] > ' ')
        scan->at++;
    return false;
}

static bool has_no_rune(struct cw_str s)
{
    return !cw_utf8_valid(s) || cw_str_find(s, CW_STR("\xEF\xBF\xBD")) >= 0;
}

static int hex4(struct cw_str text, size_t at, uint32_t *out)
{
    *out = 0;
    if (text.len - at < 6 || text.ptr[at] != '\\' || text.ptr[at + 1] != 'u')
        return -1;
    for (size_t i = at + 2; i < at + 6; i++) {
        int digit = cw_str_hex_digit(text.ptr[i]);
        if (digit < 0)
            return -1;
        *out = *out << 4 | (uint32_t)digit;
    }
    return 0;
}

/* As encoding/json reads a string: a lone surrogate becomes U+FFFD, control characters are refused. */
static bool unquote(struct cw_str text, struct cw_arena *arena, struct cw_str *out)
{
    static const char from[] = "\"\\/'bfnrt", to[] = "\"\\/'\b\f\n\r\t";
    char *decoded = cw_arena_alloc(arena, text.len);
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        char c = text.ptr[at];
        if ((unsigned char)c < ' ')
            return false;
        if (c != '\\') {
            decoded[len++] = c;
            at++;
            continue;
        }
        c = at + 1 < text.len ? text.ptr[at + 1] : '\0';
        const char *plain = c != '\0' ? strchr(from, c) : NULL;
        if (plain != NULL) {
            decoded[len++] = to[plain - from];
            at += 2;
            continue;
        }
        uint32_t rune, low;
        if (hex4(text, at, &rune) < 0)
            return false;
        at += 6;
        if (rune >= 0xD800 && rune < 0xDC00 && hex4(text, at < text.len ? at : at, &low) == 0 &&
            low >= 0xDC00 && low <= 0xDFFF) {
            rune = 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
            at += 6;
        }
        len += cw_utf8_encode(rune, decoded + len);
    }
    *out = cw_str_make(decoded, len);
    return true;
}

/* The value behind key=", up to the closing quote. */
static bool scan_quoted(struct scan *scan)
{
    struct cw_str line = scan->line;
    size_t from = ++scan->at;
    bool escaped = false;
    for (; scan->at < line.len && line.ptr[scan->at] != '"'; scan->at++) {
        if (line.ptr[scan->at] != '\\')
            continue;
        escaped = true;
        scan->at++;
    }
    if (scan->at >= line.len) {
        scan->at = line.len;
        return fail(scan, "unterminated quoted value", '\0');
    }
    scan->value = cw_str_sub(line, from, scan->at);
    scan->at++;
    if (escaped && !unquote(scan->value, scan->arena, &scan->value))
        return fail(scan, "invalid quoted value", '\0');
    return true;
}

static bool scan_value(struct scan *scan)
{
    struct cw_str line = scan->line;
    if (scan->at >= line.len)
        return true;
    if (line.ptr[scan->at] == '"')
        return scan_quoted(scan);
    size_t from = scan->at;
    for (; scan->at < line.len; scan->at++) {
        char c = line.ptr[scan->at];
        if (c == '=' || c == '"')
            return fail_word(scan);
        if ((unsigned char)c <= ' ')
            break;
    }
    scan->value = cw_str_sub(line, from, scan->at);
    return true;
}

/* The next pair; false: it is broken, or (scan->at == line.len and no fault) there is none. */
static bool scan_pair(struct scan *scan)
{
    struct cw_str line = scan->line;
    scan->key = scan->value = CW_STR_NONE;
    while (scan->at < line.len && (unsigned char)line.ptr[scan->at] <= ' ')
        scan->at++;
    size_t from = scan->at;
    bool multibyte = false;
    for (; scan->at < line.len; scan->at++) {
        unsigned char c = (unsigned char)line.ptr[scan->at];
        if (c == '=' || c <= ' ')
            break;
        if (c == '"')
            return fail_word(scan);
        multibyte |= c >= 0x80;
    }
    if (scan->at == from)
        return scan->at < line.len ? fail_word(scan) : false;
    scan->key = cw_str_sub(line, from, scan->at);
    bool has_value = scan->at < line.len && line.ptr[scan->at] == '=';
    if (multibyte && has_no_rune(scan->key)) {
        fail(scan, "invalid key", '\0');
        while (has_value && scan->at < line.len && (unsigned char)line.ptr[scan->at] > ' ')
            scan->at++;
        return false;
    }
    if (!has_value)
        return true;
    scan->at++;
    return scan_value(scan);
}

static void report(const struct scan *scan, struct cw_label_builder *builder)
{
    struct cw_str what = cw_str_of(scan->fault);
    if (scan->unexpected != '\0')
        what = cw_arena_printf(builder->scratch, "unexpected '%c'", scan->unexpected);
    cw_label_builder_parse_error(builder, parser_err,
                                 cw_arena_printf(builder->scratch,
                                                 "logfmt syntax error at pos %zu : %.*s",
                                                 scan->fault_at, CW_STR_ARG(what)));
}

void cw_extract_logfmt(struct cw_str line, struct cw_logfmt_options options,
                       struct cw_label_builder *builder)
{
    struct scan scan = {.line = line, .arena = builder->scratch};
    if (cw_label_builder_has_all(builder))
        return;
    while (scan.at < line.len) {
        struct cw_str name;
        if (!scan_pair(&scan)) {
            if (options.strict)
                break;
            continue;
        }
        if (scan.value.len == 0 && !options.keep_empty)
            continue;
        name = cw_label_builder_clean(builder, scan.key);
        if (!cw_label_builder_wants(builder, name, &name))
            continue;
        cw_label_builder_add(builder, name, cw_label_builder_text(builder, scan.value));
        if (cw_label_builder_has_all(builder))
            break;
    }
    if (options.strict && scan.fault != NULL)
        report(&scan, builder);
}

/* ---- expressions ---- */

/* What the label of an expression is called in this entry; an empty name: it is not to be set. */
static struct cw_str *name_labels(const struct cw_logfmt_expression *expressions, size_t n,
                                  struct cw_label_builder *builder)
{
    struct cw_str *names = CW_ARENA_ARRAY(builder->scratch, struct cw_str, n);
    for (size_t i = 0; i < n; i++) {
        if (!cw_label_builder_wants(builder, expressions[i].name, &names[i]))
            names[i] = CW_STR_NONE;
        else if (cw_str_eq(names[i], expressions[i].name))
            cw_label_builder_add(builder, names[i], CW_STR(""));
    }
    return names;
}

void cw_extract_logfmt_keys(struct cw_str line, struct cw_logfmt_options options,
                            const struct cw_logfmt_expression *expressions, size_t n,
                            struct cw_label_builder *builder)
{
    struct scan scan = {.line = line, .arena = builder->scratch};
    if (cw_label_builder_has_all(builder))
        return;
    const struct cw_str *names = name_labels(expressions, n, builder);
    while (scan.at < line.len) {
        if (!scan_pair(&scan)) {
            if (options.strict)
                break;
            continue;
        }
        struct cw_str key = cw_label_builder_clean(builder, scan.key);
        for (size_t i = 0; i < n; i++)
            if (names[i].len > 0 && cw_str_eq(expressions[i].key, key))
                cw_label_builder_add(builder, names[i], cw_label_builder_text(builder, scan.value));
    }
    if (options.strict && scan.fault != NULL)
        report(&scan, builder);
}
