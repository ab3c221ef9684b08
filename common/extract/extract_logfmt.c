#include "common/extract/extract_logfmt.h"

static const struct cw_str parser_err = {"LogfmtParserErr", 15};

static bool fail(struct cw_logfmt_pairs *pairs, const char *fault, char unexpected)
{
    if (pairs->fault == NULL) {
        pairs->fault = fault;
        pairs->unexpected = unexpected;
        pairs->fault_at = pairs->at + 1;
    }
    return false;
}

/* The byte cannot stand here: the rest of the word is lost. */
static bool fail_word(struct cw_logfmt_pairs *pairs)
{
    fail(pairs, "unexpected", pairs->line.ptr[pairs->at]);
    while (pairs->at < pairs->line.len && (unsigned char)pairs->line.ptr[pairs->at] > ' ')
        pairs->at++;
    return false;
}

/* U+FFFD, or bytes that become one. */
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
static bool scan_quoted(struct cw_logfmt_pairs *pairs)
{
    struct cw_str line = pairs->line;
    size_t from = ++pairs->at;
    bool escaped = false;
    for (; pairs->at < line.len && line.ptr[pairs->at] != '"'; pairs->at++) {
        if (line.ptr[pairs->at] != '\\')
            continue;
        escaped = true;
        pairs->at++;
    }
    if (pairs->at >= line.len) {
        pairs->at = line.len;
        return fail(pairs, "unterminated quoted value", '\0');
    }
    pairs->value = cw_str_sub(line, from, pairs->at);
    pairs->at++;
    if (escaped && !unquote(pairs->value, pairs->arena, &pairs->value))
        return fail(pairs, "invalid quoted value", '\0');
    return true;
}

static bool scan_value(struct cw_logfmt_pairs *pairs)
{
    struct cw_str line = pairs->line;
    if (pairs->at >= line.len)
        return true;
    if (line.ptr[pairs->at] == '"')
        return scan_quoted(pairs);
    size_t from = pairs->at;
    for (; pairs->at < line.len; pairs->at++) {
        char c = line.ptr[pairs->at];
        if (c == '=' || c == '"')
            return fail_word(pairs);
        if ((unsigned char)c <= ' ')
            break;
    }
    pairs->value = cw_str_sub(line, from, pairs->at);
    return true;
}

bool cw_logfmt_next(struct cw_logfmt_pairs *pairs)
{
    struct cw_str line = pairs->line;
    pairs->key = pairs->value = CW_STR_NONE;
    while (pairs->at < line.len && (unsigned char)line.ptr[pairs->at] <= ' ')
        pairs->at++;
    size_t from = pairs->at;
    bool multibyte = false;
    for (; pairs->at < line.len; pairs->at++) {
        unsigned char c = (unsigned char)line.ptr[pairs->at];
        if (c == '=' || c <= ' ')
            break;
        if (c == '"')
            return fail_word(pairs);
        multibyte |= c >= 0x80;
    }
    if (pairs->at == from)
        return pairs->at < line.len ? fail_word(pairs) : false;
    pairs->key = cw_str_sub(line, from, pairs->at);
    bool has_value = pairs->at < line.len && line.ptr[pairs->at] == '=';
    if (multibyte && has_no_rune(pairs->key)) {
        fail(pairs, "invalid key", '\0');
        while (has_value && pairs->at < line.len && (unsigned char)line.ptr[pairs->at] > ' ')
            pairs->at++;
        return false;
    }
    if (!has_value)
        return true;
    pairs->at++;
    return scan_value(pairs);
}

static void report(const struct cw_logfmt_pairs *pairs, struct cw_label_builder *builder)
{
    struct cw_str what = cw_str_of(pairs->fault);
    if (pairs->unexpected != '\0')
        what = cw_arena_printf(builder->scratch, "unexpected '%c'", pairs->unexpected);
    cw_label_builder_parse_error(builder, parser_err,
                                 cw_arena_printf(builder->scratch,
                                                 "logfmt syntax error at pos %zu : %.*s",
                                                 pairs->fault_at, CW_STR_ARG(what)));
}

void cw_extract_logfmt(struct cw_str line, struct cw_logfmt_options options,
                       struct cw_label_builder *builder)
{
    struct cw_logfmt_pairs pairs = {.line = line, .arena = builder->scratch};
    if (cw_label_builder_has_all(builder))
        return;
    while (pairs.at < line.len) {
        struct cw_str name;
        if (!cw_logfmt_next(&pairs)) {
            if (options.strict)
                break;
            continue;
        }
        if (pairs.value.len == 0 && !options.keep_empty)
            continue;
        name = cw_label_builder_clean(builder, pairs.key);
        if (!cw_label_builder_wants(builder, name, &name))
            continue;
        cw_label_builder_add(builder, name, cw_label_builder_text(builder, pairs.value));
        if (cw_label_builder_has_all(builder))
            break;
    }
    if (options.strict && pairs.fault != NULL)
        report(&pairs, builder);
}

/* ---- expressions ---- */

/* What an expression's label is called in this entry. */
struct target {
    struct cw_str name;
    bool wanted, suffixed;
    bool met; /* a pair was its: also of one that nobody wants */
};

/* Each label that needs no other name is there from the start, in the place of what an earlier stage made of it. */
static struct target *name_labels(const struct cw_logfmt_expression *expressions, size_t n,
                                  struct cw_label_builder *builder)
{
    struct target *targets = CW_ARENA_ARRAY(builder->scratch, struct target, n);
    for (size_t i = 0; i < n; i++) {
        struct cw_str name = cw_label_builder_name(builder, expressions[i].name);
        targets[i] = (struct target){name, cw_label_builder_needs(builder, name),
                                     !cw_str_eq(name, expressions[i].name), false};
        if (targets[i].wanted && !targets[i].suffixed)
            cw_label_builder_add(builder, name, CW_STR(""));
    }
    return targets;
}

/* Of several that have one name, any. */
static bool is_met(const struct target *targets, size_t n, struct cw_str name)
{
    for (size_t i = 0; i < n; i++)
        if (targets[i].met && cw_str_eq(targets[i].name, name))
            return true;
    return false;
}

/* False: the line's further pairs do not count. */
static bool write_target(struct target *targets, size_t n, size_t idx, struct cw_str value,
                         struct cw_label_builder *builder)
{
    struct target *target = &targets[idx];
    if (target->suffixed &&
        (is_met(targets, n, target->name) || cw_label_builder_parsed(builder, target->name)))
        return false;
    target->met = true;
    if (target->wanted)
        cw_label_builder_add(builder, target->name, value);
    return true;
}

/* The pair is of the expressions that ask for its key, or else of the one that is called so. */
static bool take_pair(const struct cw_logfmt_expression *expressions, struct target *targets,
                      size_t n, struct cw_str key, struct cw_str value,
                      struct cw_label_builder *builder)
{
    size_t called = n;
    for (size_t i = 0; i < n && called == n; i++)
        if (cw_str_eq(expressions[i].name, key))
            called = i;
    if (called == n && cw_label_builder_parsed(builder, key))
        return true;
    bool asked = false, goes_on = true;
    for (size_t i = 0; i < n; i++)
        if (cw_str_eq(expressions[i].key, key)) {
            asked = true;
            goes_on &= write_target(targets, n, i, value, builder);
        }
    return asked || called == n ? goes_on : write_target(targets, n, called, value, builder);
}

void cw_extract_logfmt_keys(struct cw_str line, struct cw_logfmt_options options,
                            const struct cw_logfmt_expression *expressions, size_t n,
                            struct cw_label_builder *builder)
{
    struct cw_logfmt_pairs pairs = {.line = line, .arena = builder->scratch};
    if (cw_label_builder_has_all(builder))
        return;
    struct target *targets = name_labels(expressions, n, builder);
    while (pairs.at < line.len) {
        if (!cw_logfmt_next(&pairs)) {
            if (options.strict)
                break;
            continue;
        }
        struct cw_str key = cw_label_builder_clean(builder, pairs.key);
        struct cw_str value = has_no_rune(pairs.value) ? CW_STR("") : pairs.value;
        if (key.len > 0 && !take_pair(expressions, targets, n, key, value, builder))
            break;
    }
    if (options.strict && pairs.fault != NULL)
        report(&pairs, builder);
}
