/* The part of schema.h that writes a configuration as YAML. */
#include "common/config/schema.h"

#include <string.h>

#include "common/config/value.h"

struct printer {
    struct cw_buf *out;
    const char *base;                 /* the struct */
    const struct cw_table_def *table; /* of the struct */
};

static void print_table(const struct cw_table_def *table, const void *values, unsigned indent,
                        struct cw_buf *out);

static void add_indent(struct cw_buf *out, unsigned indent)
{
    cw_buf_addf(out, "%*s", (int)indent, "");
}

/* May it stand without quotes, and mean text to any YAML reader? */
static bool is_plain(struct cw_str s)
{
    static const char *const words[] = {"true", "false", "yes", "no",   "on",  "off",
                                        "null", "y",     "n",   ".inf", ".nan"};
    bool letters = false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/';
        letters |= letter;
        if (!letter && !(c >= '0' && c <= '9') && !(i > 0 && (c == '-' || c == '.')))
            return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (cw_str_eq_nocase(s, cw_str_of(words[i])))
            return false;
    }
    double number;
    return letters && !cw_str_to_f64(s, &number);
}

static void add_text(struct cw_buf *out, struct cw_str s)
{
    if (is_plain(s)) {
        cw_buf_adds(out, s);
        return;
    }
    cw_buf_addc(out, '"');
    for (size_t at = 0; at < s.len;) {
        uint32_t rune;
        char bytes[4];
        at += cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
        if (rune == '"' || rune == '\\')
            cw_buf_addf(out, "\\%c", (char)rune);
        else if (rune == '\n')
            cw_buf_addz(out, "\\n");
        else if (rune < 0x20 || (rune >= 0x7F && rune < 0xA0))
            cw_buf_addf(out, "\\x%02x", (unsigned)rune);
        else if (rune == 0x2028 || rune == 0x2029 || rune == 0xFEFF)
            cw_buf_addf(out, "\\u%04x", (unsigned)rune);
        else
            cw_buf_add(out, bytes, cw_utf8_encode(rune, bytes));
    }
    cw_buf_addc(out, '"');
}

static void print_strings(const struct cw_config_strings *strings, unsigned indent,
                          struct cw_buf *out)
{
    cw_buf_addz(out, strings->n == 0 ? " []\n" : "\n");
    for (size_t i = 0; i < strings->n; i++) {
        add_indent(out, indent);
        cw_buf_addz(out, "- ");
        add_text(out, strings->items[i]);
        cw_buf_addc(out, '\n');
    }
}

static void print_map(const struct cw_config_map *map, bool secret, unsigned indent,
                      struct cw_buf *out)
{
    cw_buf_addz(out, map->n == 0 ? " {}\n" : "\n");
    for (size_t i = 0; i < map->n; i++) {
        add_indent(out, indent);
        add_text(out, map->items[i].name);
        cw_buf_addz(out, ": ");
        add_text(out, secret ? CW_STR("<secret>") : map->items[i].value);
        cw_buf_addc(out, '\n');
    }
}

/* Items begin with "- " in front of their first key. */
static void print_tables(const struct cw_table_def *table, const struct cw_config_tables *tables,
                         unsigned indent, struct cw_buf *out)
{
    cw_buf_addz(out, tables->n == 0 ? " []\n" : "\n");
    for (size_t i = 0; i < tables->n; i++) {
        size_t at = out->len + indent;
        print_table(table, (const char *)tables->items + i * table->size, indent + 2, out);
        if (at < out->len)
            out->ptr[at] = '-';
    }
}

static void print_table_map(const struct cw_table_def *table, const struct cw_config_table_map *map,
                            unsigned indent, struct cw_buf *out)
{
    cw_buf_addz(out, map->n == 0 ? " {}\n" : "\n");
    for (size_t i = 0; i < map->n; i++) {
        add_indent(out, indent);
        add_text(out, map->names[i]);
        cw_buf_addz(out, ":\n");
        print_table(table, (const char *)map->items + i * table->size, indent + 2, out);
    }
}

static void print_scalar(const struct cw_key_def *key, const void *at, struct cw_buf *out)
{
    struct cw_value_rule rule = {key->kind, key->min, key->max, key->names};
    cw_buf_addc(out, ' ');
    if (key->kind == CW_KEY_STRING) {
        const struct cw_str *s = at;
        add_text(out, (key->flags & CW_KEY_SECRET) && s->len > 0 ? CW_STR("<secret>") : *s);
    } else {
        cw_value_format(&rule, at, out);
    }
    cw_buf_addc(out, '\n');
}

static void print_value(const struct printer *p, const struct cw_key_def *key, unsigned indent)
{
    const void *at = p->base + key->offset;
    switch (key->kind) {
    case CW_KEY_STRINGS: print_strings(at, indent + 2, p->out); break;
    case CW_KEY_MAP: print_map(at, (key->flags & CW_KEY_SECRET) != 0, indent + 2, p->out); break;
    case CW_KEY_TABLE:
        cw_buf_addc(p->out, '\n');
        print_table(key->table, at, indent + 2, p->out);
        break;
    case CW_KEY_TABLES: print_tables(key->table, at, indent + 2, p->out); break;
    case CW_KEY_TABLE_MAP: print_table_map(key->table, at, indent + 2, p->out); break;
    default: print_scalar(key, at, p->out);
    }
}

/* Would its presence, with whatever value, mean something that the file did not say? */
static bool is_absent(const struct printer *p, const struct cw_key_def *key)
{
    return key->seen != 0 && (p->table->one_of || key->def == NULL) &&
           !*(const bool *)(p->base + key->seen - 1);
}

/* Has a row before `idx` already printed the mapping `path` (with its dot at the end)? */
static bool printed_before(const struct printer *p, size_t idx, struct cw_str path)
{
    for (size_t i = 0; i < idx; i++) {
        const struct cw_key_def *key = &p->table->keys[i];
        if (key->kind != CW_KEY_IGNORED && cw_str_starts(cw_str_of(key->name), path) &&
            !is_absent(p, key))
            return true;
    }
    return false;
}

static void print_level(const struct printer *p, struct cw_str prefix, unsigned indent)
{
    for (size_t i = 0; i < p->table->nkeys; i++) {
        const struct cw_key_def *key = &p->table->keys[i];
        struct cw_str name = cw_str_of(key->name);
        if (key->kind == CW_KEY_IGNORED || !cw_str_starts(name, prefix) || is_absent(p, key))
            continue;
        struct cw_str rest = cw_str_sub(name, prefix.len, name.len);
        ptrdiff_t dot = cw_str_find_byte(rest, '.');
        struct cw_str path = cw_str_sub(name, 0, prefix.len + (size_t)dot + 1);
        if (dot >= 0 && printed_before(p, i, path))
            continue;
        add_indent(p->out, indent);
        cw_buf_adds(p->out, dot >= 0 ? cw_str_sub(rest, 0, (size_t)dot) : rest);
        cw_buf_addc(p->out, ':');
        if (dot >= 0) {
            cw_buf_addc(p->out, '\n');
            print_level(p, path, indent + 2);
        } else {
            print_value(p, key, indent);
        }
    }
}

static void print_table(const struct cw_table_def *table, const void *values, unsigned indent,
                        struct cw_buf *out)
{
    struct printer p = {out, values, table};
    print_level(&p, CW_STR(""), indent);
}

void cw_schema_print(const struct cw_table_def *table, const void *values, struct cw_buf *out)
{
    print_table(table, values, 0, out);
}
