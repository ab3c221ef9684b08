/* The part of docs.h that writes a reference configuration: every key with its doc and default. */
#include <string.h>

#include "common/config/docs_priv.h"

enum { WIDTH = 96 };

/* How lines begin: spaces, and "# " in front where they only show what could stand there. */
struct margin {
    unsigned indent;
    bool shown_only;
};

/* What is written, and which tables were. */
struct reference {
    struct cw_buf *out;
    struct cw_docs_told told;
};

static void config_level(struct reference *ref, const struct cw_table_def *table,
                         struct cw_str prefix, struct margin margin);

static void add_margin(struct cw_buf *out, struct margin margin)
{
    cw_buf_addf(out, "%s%*s", margin.shown_only ? "#" : "", (int)margin.indent, "");
}

static void add_comment(struct cw_buf *out, struct cw_str text, struct margin margin)
{
    struct cw_str word;
    size_t at = 0;
    while (cw_str_split(&text, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (at > 0 && at + 1 + word.len > WIDTH) {
            cw_buf_addc(out, '\n');
            at = 0;
        }
        if (at == 0) {
            add_margin(out, margin);
            cw_buf_addz(out, "# ");
            at = margin.indent + 2;
        } else {
            cw_buf_addc(out, ' ');
            at++;
        }
        cw_buf_adds(out, word);
        at += word.len;
    }
    cw_buf_addc(out, '\n');
}

/* What a key with a table of its own holds. */
static void config_nested(struct reference *ref, const struct cw_key_def *key, struct margin inner)
{
    struct cw_buf *out = ref->out;
    struct cw_str where;
    cw_buf_addc(out, '\n');
    if (key->kind != CW_KEY_TABLE) {
        inner.shown_only = true;
        add_margin(out, inner);
        cw_buf_addz(out, key->kind == CW_KEY_TABLES ? "-\n" : "NAME:\n");
        inner.indent += 2;
    }
    if (cw_docs_told(&ref->told, key->table, cw_str_of(key->name), &where)) {
        add_margin(out, inner);
        cw_buf_addf(out, "# The keys are those of %.*s.\n", CW_STR_ARG(where));
    } else {
        config_level(ref, key->table, CW_STR(""), inner);
    }
}

static void config_leaf(struct reference *ref, const struct cw_key_def *key, struct cw_str name,
                        struct margin margin)
{
    struct cw_buf *out = ref->out;
    struct cw_value_rule rule = {key->kind, key->min, key->max, key->names};
    struct cw_buf text;
    cw_buf_init(&text, 10000);
    cw_buf_addz(&text, key->doc);
    if (key->flags & CW_KEY_REQUIRED)
        cw_buf_addz(&text, " Required.");
    cw_docs_facts(&rule, NULL, NULL, &text);
    add_comment(out, cw_buf_str(&text), margin);
    cw_buf_fini(&text);
    bool nests = key->table != NULL && key->kind != CW_KEY_TABLE;
    /* What has no default is shown, and left for the user to set. */
    bool unset = key->kind != CW_KEY_TABLE && key->def == NULL && key->kind != CW_KEY_BOOL;
    add_margin(out, (struct margin){margin.indent, margin.shown_only || unset || nests});
    cw_buf_addf(out, "%.*s:", CW_STR_ARG(name));
    if (key->table != NULL) {
        config_nested(ref, key, (struct margin){margin.indent + 2, margin.shown_only});
    } else if (key->kind == CW_KEY_STRINGS) {
        cw_buf_addf(out, " [%s]\n", key->def != NULL ? key->def : "");
    } else if (key->kind == CW_KEY_MAP) {
        cw_buf_addz(out, " {}\n");
    } else if (key->kind == CW_KEY_STRING) {
        cw_buf_addf(out, " \"%s\"\n", key->def != NULL ? key->def : "");
    } else {
        cw_buf_addf(out, " %s\n", key->def != NULL ? key->def : unset ? "" : "false");
    }
}

static bool shown_before(const struct cw_table_def *table, size_t idx, struct cw_str path)
{
    for (size_t i = 0; i < idx; i++) {
        if (table->keys[i].kind != CW_KEY_IGNORED &&
            cw_str_starts(cw_str_of(table->keys[i].name), path))
            return true;
    }
    return false;
}

static void config_level(struct reference *ref, const struct cw_table_def *table,
                         struct cw_str prefix, struct margin margin)
{
    struct cw_buf *out = ref->out;
    for (size_t i = 0; i < table->nkeys; i++) {
        const struct cw_key_def *key = &table->keys[i];
        struct cw_str name = cw_str_of(key->name);
        if (key->kind == CW_KEY_IGNORED || !cw_str_starts(name, prefix))
            continue;
        struct cw_str rest = cw_str_sub(name, prefix.len, name.len);
        ptrdiff_t dot = cw_str_find_byte(rest, '.');
        if (dot < 0) {
            config_leaf(ref, key, rest, margin);
            continue;
        }
        struct cw_str path = cw_str_sub(name, 0, prefix.len + (size_t)dot + 1);
        if (shown_before(table, i, path))
            continue;
        add_margin(out, margin);
        cw_buf_addf(out, "%.*s:\n", (int)dot, rest.ptr);
        config_level(ref, table, path, (struct margin){margin.indent + 2, margin.shown_only});
    }
}

void cw_docs_config(const struct cw_table_def *table, struct cw_buf *out)
{
    struct cw_arena *arena = cw_arena_new();
    struct reference ref = {out, {.arena = arena}};
    config_level(&ref, table, CW_STR(""), (struct margin){0, false});
    cw_arena_free(&arena);
}
